"""Methods against each other: calibrate, measure on held-out clips, and keep what is done.

A study is a grid of cells: method x integer grid x seed. Its folder has
    checkpoints/CELL   the packed checkpoint of every cell
    results.json       what was measured, by clip; written anew after every cell

A cell whose checkpoint and results are there already is not computed again. If what is evaluated on
changes, all is measured again; a checkpoint is made again only if what it depends on changed.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import signal
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from importlib.metadata import version
from multiprocessing import active_children, get_context, parent_process
from threading import Thread
from typing import Any

import numpy as np
import torch

from fgq.compare_cell import PERMUTED, Cell, CellResult, Progress, Study, measure_full, run_cell
from fgq.evaluate.clips import ClipSet
from fgq.evaluate.measure import SEED, load_network
from fgq.files import file_sha256, write_file
from fgq.fisher import TENSORS_NAME, block_names, load_fisher, share_intervals
from fgq.importance import check_fisher, load_fisher_of
from fgq.methods import METHODS
from fgq.quant import GRIDS, checkpoint_source, require_full_precision, weights_file

FORMAT = "pocket-vggt-comparison"
FORMAT_VERSION = 1
RESULTS_NAME = "results.json"
WITHOUT_DATA = ("rtn",)  # every seed would give the same
DIGITS = 6  # significant ones of a number in results.json


def study_cells(methods: Sequence[str], grids: Sequence[str], seeds: Sequence[int]) -> list[Cell]:
    """Every cell once, all of the first seed before those of the next.

    ValueError for a method or grid that does not exist, or a control without weights to permute.
    """
    weighted = [name for name, (_, options) in METHODS.items() if options.weighting != "none"]
    known = [*METHODS, *(name + PERMUTED for name in weighted)]
    for kind, names, choices in (("method", methods, known), ("grid", grids, list(GRIDS))):
        if unknown := [name for name in names if name not in choices]:
            raise ValueError(f"{kind} {unknown[0]!r} is none of {', '.join(choices)}")
    cells = [
        Cell(method, grid, seed)
        for seed in seeds
        for grid in grids
        for method in methods
        if method not in WITHOUT_DATA or seed == seeds[0]
    ]
    return list(dict.fromkeys(cells))


def check_study(study: Study) -> None:
    """Find what would fail hours later. Raises ValueError, DataError and CheckpointError."""
    sets = [chosen.name for chosen in study.clip_sets()]
    if not sets:
        raise ValueError("nothing to evaluate on: give --synthetic DIR or --sequence FOLDER")
    if len(set(sets)) < len(sets):
        raise ValueError(f"two held-out sets have one name: {', '.join(sets)}")
    if min(study.clips, study.eval_clips, study.block_clips) < 1:
        raise ValueError("at least one clip is needed to calibrate, to evaluate and for blocks")
    held_out = [*study.sequences, *([study.synthetic] if study.synthetic else [])]
    if study.data.resolve() in [folder.resolve() for folder in held_out]:
        raise ValueError(f"{study.data} is both calibrated and evaluated on: hold one of them out")
    require_full_precision(study.checkpoint)
    check_fisher(load_fisher_of(study.checkpoint, study.fisher), load_network(study.checkpoint))


def run_study(
    study: Study,
    cells: Sequence[Cell],
    command: str,
    processes: int = 1,
    progress: Progress = lambda name, done, loss: None,
    finished: Callable[[Cell, CellResult], None] = lambda cell, result: None,
) -> dict[str, Any]:
    """Compute the cells that are missing and return the content of results.json.

    command: how the study was started, to be kept. progress is told of blocks in calibration if
    there is one process; finished of every cell. A cell that fails has an "error" and is tried
    again the next time.
    """
    study.out.mkdir(parents=True, exist_ok=True)
    results = _open_results(study, command)
    if "full" not in results:
        results["full"] = _short(measure_full(study))
    _write_results(study, results)
    with closing(_outcomes(study, cells, results["cells"], processes, progress)) as outcomes:
        for cell, result in outcomes:
            if result is not None:
                results["cells"][cell.name] = _short(result)
                _write_results(study, results)
            finished(cell, results["cells"][cell.name])
    return results


def _outcomes(
    study: Study,
    cells: Sequence[Cell],
    done: dict[str, CellResult],
    processes: int,
    progress: Progress,
) -> Generator[tuple[Cell, CellResult | None], None, None]:
    known = {cell: done.get(cell.name, {}).get("sha256") for cell in cells}
    if processes == 1:
        for cell in cells:
            yield cell, run_cell(study, cell, known[cell], progress)
        return
    os.environ["TQDM_DISABLE"] = "1"  # in the processes: their bars would overwrite each other
    with ProcessPoolExecutor(processes, get_context("spawn"), _start_process) as pool:
        futures = {pool.submit(run_cell, study, cell, known[cell]): cell for cell in cells}
        try:
            for future in as_completed(futures):
                yield futures[future], future.result()
        except BrokenProcessPool:
            reason = "a process was ended from outside, likely for want of memory"
            raise ValueError(f"{reason}: --processes 1 takes less") from None
        except BaseException:
            # A cell may take an hour; blocks that are done are kept and nothing is half-written.
            pool.shutdown(wait=False, cancel_futures=True)
            for process in active_children():
                process.terminate()
            raise


def _start_process() -> None:
    """One thread to compute; an interruption is for the parent to deal with, its end is ours."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    torch.set_num_threads(1)
    Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _open_results(study: Study, command: str) -> dict[str, Any]:
    """What is there already, if it is of the same network and measured in the same way."""
    weights = weights_file(study.checkpoint)
    results: dict[str, Any] = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "commands": [command],
        "created_with": {
            "python": platform.python_version(),
            "machine": platform.machine(),
            **{name: version(name) for name in ("pocket-vggt", "torch", "numpy")},
        },
        "checkpoint": {**checkpoint_source(study.checkpoint), "bytes": weights.stat().st_size},
        "evaluation": {
            "sets": [_describe(chosen) for chosen in study.clip_sets()],
            "block_clips": study.block_clips,
            "points": study.points,
            "seed": SEED,
        },
        "fisher": _describe_fisher(study),
        "cells": {},
    }
    path = study.out / RESULTS_NAME
    if not path.exists():
        return results
    old = load_results(path)
    same = all(old[key] == results[key] for key in ("checkpoint", "evaluation", "fisher"))
    if not same:
        return results
    results["commands"] = [*(c for c in old["commands"] if c != command), command]
    return results | {key: old[key] for key in ("full", "cells") if key in old}


