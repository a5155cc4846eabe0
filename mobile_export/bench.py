"""Latency and memory of bundles beside each other, in one run."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mobile_export.bundle import PROGRAM, BundleError, input_size, read_bundle
from mobile_export.program import Run, RunningProgram
from mobile_export.verify import probe_images


@dataclass(frozen=True)
class Measurement:
    """Medians over the repeats of one bundle at one number of views.

    file_bytes is the size of the program; seconds are those of one execution, of wall clock and
    of the processor; memory in bytes is the largest of the process above what it held before it
    loaded the program.
    """

    bundle: Path
    views: int
    file_bytes: int
    seconds: float
    cpu_seconds: float
    memory: int


def measure(
    bundles: Sequence[Path], view_counts: Sequence[int] | None, threads: int, repeats: int
) -> list[Measurement]:
    """Measure every bundle at every number of views that all of them have (or those given).

    At each number of views every bundle is loaded in a process of its own, and the bundles take
    turns, so that whatever else the machine does meets all of them alike.
    """
    manifests = {bundle: read_bundle(bundle) for bundle in bundles}
    wanted = _wanted_views(manifests, view_counts)
    results = []
    for views in wanted:
        with ExitStack() as stack:
            runs: dict[Path, tuple[RunningProgram, NDArray[np.float32], list[Run]]] = {}
            for bundle, manifest in manifests.items():
                program = RunningProgram(bundle / PROGRAM, manifest["methods"][str(views)], threads)
                running = stack.enter_context(program)
                images = probe_images(views, input_size(manifest))["pattern"]
                running.run(images)  # the first execution also allocates
                runs[bundle] = (running, images, [])
            for _ in range(repeats):
                for running, images, done in runs.values():
                    done.append(running.run(images))
            for bundle, (_, _, done) in runs.items():
                results.append(
                    Measurement(
                        bundle,
                        views,
                        manifests[bundle]["files"][PROGRAM]["bytes"],
                        median(run.seconds for run in done),
                        median(run.cpu_seconds for run in done),
                        max(run.memory for run in done),
                    )
                )
    return results


def _wanted_views(
    manifests: dict[Path, dict[str, Any]], view_counts: Sequence[int] | None
) -> list[int]:
    """Those that all bundles have, or those given; BundleError if one has no method for some."""
    common = set.intersection(*(set(map(int, m["methods"])) for m in manifests.values()))
    wanted = sorted(common) if view_counts is None else list(view_counts)
    if not wanted or not set(wanted) <= common:
        raise BundleError(f"the bundles have methods for {sorted(common)} views only")
    return wanted


def profile_bundles(
    bundles: Sequence[Path],
    view_counts: Sequence[int] | None,
    threads: int,
    repeats: int,
    out: Path,
) -> list[str]:
    """Profile the bundles' programs as `profile_program` does: the tables.

    What it writes is in a folder for each bundle and number of views, BUNDLE-sN.
    """
    from mobile_export.profile import profile_program

    manifests = {bundle: read_bundle(bundle) for bundle in bundles}
    tables = []
    for views in _wanted_views(manifests, view_counts):
        for bundle, manifest in manifests.items():
            tables.append(
                profile_program(
                    bundle / PROGRAM,
                    manifest["methods"][str(views)],
                    probe_images(views, input_size(manifest))["pattern"],
                    threads,
                    repeats,
                    out / f"{bundle.resolve().name}-s{views}",
                )
            )
    return tables


def format_table(measurements: Sequence[Measurement]) -> str:
    """A table with one line a bundle and number of views; ratios are first bundle / this one."""
    first = {m.views: m for m in reversed(measurements)}
    lines = [
        f"{'bundle':24} {'file MB':>8} {'views':>5} {'ms':>8} {'ms/view':>8} {'CPU ms':>8}"
        f" {'faster':>7} {'peak MB':>8} {'smaller':>8}"
    ]
    for m in measurements:
        base = first[m.views]
        lines.append(
            f"{m.bundle.name:24} {m.file_bytes / 1e6:8.2f} {m.views:5} {m.seconds * 1e3:8.1f}"
            f" {m.seconds * 1e3 / m.views:8.1f} {m.cpu_seconds * 1e3:8.1f}"
            f" {base.seconds / m.seconds:7.2f} {m.memory / 1e6:8.1f}"
            f" {base.memory / max(m.memory, 1):8.2f}"
        )
    return "\n".join(lines)
