"""`python -m fgq calibrate CHECKPOINT --data FOLDER --out FOLDER --method fgq`."""

from __future__ import annotations

import argparse
import json
import shutil
import time
from collections.abc import Sequence
from dataclasses import asdict, fields, replace
from pathlib import Path
from statistics import median
from typing import Any

import torch
from tqdm import tqdm

from fgq.arguments import parse_device, parse_size
from fgq.calibrate import Calibration, calibrated_blocks
from fgq.data.calibration import CalibrationClip, load_calibration_clips
from fgq.files import file_sha256, require_replaceable, write_file
from fgq.fisher import TENSORS_NAME
from fgq.importance import load_fisher_of
from fgq.methods import METHODS, TRANSFORMS, MethodOptions
from fgq.quant import (
    GRIDS,
    Scope,
    checkpoint_source,
    require_full_precision,
    save_packed,
    weights_file,
)
from fgq.quant.packed import RECIPE_NAME
from fgq.vggt import load_checkpoint

JOB_NAME = "job.json"
BAR = "{l_bar}{bar}| {elapsed}<{remaining}{postfix}"
OPTION_HELP = {
    "inputs": "what a block sees: outputs of the full or of the quantized blocks before it",
    "weighting": "weights of the error: none, Fisher of channels, or of token groups and channels",
    "rounding": "of the weights at the end",
    "transform": "of fgq: kronecker (as published), foldable (nothing left at run time), none",
    "epochs": "over all clips, for methods that learn",
    "batch": "clips a step",
    "lr": "learning rate of transformations",
    "clip_lr": "learning rate of clips",
}
CHOICES = {
    "inputs": ("full", "quantized"),
    "weighting": ("none", "channels", "tokens"),
    "rounding": ("nearest", "gptq"),
    "transform": TRANSFORMS,
}


def add_calibrate_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("checkpoint", type=Path, help="folder, .safetensors or .pt file")
    parser.add_argument("--data", type=Path, required=True, help="shards, posed folder or images")
    parser.add_argument("--out", type=Path, required=True, help="folder for the checkpoint")
    parser.add_argument("--method", choices=METHODS, default="fgq")
    parser.add_argument("--grid", choices=GRIDS, default="8da4w-g32")
    parser.add_argument(
        "--scope",
        choices=("aggregator", "all"),
        default="all",
        help="the frame and global blocks only, as the paper does, or every linear",
    )
    parser.add_argument("--fisher", type=Path, help="folder that `fgq fisher` wrote")
    parser.add_argument("--plan", type=Path, help="bits by linear, from `fgq allocate`")
    parser.add_argument("--clips", type=int, default=64, help="calibration clips")
    parser.add_argument("--views", type=int, default=4, help="views a clip")
    parser.add_argument("--size", default="168x224", help="HxW in pixels, multiples of 14")
    parser.add_argument("--seed", type=int, default=0, help="of clips and transformations")
    parser.add_argument("--device", default="cpu", help="cpu, cuda ...")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument(
        "--permuted", action="store_true", help="a control: weights in random order in each block"
    )
    parser.add_argument(
        "--first",
        type=int,
        help="only this many blocks: print what each costs, the whole extrapolated; write nothing",
    )
    for field in fields(MethodOptions):
        if field.name in OPTION_HELP:
            kind: Any = {"epochs": int, "batch": int, "lr": float, "clip_lr": float}
            parser.add_argument(
                f"--{field.name.replace('_', '-')}",
                type=kind.get(field.name, str),
                choices=CHOICES.get(field.name),
                help=f"{OPTION_HELP[field.name]} (default: as the method has it)",
            )


