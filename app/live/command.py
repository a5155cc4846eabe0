"""`python -m app reconstruct`: a source to cameras, depth and a point cloud."""

import argparse
import math
import shlex
from collections import Counter
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
    add_refine,
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
from app.reconstruction.truth import Accuracy, find_truth

REFINEMENT_PAGE = "refinement.html"


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
    add_refine(command)
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
            refine_newest=arguments.refine == "local",
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
        origin = [f"made by: {command}"]
        accuracy = follower.accuracy
        refinement: dict[str, Any] | None = None
        if arguments.refine == "full":
            keyframes, refinement = _refine(arguments, follower, folder, command)
            accuracy = _assess(arguments.source, keyframes) if accuracy else None
        elif live.refiner:
            refinement = live.refiner.document(len(keyframes))
        if refinement:
            origin.append(f"refinement: {refinement['reason']}")
        selection = selected(arguments, keyframes, *origin, refine=arguments.refine)
        points = write_reconstruction(folder, selection)
        bundle, counts = engine.bundle, follower.counts
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
            "refinement": refinement,
            "accuracy": asdict(accuracy) if accuracy else None,
            "ended_by": str(follower.failure) if follower.failure else None,
        }
        write_file(folder / SUMMARY, json_bytes(summary))
    _print_summary(counts, len(keyframes), points, bundle, memory)
    if arguments.refine == "full" and refinement:
        _print_accuracy(follower.accuracy, "network: ")
        _print_refinement(refinement)
        _print_accuracy(accuracy, "refined: ")
    else:
        if refinement:
            _print_cost(refinement)
        _print_accuracy(accuracy)
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


def _refine(
    arguments: argparse.Namespace, follower: _Follower, folder: Path, command: str
) -> tuple[list[Keyframe], dict[str, Any]]:
    """The keyframes of a run refined, and what that did, for the summary; a page of it is written
    into the folder."""
    # Only here: they import this package.
    from app.compare.report_refinement import refinement_page
    from app.refinement.offline import refine_run

    can_be_read = arguments.record or (None if follower.is_live else arguments.source)
    refined = refine_run(follower.keyframes, can_be_read)
    page = refinement_page(refined.refinement, refined.seconds, arguments.source, command)
    write_file(folder / REFINEMENT_PAGE, page.encode())
    network = {"accuracy_network": asdict(follower.accuracy) if follower.accuracy else None}
    return refined.refinement.keyframes, refined.document | network


def _assess(source: str, keyframes: Sequence[Keyframe]) -> Accuracy | None:
    truth = find_truth(source)
    return truth.compare(keyframes) if truth else None


def _print_summary(
    counts: _Counts,
    keyframes: int,
    points: int,
    bundle: Bundle,
    memory: _Memory,
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


def _print_cost(refinement: dict[str, Any]) -> None:
    print(
        f"refinement {refinement['reason']}, {refinement['seconds_per_keyframe']:.2f} s a keyframe"
    )


def _print_refinement(refinement: dict[str, Any]) -> None:
    _print_cost(refinement)
    before, after = refinement["error_before"], refinement["error_after"]
    if not math.isnan(after):
        print(
            f"           matches set apart: {_number(before)} px off before, {_number(after)} px "
            f"after; depth of {refinement['depth_changed']} keyframes moved"
        )
    if refinement["share_changed"]:
        frames = [frame for frame in refinement["frames"] if not frame["changed"]]
        for reason, count in Counter(frame["reason"].split(":")[0] for frame in frames).items():
            print(f"           {count} keep the network's camera: {reason}")


def _print_accuracy(accuracy: Accuracy | None, whose: str = "") -> None:
    if accuracy is None:
        return
    pose = accuracy.pose
    print(
        f"pose error {whose}rotation {_number(pose.rotation_deg)} deg, translation direction "
        f"{_number(pose.translation_deg)} deg (medians over all pairs), trajectory "
        f"{_number(pose.ate_percent)} % of its length after Sim(3)"
    )
    if accuracy.depth:
        print(
            f"depth      {whose}AbsRel {accuracy.depth.abs_rel:.3f}, within 1.25: "
            f"{100 * accuracy.depth.inliers:.1f} % (one scale for the sequence)"
        )


def _number(value: float) -> str:
    return "n/a" if math.isnan(value) else f"{value:.1f}"
