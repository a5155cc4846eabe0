"""Measures the engines beside each other: each in a process of its own, taking turns."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np

from mobile_export.program import ProgramError, Run, RunningProcess
from mobile_export.rivals.child import LIMIT_SIZE, LIMITS
from mobile_export.rivals.engines import (
    Engine,
    default_precision,
    file_bytes,
    obstacle,
    start,
    start_child,
    write_files,
)
from mobile_export.rivals.subject import Subject, output_errors

# Seconds between two turns, for the threads of the last engine to stop looking for work.
PAUSE = 0.1
QUESTION = np.zeros(1, np.float32)  # for the process that measures the limits


@dataclass(frozen=True)
class Row:
    """One engine at one number of views; medians over the repeats, the first run not counted.

    Or only a `problem`, in one line. seconds and cpu_seconds are those of a run; memory the
    largest above what the process held with its library loaded, its compilation or preparation of
    weights included; errors are how far each output is off fgq.vggt in full precision.
    """

    key: str
    label: str
    views: int
    problem: str | None = None
    limit: str = "fp32"
    file_bytes: int = 0
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    memory: int = 0
    all_seconds: tuple[float, ...] = ()
    errors: dict[str, float] | None = None


@dataclass(frozen=True)
class Comparison:
    """All rows at one number of views; flops of one run; limits {number format: 1e9 operations a
    second of the fastest large product in this very run}."""

    views: int
    flops: int
    limits: dict[str, float]
    rows: tuple[Row, ...]


def compare(
    subject: Subject,
    engines: Sequence[Engine],
    views: int,
    threads: int,
    repeats: int,
    report: Callable[[str], None] = lambda _: None,
    limit_size: int = LIMIT_SIZE,
) -> Comparison:
    """Measure the engines on one subject. `report` is told what is being done; `limit_size` is the
    side of the matrices that the machine's limits are measured with."""
    expected = subject.reference(views)
    example = subject.example(views)
    problems: dict[str, str] = {}
    formats: dict[str, str] = {}
    sizes: dict[str, int] = {}
    running: dict[str, RunningProcess] = {}
    runs: dict[str, list[Run]] = {engine.key: [] for engine in engines}
    errors: dict[str, list[float]] = {}

    with tempfile.TemporaryDirectory(prefix="rivals-") as folder, ExitStack() as stack:
        for engine in engines:
            if problem := obstacle(engine):
                problems[engine.key] = problem
                continue
            report(f"{views} views: preparing {engine.label}")
            # Whatever another engine's tools raise is the finding of its row.
            try:
                formats[engine.key] = _format(engine)
                path = write_files(engine, subject, views, Path(folder))
                sizes[engine.key] = file_bytes(path)
                process = stack.enter_context(start(engine, path, subject, views, threads))
                first = process.run(example)  # the first run also allocates or compiles
                errors[engine.key] = output_errors(first.outputs, expected)
                running[engine.key] = process
            except Exception as error:
                problems[engine.key] = f"failed: {_one_line(error)}"
        kinds = sorted(set(formats.values()) & set(LIMITS))
        options = {"kinds": kinds, "size": limit_size}
        meter = stack.enter_context(start_child("limits", threads, options, "the limits"))
        meter.run(QUESTION)
        rates = []
        for turn in range(repeats):
            report(f"{views} views: turn {turn + 1} of {repeats}")
            rates.append(_turn(meter, QUESTION).outputs[0])
            for key, process in list(running.items()):
                try:
                    runs[key].append(_turn(process, example))
                except ProgramError as error:
                    problems[key] = f"failed: {_one_line(error)}"
                    del running[key]

    best = np.max(rates, axis=0)
    rows = tuple(
        Row(engine.key, engine.label, views, problems[engine.key])
        if engine.key in problems
        else _row(
            engine,
            views,
            formats[engine.key],
            sizes[engine.key],
            runs[engine.key],
            dict(zip(subject.outputs, errors[engine.key], strict=True)),
        )
        for engine in engines
    )
    limits = {name: float(rate) for name, rate in zip(LIMITS, best, strict=True) if rate > 0}
    return Comparison(views, subject.flops(views), limits, rows)


def _turn(process: RunningProcess, example: np.ndarray) -> Run:
    time.sleep(PAUSE)
    return process.run(example)


def _row(
    engine: Engine, views: int, limit: str, size: int, runs: list[Run], errors: dict[str, float]
) -> Row:
    return Row(
        engine.key,
        engine.label,
        views,
        limit=limit,
        file_bytes=size,
        seconds=median(run.seconds for run in runs),
        cpu_seconds=median(run.cpu_seconds for run in runs),
        memory=max(run.memory for run in runs),
        all_seconds=tuple(run.seconds for run in runs),
        errors=errors,
    )


def _format(engine: Engine) -> str:
    """The number format whose limit a row is held against."""
    return default_precision() if engine.limit == "default" else engine.limit


def _one_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
