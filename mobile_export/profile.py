"""Where the time of a program goes, operator by operator, inside its delegates too."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
import torch
from numpy.typing import NDArray

from fgq.files import write_file

# Events that contain others: their time would count twice.
WRAPPERS = ("DELEGATE_CALL", "OPERATOR_CALL", "Method::", "Program::")
WHOLE_RUN = "Method::execute"
SHOWN = 15


@dataclass(frozen=True)
class Operator:
    """One operator of a program, or `count` of a kind: ms in a run, and percent of the time that
    all operators take."""

    name: str
    ms: float
    percent: float
    count: int = 1


def profile_program(
    program: Path,
    method: str,
    images: NDArray[np.float32],
    threads: int,
    repeats: int,
    out: Path,
    record: Path | None = None,
) -> str:
    """Run a method with the profiler on and write what it finds; return a table of the slowest
    kinds of operators.

    Writes into `out`: NAME.etdump (what the runtime measured; ExecuTorch's Inspector reads it),
    NAME.csv (every operator, the slowest first) and NAME.txt (the table), with NAME that of the
    program's file. `record` is the program's ETRecord, if there is one. Medians, the first run not
    counted. Measuring every operator costs time itself: the sum is more than an ordinary run's.
    """
    from executorch.devtools import Inspector
    from executorch.extension.pybindings import portable_lib

    out.mkdir(parents=True, exist_ok=True)
    dump = out / f"{program.stem}.etdump"
    torch.set_num_threads(1)
    portable_lib._unsafe_reset_threadpool(threads)
    module = portable_lib._load_for_executorch(str(program), None, True)
    for _ in range(repeats + 1):
        module.run_method(method, [torch.from_numpy(images)])
    module.write_etdump_result_to_file(str(dump))
    inspector = Inspector(etdump_path=str(dump), etrecord=None if record is None else str(record))
    events = [
        (event.name, median(event.perf_data.raw[1:] or event.perf_data.raw))
        for block in inspector.event_blocks
        if block.name == "Execute"
        for event in block.events
        if event.perf_data is not None
    ]
    total = sum(ms for name, ms in events if name == WHOLE_RUN)
    operators = slowest_first(events)
    write_file(dump.with_suffix(".csv"), _csv(operators).encode())
    table = format_profile(f"{program.stem}, {method}, threads {threads}", operators, total)
    write_file(dump.with_suffix(".txt"), (table + "\n").encode())
    return table


def slowest_first(events: Sequence[tuple[str, float]]) -> list[Operator]:
    """The operators among the (name, ms) of a run's events."""
    operators = [(name, ms) for name, ms in events if not name.startswith(WRAPPERS)]
    total = sum(ms for _, ms in operators)
    found = [Operator(name, ms, 100 * ms / total) for name, ms in operators]
    return sorted(found, key=lambda operator: -operator.ms)


def by_kind(operators: Sequence[Operator]) -> list[Operator]:
    """Operators of the same kind taken together, the slowest kind first."""
    kinds: dict[str, list[Operator]] = {}
    for operator in operators:
        kinds.setdefault(re.sub(r" #\d+$", "", operator.name), []).append(operator)
    joined = [
        Operator(name, sum(o.ms for o in group), sum(o.percent for o in group), len(group))
        for name, group in kinds.items()
    ]
    return sorted(joined, key=lambda operator: -operator.ms)


def format_profile(title: str, operators: Sequence[Operator], total: float) -> str:
    """The slowest kinds of operators, and the rest in one line; total: ms of a whole run."""
    kinds = by_kind(operators)
    shown, rest = kinds[:SHOWN], kinds[SHOWN:]
    if rest:
        ms, percent = sum(kind.ms for kind in rest), sum(kind.percent for kind in rest)
        count = sum(kind.count for kind in rest)
        shown.append(Operator(f"{len(rest)} other kinds", ms, percent, count))
    inside = sum(kind.ms for kind in kinds)
    head = f"{title}: {total:.1f} ms with the profiler on, {inside:.1f} of them in operators"
    lines = [head, f"{'ms':>9} {'%':>6} {'calls':>6}"]
    lines += [f"{k.ms:9.2f} {k.percent:6.1f} {k.count:6}  {k.name}" for k in shown]
    return "\n".join(lines)


def _csv(operators: Sequence[Operator]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["operator", "ms", "percent"])
    for operator in operators:
        writer.writerow([operator.name, f"{operator.ms:.4f}", f"{operator.percent:.2f}"])
    return text.getvalue()
