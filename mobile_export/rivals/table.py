"""What the benchmark found, as a text table and as JSON."""

from __future__ import annotations

import json
import platform
from collections.abc import Sequence
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from typing import Any

from mobile_export.rivals.measure import Comparison, Row
from mobile_export.rivals.subject import Subject

OURS = "ours-8da4w"
LABEL_WIDTH = 27
PACKAGES = ("torch", "torchao", "executorch", "onnx", "onnxruntime", "openvino", "nncf")
EXPLANATION = """\
ms, CPU ms: of a run by view, medians; slower: time over that of ours 8da4w; peak MB: what the
process takes beyond its library, preparing or compiling included; GFLOP/s: of all products, two a
multiplication and addition; limit: share of the fastest large product in the same number format
in this run (int8 for all rows of 8 and 4 bit); off: |x - x'| / |x| against fgq.vggt in FP32.
The linears that ours rounds are rounded in the others, to nearest; the convolutions that ours
rounds to 8 bit only in OpenVINO's calibrated row, as the others have no faster kernel for that.
w.: weights in the file, inputs rounded at run time; default: as OpenVINO does by itself, the rest
in 16 bit where the processor has it; FP32: the rest in FP32; by token: one scale for a row of
inputs, not for every 32 numbers; calibrated: inputs on fixed scales from 4 inputs, the measured
one among them."""


def format_table(
    subject: Subject, comparisons: Sequence[Comparison], threads: int, repeats: int
) -> str:
    """One block of lines for each number of views; `EXPLANATION` at the end."""
    height, width = subject.size
    blocks = []
    for found in comparisons:
        limits = ", ".join(f"{name} {rate:.0f}" for name, rate in found.limits.items())
        head = (
            f"{subject.name}, views {found.views}, {width}x{height},"
            f" {found.flops / 1e9:.2f} GFLOP a run; threads {threads}, repeats {repeats};"
            f" limits in GFLOP/s: {limits}"
        )
        blocks.append("\n".join([head, *_lines(found, subject.outputs)]))
    return "\n\n".join([*blocks, EXPLANATION])


def _lines(found: Comparison, outputs: Sequence[str]) -> list[str]:
    widths = [max(8, len(name)) for name in outputs]
    names = " ".join(f"{name:>{w}}" for name, w in zip(outputs, widths, strict=True))
    lines = [
        f"{'engine':{LABEL_WIDTH}} {'ms':>8} {'CPU ms':>8} {'slower':>6} {'peak MB':>7}"
        f" {'file MB':>7} {'GFLOP/s':>7} {'limit':>6}  off {names}"
    ]
    ours = next((row for row in found.rows if row.key == OURS and row.problem is None), None)
    for row in found.rows:
        if row.problem is not None:
            lines.append(f"{row.label:{LABEL_WIDTH}} {row.problem}")
            continue
        slower = f"{row.seconds / ours.seconds:6.2f}" if ours else f"{'-':>6}"
        share = share_of_limit(found, row)
        errors = " ".join(
            f"{error:{w}.1e}" for error, w in zip((row.errors or {}).values(), widths, strict=True)
        )
        lines.append(
            f"{row.label:{LABEL_WIDTH}} {row.seconds * 1e3 / row.views:8.1f}"
            f" {row.cpu_seconds * 1e3 / row.views:8.1f} {slower} {row.memory / 1e6:7.0f}"
            f" {row.file_bytes / 1e6:7.1f} {rate(found, row):7.1f}"
            f" {'-' if share is None else f'{share:.0%}':>6}      {errors}"
        )
    return lines


def rate(found: Comparison, row: Row) -> float:
    """1e9 operations a second of a row, by wall clock."""
    return found.flops / row.seconds / 1e9


def share_of_limit(found: Comparison, row: Row) -> float | None:
    """The rate of a row over the machine's limit in the row's number format, if that is known."""
    limit = found.limits.get(row.limit)
    return None if limit is None else rate(found, row) / limit


def to_json(
    subject: Subject,
    comparisons: Sequence[Comparison],
    threads: int,
    repeats: int,
    command: str,
) -> str:
    """Everything that was found, with the settings, the processor and the versions."""
    return json.dumps(
        {
            "command": command,
            "subject": subject.name,
            "size": list(subject.size),
            "threads": threads,
            "repeats": repeats,
            "processor": processor(),
            "versions": _versions(),
            "comparisons": [_entry(found) for found in comparisons],
        },
        indent=2,
    )


def _entry(found: Comparison) -> dict[str, Any]:
    rows: list[dict[str, Any]] = []
    for row in found.rows:
        if row.problem is not None:
            rows.append({"key": row.key, "label": row.label, "problem": row.problem})
            continue
        entry = asdict(row)
        del entry["problem"], entry["views"]
        entry["gflops_per_second"] = rate(found, row)
        entry["share_of_limit"] = share_of_limit(found, row)
        rows.append(entry)
    return {
        "views": found.views,
        "gflops": found.flops / 1e9,
        "limits_gflops_per_second": found.limits,
        "rows": rows,
    }


def processor() -> str:
    """The name of this machine's processor, as far as the system tells."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def _versions() -> dict[str, str]:
    found = {}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found
