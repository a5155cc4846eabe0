"""`python -m app bench`: how fast, how large and how far off, as if a camera were there."""

import argparse
import math
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tqdm import tqdm

from app.arguments import add_fuse, add_loops, add_refine, add_windows, at_least, program
from app.bench.measurement import Measurement, Meter, loop_summary, memory_growth
from app.bench.played import PlayedSource
from app.capture import FrameSource, open_source
from app.capture.video import VideoSource
from app.engine import open_bundle
from app.errors import AppError
from app.files import json_bytes, write_file
from app.live import Beginning, LiveRun, latency_percentiles
from app.reconstruction import Keyframe
from app.reconstruction.truth import Accuracy, find_truth
from app.refinement.offline import refine_run

FOLDER_RATE = 30
"""Frames a second of images that have no times of their own."""

_PERCENTILES = ("p50", "p90", "p99")


def add_parser(commands: Any) -> None:
    """Add the command to the app's."""
    command = commands.add_parser(
        "bench",
        help="play a source as a camera and measure latency, memory and accuracy of models",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = command.add_argument
    add("source", metavar="SOURCE", help="video file, folder of images or session")
    add("--bundles", nargs="+", required=True, metavar="BUNDLE", help="one after the other")
    add(
        "--rate",
        type=at_least(1),
        help=f"frames a second; when not given, a video's own, and {FOLDER_RATE} for images",
    )
    add("--seconds", type=at_least(1), help="end after so long")
    add_windows(command)
    add_loops(command)
    add_fuse(command)
    add_refine(command)
    add(
        "--window",
        action="store_true",
        help="through the window, whose overlap is its own, and how long it keeps waiting",
    )
    add("--json", metavar="FILE", help="write all figures there too")


def run(arguments: argparse.Namespace, argv: Sequence[str]) -> None:
    """Run the command; AppError or OSError if it cannot be done."""
    results = [_measure(arguments, Path(bundle)) for bundle in arguments.bundles]
    for result in results:
        print("\n".join(_lines(result)), end="\n\n", flush=True)
    if arguments.json:
        report = {
            "command": [*program(), *argv],
            "version": version("pocket-vggt"),
            "source": arguments.source,
            "rate": arguments.rate,
            "window": arguments.window,
            "runs": [result.as_dict() for result in results],
        }
        write_file(Path(arguments.json), json_bytes(report))
        print(f"written    {Path(arguments.json).resolve()}")
    failed = next((result.failure for result in results if result.failure), None)
    if failed:
        raise AppError(failed)


def _measure(arguments: argparse.Namespace, path: Path) -> Measurement:
    result = Measurement(open_bundle(path))
    played: list[PlayedSource] = []

    def play(spec: str, warn: Callable[[str], None]) -> FrameSource:
        source = open_source(spec, warn)
        if source.is_live:
            source.close()
            raise AppError(f"{spec} is a camera: every run would see something else; take a file")
        own_times = isinstance(source, VideoSource) and arguments.rate is None
        rate = None if own_times else arguments.rate or FOLDER_RATE
        played.append(PlayedSource(source, rate, arguments.seconds))
        return played[-1]

    if arguments.window:
        from app.bench import window

        window.prepare()
        meter = Meter(result)
        newest = arguments.refine == "local"
        window.measure(arguments.source, path, play, meter, arguments.views, newest)
        keyframes = meter.keyframes
    else:
        keyframes = _run_without_window(arguments, path, play, result)
    if played:
        result.missed, result.decode = played[0].missed, played[0].decode
    if arguments.refine == "full" and keyframes:
        refined = refine_run(keyframes, arguments.source)
        result.refined = refined.document
        if truth := find_truth(arguments.source):
            result.refined_accuracy = truth.compare(refined.refinement.keyframes)
    return result


def _run_without_window(
    arguments: argparse.Namespace,
    path: Path,
    play: Callable[[str, Callable[[str], None]], FrameSource],
    result: Measurement,
) -> Sequence[Keyframe]:
    label = f"{result.bundle.name} {result.bundle.precision}"
    with tqdm(desc=label, unit=" frames", disable=None, leave=False, file=sys.stderr) as bar:

        class Shown(Meter):
            def began(self, beginning: Beginning) -> None:
                bar.reset(total=beginning.length)

            def frame_ready(self) -> None:
                super().frame_ready()
                bar.update(live.frames - bar.n)

        meter = Shown(result)
        live = LiveRun(
            arguments.source,
            [path],
            meter,
            views=arguments.views,
            overlap=arguments.overlap,
            threads=arguments.threads,
            fuse=arguments.fuse,
            loops=arguments.loops,
            refine_newest=arguments.refine == "local",
            open_source=play,
        )
        live.start()
        try:
            live.join()
        finally:
            live.abandon()
    result.frames, result.refused = live.frames, live.refused
    if live.engines:
        result.base_memory = live.engines[0].base_memory
    if live.refiner and meter.keyframes:
        result.refined = live.refiner.document(len(meter.keyframes))
    return meter.keyframes


def _lines(result: Measurement) -> list[str]:
    """The table for people."""
    bundle = result.bundle
    lines = [
        f"{bundle.name}, {bundle.precision}: {bundle.model_bytes / 1e6:.2f} MB",
        f"  frames     {result.frames} seen, {result.missed} missed, {result.keyframes} keyframes; "
        f"refused: {_refused(result)}",
        f"  speed      {result.views_per_second:.1f} views/s of the network alone",
        f"  {'seconds':<18}{'p50':>8}{'p90':>8}{'p99':>8}",
        _row("keyframe to points", latency_percentiles(result.latency)),
    ]
    lines += [_row(f"  {name}", values) for name, values in result.stage_percentiles().items()]
    sizes = [look.bytes / 2**20 for look in result.memory] or [math.nan]
    growth = memory_growth(result.memory)
    lines += [
        f"  memory     engine {result.peak_memory / 2**20:.0f} MiB at its peak; this process "
        f"{sizes[0]:.0f} to {sizes[-1]:.0f} MiB, at most {max(sizes):.0f}",
        f"    later    {growth.per_minute:+.1f} MB/min over the second half, "
        f"{growth.per_keyframe:+.2f} MB a keyframe, of which {result.keyframe_bytes / 1e6:.2f} are "
        "its picture, depth and confidence",
    ]
    if result.accuracy:
        lines.append(f"  accuracy   {_accuracy(result.accuracy)}")
    if refined := result.refined:
        lines.append(
            f"  refinement {refined['reason']}, {refined['seconds_per_keyframe']:.2f} s a keyframe"
        )
    if result.refined_accuracy:
        lines.append(f"    refined  {_accuracy(result.refined_accuracy)}")
    if result.loop:
        for name, turns in (
            ("event loop", result.loop),
            ("  its work", result.loop_work),
            ("an idle one", result.idle_loop),
        ):
            figures = ", ".join(
                f"{k} {1000 * v:.1f}" for k, v in (loop_summary(turns) or {}).items()
            )
            lines.append(f"  {name:<11} turn in ms: {figures}")
        held = [f"{100 * share:.0f} % {name}" for name, share in result.held_up_by.items()]
        lines += [f"    late in  {text}" for text in held[:6]]
    lines += [f"  warning    {text}" for text in result.warnings]
    return lines


def _accuracy(accuracy: Accuracy) -> str:
    depth = f"{accuracy.depth.abs_rel:.3f}" if accuracy.depth else "n/a"
    return (
        f"trajectory {accuracy.pose.ate_percent:.1f} %, rotation "
        f"{accuracy.pose.rotation_deg:.1f} deg, depth AbsRel {depth}"
    )


def _row(name: str, values: dict[str, float]) -> str:
    return f"  {name:<18}" + "".join(f"{values[key]:8.3f}" for key in _PERCENTILES)


def _refused(result: Measurement) -> str:
    return ", ".join(f"{count} {why}" for why, count in result.refused.most_common()) or "none"