def load_results(path: os.PathLike[str]) -> dict[str, Any]:
    """The content of a results.json. Raises ValueError if it cannot be read or is not ours."""
    try:
        with open(path) as file:
            results = json.load(file)
        if (results["format"], results["format_version"]) != (FORMAT, FORMAT_VERSION):
            raise ValueError("another format or version")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is not the result of a comparison: {error}") from None
    return dict(results)


def _write_results(study: Study, results: dict[str, Any]) -> None:
    text = json.dumps(results, allow_nan=False, separators=(",", ":"))
    write_file(study.out / RESULTS_NAME, text.encode())


def _describe(chosen: ClipSet) -> dict[str, Any]:
    """Of a held-out set, with a hash of its images and its truth."""
    digest = hashlib.sha256()
    for index in range(chosen.count):
        clip = chosen.load(index)
        digest.update(clip.name.encode())
        for x in (clip.images, clip.extrinsic, clip.intrinsic, clip.depth):
            digest.update(b"" if x is None else x.contiguous().numpy().tobytes())
    return {
        "name": chosen.name,
        "unit": chosen.unit,
        "clips": chosen.count,
        "views": chosen.views,
        "size": list(chosen.load(0).size),
        "sha256": digest.hexdigest(),
    }


def _describe_fisher(study: Study) -> dict[str, Any]:
    """Of the Fisher information: energies [T, L, G], summed over channels, and the interval over
    clips of each block's share [T, L] of the energy of its task."""
    fisher = load_fisher(study.fisher)
    manifest = fisher.manifest
    low, high = share_intervals(fisher.per_clip, SEED)
    return {
        "sha256": file_sha256(study.fisher / TENSORS_NAME),
        "estimator": manifest.get("estimator"),
        "probes": manifest.get("probes"),
        "clips": len(fisher.per_clip),
        "blocks": block_names(fisher.blocks.shape[1] // 2),
        "tokens": fisher.tokens.tolist(),
        "energy": _short(fisher.blocks.double().sum(-1).tolist()),
        "share_low": _short(low.tolist()),
        "share_high": _short(high.tolist()),
    }


def _short(value: Any) -> Any:
    """Numbers with fewer digits, anywhere in lists and dictionaries: a third of the file."""
    if isinstance(value, dict):
        return {key: _short(x) for key, x in value.items()}
    if isinstance(value, list):
        return [_short(x) for x in value]
    return float(f"{value:.{DIGITS}g}") if isinstance(value, float | np.floating) else value