def run_calibrate(args: argparse.Namespace) -> None:
    """Calibrate, save and print losses and sizes. A run that was interrupted goes on where it
    stopped when it is started again with the same arguments."""
    require_full_precision(args.checkpoint)
    size, device = parse_size(args.size), parse_device(args.device)
    if device.type == "mps":
        raise ValueError("calibration computes in float64, which mps has not: take cpu or cuda")
    if args.threads < 1 or (args.first is not None and args.first < 1):
        raise ValueError("--threads and --first must be 1 or more")
    torch.set_num_threads(args.threads)
    given = {n: getattr(args, n) for n in OPTION_HELP if getattr(args, n) is not None}
    options = replace(
        METHODS[args.method][1],
        grid=GRIDS[args.grid],
        seed=args.seed,
        permuted=args.permuted,
        plan={} if args.plan is None else _read_plan(args.plan),
        **given,
    )
    require_replaceable(args.out, RECIPE_NAME)
    weighted = options.weighting != "none"
    if weighted and args.fisher is None:
        raise ValueError(
            f"{args.method} weighs errors by Fisher information: make it with"
            f" `python -m fgq fisher {args.checkpoint} --data {args.data} --out FOLDER` and"
            " give it as --fisher, or choose --weighting none"
        )
    clips = load_calibration_clips(args.data, args.clips, args.views, size, args.seed)
    model = load_checkpoint(args.checkpoint, device)
    fisher = load_fisher_of(args.checkpoint, args.fisher) if weighted else None
    calibration = Calibration(
        model, args.method, options, clips, fisher, args.scope, first=args.first
    )
    used = args.fisher if weighted else None
    job = calibration_job(args.checkpoint, args.method, options, args.scope, clips, used)
    if args.first is None:
        calibration.work = open_work(args.out, job)
    names = calibrated_blocks(model, args.scope)
    started = time.monotonic()
    finished: list[float] = []
    with tqdm(total=len(names), bar_format=BAR) as bar:

        def progress(name: str, done: float, loss: float) -> None:
            bar.n = names.index(name) + done
            bar.set_postfix_str(f"{name} loss {loss:.3g}")
            if done == 1:
                finished.append(time.monotonic())

        calibration.progress = progress
        calibration.run()
    if calibration.work is None:
        print_costs(names, started, finished)
        return
    save_packed(model, args.out, {**job, "losses": calibration.losses}, args.scope)
    shutil.rmtree(calibration.work)
    full, packed = (weights_file(path).stat().st_size for path in (args.checkpoint, args.out))
    print(
        f"{args.out}: {args.method} on {args.grid} in {time.monotonic() - started:.0f} s, summed"
        f" block loss {sum(calibration.losses.values()):.4g}, {packed / 1e6:.2f} MB (the"
        f" full-precision file has {full / 1e6:.2f} MB)"
    )


def print_costs(names: Sequence[str], started: float, finished: Sequence[float]) -> None:
    """Seconds of the blocks that were calibrated, what all would take, and the peak memory."""
    seconds = [end - start for start, end in zip([started, *finished], finished, strict=False)]
    for name, cost in zip(names, seconds, strict=False):
        print(f"{name}: {cost:.0f} s")
    # The first one includes the embedding of all clips.
    typical = median(seconds[1:] or seconds)
    print(f"{len(names)} blocks would take about {typical * len(names) / 60:.0f} minutes")
    import resource  # not on Windows

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(f"peak memory {peak / 2**20:.1f} GiB")


def _read_plan(path: Path) -> dict[str, int]:
    try:
        plan = json.loads(path.read_text())
        if not isinstance(plan, dict) or not set(plan.values()) <= {4, 8, 16}:
            raise ValueError("bits are 4, 8 or 16")
    except (OSError, ValueError, TypeError) as error:
        raise ValueError(f"{path} is not a plan of bits by linear ({error})") from None
    return plan


def calibration_job(
    checkpoint: Path,
    method: str,
    options: MethodOptions,
    scope: Scope,
    clips: Sequence[CalibrationClip],
    fisher: Path | None,
) -> dict[str, Any]:
    """All that the result depends on; fisher is the folder, if it is used."""
    return {
        "method": method,
        "options": asdict(options),
        "scope": scope,
        "source": checkpoint_source(checkpoint),
        "fisher": None if fisher is None else file_sha256(fisher / TENSORS_NAME),
        "clips": [{"name": clip.name, "sha256": clip.sha256} for clip in clips],
        "created_with": {"torch": torch.__version__, "threads": torch.get_num_threads()},
    }


def open_work(out: Path, job: dict[str, Any]) -> Path:
    """The folder of finished blocks beside `out`; those of another job are thrown away."""
    work = out.with_name(f".{out.name}.calibration")
    path = work / JOB_NAME
    text = json.dumps(job, indent=1)
    if not path.is_file() or path.read_text() != text:
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
        write_file(path, text.encode())
    return work
