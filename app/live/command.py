"""`python -m app reconstruct`: a source to cameras, depth and a point cloud."""

import argparse
import math
import shlex
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from time import perf_counter
from typing import Any

from app.arguments import (
    CAMERA_KEYFRAMES,
    add_choice,
    add_loops,
    add_selection,
    add_windows,
    program,
)
from app.engine import Bundle
from app.errors import AppError
from app.export import write_reconstruction
from app.export.command import SUMMARY, selected
from app.files import check_output, json_bytes, new_folder, write_file
from app.live.events import Beginning, Growth
from app.live.run import LiveRun
from app.live.terminal import TerminalFollower
from app.reconstruction import Keyframe, WindowUpdate
from app.reconstruction.truth import Accuracy


def add_parser(commands: Any) -> argparse.ArgumentParser:
    """Add the command to the app's; returns its parser, for commands with the same options."""
    command = commands.add_parser(
        "reconstruct",
        help="cameras, depth and a point cloud from a video, images or a camera",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = command.add_argument
    add("source", metavar="SOURCE", help="video file, folder of images, camera or session")
    add("--bundle", required=True, help="model bundle, a folder or zip")
    add("--out", required=True, help="folder to write; an earlier reconstruction is replaced")
    add_windows(command)
    add_choice(command)
    add_loops(command)
    add("--record", metavar="DIR", help="also keep what was captured, as a session in this folder")
    add_selection(command)
    return command


def run(arguments: argparse.Namespace, argv: Sequence[str]) -> None:
    """Run the command; AppError or OSError if it cannot be done.

    Of a file, a fault or Ctrl-C leaves nothing behind: it can be read again. What a camera gave
    cannot be had again, so it is written whatever ended it; Ctrl-C is its ordinary end.
    """
    out = Path(arguments.out).resolve()
    check_output(out, SUMMARY, "a reconstruction")
    command = shlex.join([*program(), *argv])
    window_only = ("command", "screenshot", "no_settings")
    settings = {name: value for name, value in vars(arguments).items() if name not in window_only}
    follower = _Follower()
    with new_folder(out) as folder:
        live = LiveRun(
            arguments.source,
            [Path(arguments.bundle)],
            follower,
            views=arguments.views,
            overlap=arguments.overlap,
            every=arguments.every,
            threads=arguments.threads,
            fuse=0.0,  # The points are made once, at the end.
            loops=arguments.loops,
            record_to=Path(arguments.record) if arguments.record else None,
            limit=arguments.max_keyframes,
            camera_limit=CAMERA_KEYFRAMES,
        )
        follower.follow(live)
        follower.counts.frames = live.frames
        if not follower.keyframes:
            if follower.failure:
                raise follower.failure
            raise AppError(f"{arguments.source} has no usable frame: all too dark or too bright")
        if follower.failure and not follower.is_live:
            raise follower.failure
        engine, keyframes = live.engines[0], follower.keyframes
        memory = _Memory(engine.peak_memory, engine.base_memory)
        selection = selected(arguments, keyframes, f"made by: {command}")
        points = write_reconstruction(folder, selection)
        bundle, counts, accuracy = engine.bundle, follower.counts, follower.accuracy
        summary = {
            "command": command,
            "version": version("pocket-vggt"),
            "settings": settings,
            "model": {
                "name": bundle.name,
                "precision": bundle.precision,
                "bytes": bundle.model_bytes,
                "sha256": bundle.sha256,
                "size": bundle.size,
            },
            "keyframes": len(keyframes),
            "points": points,
            "run": asdict(counts),
            "refused": dict(live.refused),
            "views_per_second": counts.views / counts.seconds_inference,
            "memory_bytes": asdict(memory),
            "accuracy": asdict(accuracy) if accuracy else None,
            "ended_by": str(follower.failure) if follower.failure else None,
        }
        write_file(folder / SUMMARY, json_bytes(summary))
    _print_summary(counts, len(keyframes), points, bundle, memory, accuracy)
    print(f"written    {out}")
    if follower.failure:
        raise AppError(f"{follower.failure}; what came before is in {out}")


@dataclass
class _Counts:
    """Counts and times of one reconstruction."""

    frames: int = 0
    windows: int = 0
    views: int = 0
    seconds_inference: float = 0.0
    seconds_align: float = 0.0
    seconds_total: float = 0.0

    def count(self, update: WindowUpdate) -> None:
        self.windows += update.windows
        self.views += update.views
        self.seconds_inference += update.seconds_inference
        self.seconds_align += update.seconds_align


@dataclass(frozen=True)
class _Memory:
    """Resident bytes of the runtime's process: at its peak, and before the model was loaded."""

    peak: int
    base: int


class _Follower(TerminalFollower):
    """Keeps what a run brought."""

    def __init__(self) -> None:
        super().__init__()
        self.counts = _Counts()
        self.keyframes: list[Keyframe] = []
        self.accuracy: Accuracy | None = None
        self._started = perf_counter()

    def began(self, beginning: Beginning) -> None:
        super().began(beginning)
        self._started = perf_counter()

    def grown(self, growth: Growth) -> None:
        super().grown(growth)
        self.keyframes = growth.keyframes
        self.counts.count(growth.update)
        self.counts.seconds_total = perf_counter() - self._started

    def assessed(self, lane: int, accuracy: Accuracy) -> None:
        self.accuracy = accuracy


def _print_summary(
    counts: _Counts,
    keyframes: int,
    points: int,
    bundle: Bundle,
    memory: _Memory,
    accuracy: Accuracy | None,
) -> None:
    print(
        f"summary    {counts.views / counts.seconds_inference:.2f} views/s, peak memory "
        f"{memory.peak / 2**20:.0f} MiB ({memory.base / 2**20:.0f} before the model), "
        f"model {bundle.model_bytes / 1e6:.2f} MB ({bundle.name}, {bundle.precision})"
    )
    print(
        f"scene      {keyframes} keyframes of {counts.frames} frames in {counts.windows} windows, "
        f"{points} points, {counts.seconds_total:.1f} s"
    )
    if accuracy is None:
        return
    pose = accuracy.pose
    print(
        f"pose error rotation {_number(pose.rotation_deg)} deg, translation direction "
        f"{_number(pose.translation_deg)} deg (medians over all pairs), trajectory "
        f"{_number(pose.ate_percent)} % of its length after Sim(3)"
    )
    if accuracy.depth:
        print(
            f"depth      AbsRel {accuracy.depth.abs_rel:.3f}, within 1.25: "
            f"{100 * accuracy.depth.inliers:.1f} % (one scale for the sequence)"
        )


def _number(value: float) -> str:
    return "n/a" if math.isnan(value) else f"{value:.1f}"
