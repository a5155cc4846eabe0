"""`python -m fgq compare CHECKPOINT --data FOLDER --fisher FOLDER --out FOLDER`: methods, grids and
seeds on the same held-out clips."""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path

import numpy as np
from tqdm import tqdm

from fgq.arguments import parse_size
from fgq.compare import RESULTS_NAME, check_study, run_study, study_cells
from fgq.compare_cell import Cell, CellResult, Study
from fgq.evaluate.blocks import log_correlation
from fgq.fisher import TASKS
from fgq.methods import METHODS

BAR = "{l_bar}{bar}| {n_fmt}/{total_fmt} cells {elapsed}<{remaining}{postfix}"


def add_compare_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("checkpoint", type=Path, help="full-precision checkpoint")
    parser.add_argument("--data", type=Path, required=True, help="what to calibrate on")
    parser.add_argument("--fisher", type=Path, required=True, help="folder that `fgq fisher` wrote")
    parser.add_argument("--out", type=Path, required=True, help="folder for all results")
    parser.add_argument(
        "--methods",
        default=",".join(METHODS),
        help="with commas between; NAME-permuted is a control with Fisher weights in random order",
    )
    parser.add_argument("--grids", default="8da4w-g32", help="with commas between")
    parser.add_argument("--seeds", default="0", help="of clips and transformations, with commas")
    parser.add_argument("--synthetic", type=Path, help="shards of held-out seeds to evaluate on")
    parser.add_argument(
        "--sequence", type=Path, action="append", default=[], help="posed folder to evaluate on"
    )
    parser.add_argument("--clips", type=int, default=64, help="calibration clips")
    parser.add_argument("--views", type=int, default=4, help="views a clip")
    parser.add_argument("--size", default="168x224", help="HxW in pixels, multiples of 14")
    parser.add_argument("--epochs", type=int, help="of methods that learn (default: their own)")
    parser.add_argument("--scope", choices=("aggregator", "all"), default="aggregator")
    parser.add_argument("--eval-clips", type=int, default=24, help="clips of each held-out set")
    parser.add_argument(
        "--block-clips", type=int, default=8, help="clips that single blocks are measured on"
    )
    parser.add_argument(
        "--no-points", action="store_true", help="leave out the point clouds, the slowest part"
    )
    parser.add_argument(
        "--processes", type=int, default=1, help="cells at a time; more than one: a thread each"
    )


def run_compare(args: argparse.Namespace) -> None:
    """Compute what is missing, with a line for each cell; ValueError at the end if one failed."""
    study = Study(
        checkpoint=args.checkpoint,
        data=args.data,
        fisher=args.fisher,
        out=args.out,
        synthetic=args.synthetic,
        sequences=tuple(args.sequence),
        views=args.views,
        size=parse_size(args.size),
        clips=args.clips,
        epochs=args.epochs,
        scope=args.scope,
        eval_clips=args.eval_clips,
        block_clips=args.block_clips,
        points=not args.no_points,
    )
    seeds = _parse_seeds(args.seeds)
    cells = study_cells(args.methods.split(","), args.grids.split(","), seeds)
    if args.processes < 1:
        raise ValueError(f"--processes {args.processes}: at least one is needed")
    check_study(study)
    command = shlex.join(["python", "-m", "fgq", *sys.argv[1:]])
    with tqdm(total=len(cells), bar_format=BAR) as bar:

        def progress(name: str, done: float, loss: float) -> None:
            bar.set_postfix_str(f"{name} {done:.0%}")

        def finished(cell: Cell, result: CellResult) -> None:
            bar.write(cell_line(cell, result))
            bar.update()

        results = run_study(study, cells, command, args.processes, progress, finished)
    print(f"{args.out / RESULTS_NAME}: saved; `python -m fgq report {args.out}` shows it")
    errors = [c.name for c in cells if "error" in results["cells"][c.name]]
    if errors:
        raise ValueError(
            f"{len(errors)} of {len(cells)} cells failed, the first was {errors[0]}:"
            f" {results['cells'][errors[0]]['error']}"
        )


def _parse_seeds(text: str) -> list[int]:
    numbers = text.split(",")
    if not all(number.isdecimal() for number in numbers):
        raise ValueError(f"--seeds {text}: numbers with commas between are needed")
    return [int(number) for number in numbers]


def cell_line(cell: Cell, result: CellResult) -> str:
    """Its distance from full precision on the first held-out set, and what it took."""
    if "error" in result:
        return f"{cell.name}: failed: {result['error']}"
    clips = next(iter(result["sets"].values()))
    rotation = np.mean([clip["pair_fidelity_rotation_deg"] for clip in clips])
    parts = [f"rotation {rotation:.3f}° from full precision"]
    if "fidelity_log_depth_rmse" in clips[0]:
        depth = np.mean([clip["fidelity_log_depth_rmse"] for clip in clips])
        parts.append(f"log depth {depth:.4f}")
    blocks = result["blocks"]
    parts.append(f"weighted block loss {sum(blocks['tokens']):.3g}")
    found = [
        log_correlation(*pair).pearson
        for pair in zip(blocks["predicted"], blocks["measured"], strict=True)
    ]
    shown = [f"{t} {r:.2f}" for t, r in zip(TASKS, found, strict=True) if r is not None]
    parts.append(f"Pearson of prediction {', '.join(shown) or 'unknown'}")
    seconds = ", ".join(f"{part} {s:.0f}" for part, s in result["seconds"].items())
    return f"{cell.name}: {', '.join(parts)}; {result['bytes'] / 1e6:.2f} MB; CPU s: {seconds}"
