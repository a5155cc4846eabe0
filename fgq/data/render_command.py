"""`python -m fgq render` (scenes to shards) and `python -m fgq render-demo` (the demo clip)."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from fgq.data.shards import write_shards

DEMO_SEED = 15_000_054  # held out; its room was chosen by eye


def image_size(text: str) -> tuple[int, int]:
    """'168x224' -> (168, 224): height, then width."""
    match = re.fullmatch(r"(\d+)x(\d+)", text)
    if not match or min(int(side) for side in match.groups()) < 28:
        raise argparse.ArgumentTypeError(
            f"'{text}' is not a size; write HEIGHTxWIDTH, e.g. 168x224"
        )
    return int(match[1]), int(match[2])


def positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is not a positive whole number")
    return int(text)


def add_render_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", type=Path, required=True, help="folder of the shards")
    parser.add_argument("--scenes", type=positive, default=1000, help="number of scenes")
    parser.add_argument(
        "--seed",
        type=int,
        default=0,
        help="seed of the first scene; 10000000 and above is held out from training",
    )
    parser.add_argument("--views", type=positive, default=8, help="views of a scene")
    parser.add_argument("--size", type=image_size, default=(168, 224), help="HEIGHTxWIDTH")
    parser.add_argument("--processes", type=positive, default=1, help="worker processes")


def run_render(args: argparse.Namespace) -> None:
    """Raises DataError for what the user can put right."""
    seeds = range(args.seed, args.seed + args.scenes)
    write_shards(args.out, seeds, args.views, args.size, args.processes)


def add_render_demo_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", type=Path, required=True, help="folder, such as assets/demo")
    parser.add_argument("--seed", type=int, default=DEMO_SEED, help="seed of the room")


def run_render_demo(args: argparse.Namespace) -> None:
    """Twelve seconds of video with cameras, and depth of every third frame. Raises DataError."""
    from fgq.data.demo import render_demo, write_demo

    clip = render_demo(args.seed, frames=180, size=(336, 448))
    write_demo(clip, args.out, args.seed, fps=15, depth_size=(84, 112), every=3)
