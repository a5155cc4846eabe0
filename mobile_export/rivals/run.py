"""The whole benchmark of rivals, as the command line runs it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from fgq.files import write_file
from mobile_export.profile import profile_program
from mobile_export.rivals.engines import Engine, chosen_engines, write_files
from mobile_export.rivals.executorch_files import METHOD
from mobile_export.rivals.measure import compare
from mobile_export.rivals.subject import Subject, blocks_subject, checkpoint_subject
from mobile_export.rivals.table import format_table, to_json

BLOCKS = "blocks"
HEADS = ("camera", "depth")


def run_rivals(
    what: str,
    *,
    view_counts: Sequence[int] | None,
    size: tuple[int, int],
    threads: int,
    repeats: int,
    keys: Sequence[str] | None,
    out: Path | None,
    profile: Path | None,
    command: str,
    report: Callable[[str], None],
) -> str:
    """Measure a checkpoint with its camera and depth heads, or BLOCKS; return the tables.

    keys: of the engines (default: all). `out` gets JSON; `profile` is a folder for what the
    profiler finds in our programs. Raises CheckpointError or ValueError for what cannot be
    measured, OSError if a result cannot be written.
    """
    engines = chosen_engines(keys)
    torch.set_num_threads(threads)
    if what == BLOCKS:
        subject = blocks_subject(size)
    else:
        subject = checkpoint_subject(Path(what), size, HEADS)
    wanted = view_counts or ([4] if what == BLOCKS else [1, 4])
    found = [compare(subject, engines, views, threads, repeats, report) for views in wanted]
    text = format_table(subject, found, threads, repeats)
    if out is not None:
        write_file(out, to_json(subject, found, threads, repeats, command).encode())
    if profile is not None:
        for views in wanted:
            tables = profile_ours(subject, engines, views, threads, repeats, profile, report)
            text = "\n\n".join([text, *tables])
    return text


def profile_ours(
    subject: Subject,
    engines: Sequence[Engine],
    views: int,
    threads: int,
    repeats: int,
    out: Path,
    report: Callable[[str], None] = lambda _: None,
) -> list[str]:
    """Profile our programs among the engines into a folder, with their ETRecords: the tables."""
    out.mkdir(parents=True, exist_ok=True)
    tables = []
    for engine in engines:
        if engine.library != "executorch":
            continue
        report(f"{views} views: profiling {engine.label}")
        name = f"{subject.name}-{Path(engine.file).stem}-s{views}"
        record = out / f"{name}.etrecord"
        with tempfile.TemporaryDirectory(prefix="rivals-") as folder:
            program = write_files(engine, subject, views, Path(folder), record)
            program = program.rename(program.with_name(f"{name}.pte"))
            example = subject.example(views)
            tables.append(profile_program(program, METHOD, example, threads, repeats, out, record))
    return tables
