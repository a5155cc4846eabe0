"""Command line of the app: `reconstruct`, `export`, or the window without a command."""

import argparse
import json
import math
import shlex
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tqdm import tqdm

from app.arguments import Parser, add_selection, at_least
from app.capture import FrameSource, KeyframeSelector, default_selector, open_source
from app.compare import command as compare_command
from app.engine import Bundle, Engine, open_bundle
from app.errors import AppError
from app.export import command as export_command
from app.export import write_reconstruction
from app.export.command import SUMMARY, selected
from app.files import new_folder, write_file
from app.reconstruction import Reconstructor, WindowUpdate
from app.reconstruction.truth import Accuracy, find_truth

BAD_INPUT = 2
INTERRUPTED = 130

# A camera never ends by itself.
_CAMERA_KEYFRAMES = 60


def main(argv: Sequence[str] | None = None) -> int:
    """Run the app; returns the exit status: 0, 2 for bad input, 130 after Ctrl-C.

    Without a command, or with options only, it opens the window.
    """
    argv = sys.argv[1:] if argv is None else list(argv)
    try:
        arguments = _parser().parse_args(argv)
        if arguments.command == "reconstruct":
            _reconstruct(arguments, argv)
            return 0
        if arguments.command == "export":
            export_command.run(arguments, argv)
            return 0
        if arguments.command == "compare":
            compare_command.run(arguments, argv)
            return 0
        from app.ui.main_window import run

        return run(arguments.source, arguments.bundle, arguments.screenshot)
    except AppError as error:
        return _fail(str(error))
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        return _fail(f"{place}{error.strerror or error}")
    except KeyboardInterrupt:
        print("interrupted: nothing was written", file=sys.stderr)
        return INTERRUPTED


@dataclass
class _Run:
    """Counts and times of one reconstruction."""

    frames: int = 0
    windows: int = 0
    views: int = 0
    seconds_inference: float = 0.0
    seconds_align: float = 0.0
    seconds_total: float = 0.0

    def count(self, update: WindowUpdate | None) -> None:
        if update:
            self.windows += update.windows
            self.views += update.views
            self.seconds_inference += update.seconds_inference
            self.seconds_align += update.seconds_align


@dataclass(frozen=True)
class _Memory:
    """Resident bytes of the runtime's process: at its peak, and before the model was loaded."""

    peak: int
    base: int


def _reconstruct(arguments: argparse.Namespace, argv: Sequence[str]) -> None:
    out = Path(arguments.out).resolve()
    _check_output(out)
    bundle = open_bundle(arguments.bundle)
    truth = find_truth(arguments.source)
    command = shlex.join(["python", "-m", "app", *argv])
    window_only = ("command", "screenshot")
    settings = {name: value for name, value in vars(arguments).items() if name not in window_only}
    with (
        closing(open_source(arguments.source, _warn)) as source,
        new_folder(out) as folder,
        Engine(bundle, arguments.threads) as engine,
    ):
        reconstructor = Reconstructor(engine, arguments.views, arguments.overlap)
        selector = default_selector(source, arguments.every)
        limit = arguments.max_keyframes or (_CAMERA_KEYFRAMES if source.is_live else math.inf)
        run = _run(source, selector, reconstructor, limit)
        memory = _Memory(engine.peak_memory, engine.base_memory)
        engine.close()
        keyframes = reconstructor.keyframes
        if not keyframes:
            raise AppError(f"{arguments.source} has no usable frame: all too dark or too bright")
        accuracy = truth.compare(keyframes) if truth else None
        selection = selected(arguments, keyframes, f"made by: {command}")
        points = write_reconstruction(folder, selection)
        summary = {
            "command": command,
            "version": version("pocket-vggt"),
            "settings": settings,
            "model": {
                "name": bundle.name,
                "precision": bundle.precision,
                "bytes": bundle.model_bytes,
                "sha256": bundle.manifest["files"]["model.pte"]["sha256"],
                "size": bundle.size,
            },
            "keyframes": len(keyframes),
            "points": points,
            "run": asdict(run),
            "views_per_second": run.views / run.seconds_inference,
            "memory_bytes": asdict(memory),
            "accuracy": asdict(accuracy) if accuracy else None,
        }
        write_file(folder / SUMMARY, json.dumps(_without_nan(summary), indent=1).encode())
    _print_summary(run, len(keyframes), points, bundle, memory, accuracy)
    print(f"written    {out}")


def _run(
    source: FrameSource, selector: KeyframeSelector, reconstructor: Reconstructor, limit: float
) -> _Run:
    run = _Run()
    start = time.perf_counter()
    keyframes = 0
    with tqdm(total=source.length, unit=" frames", disable=None, leave=False) as bar:
        for frame in source:
            run.frames += 1
            if selector.consider(frame).accepted:
                keyframes += 1
                run.count(reconstructor.add(frame))
                bar.set_postfix_str(f"{keyframes} keyframes")
            bar.update()
            if keyframes >= limit:
                break
        run.count(reconstructor.finish())
    run.seconds_total = time.perf_counter() - start
    return run


def _print_summary(
    run: _Run,
    keyframes: int,
    points: int,
    bundle: Bundle,
    memory: _Memory,
    accuracy: Accuracy | None,
) -> None:
    print(
        f"summary    {run.views / run.seconds_inference:.2f} views/s, peak memory "
        f"{memory.peak / 2**20:.0f} MiB ({memory.base / 2**20:.0f} before the model), "
        f"model {bundle.model_bytes / 1e6:.2f} MB ({bundle.name}, {bundle.precision})"
    )
    print(
        f"scene      {keyframes} keyframes of {run.frames} frames in {run.windows} windows, "
        f"{points} points, {run.seconds_total:.1f} s"
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


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="python -m app",
        description="Capture a scene and see it in 3D. Without a command, the window opens.",
    )
    parser.add_argument("--source", help="video, folder of images or camera to start with")
    parser.add_argument("--bundle", help="model bundle to use")
    parser.add_argument(
        "--screenshot",
        metavar="FILE",
        help="run --source to its end without a display, write a picture of the window, leave",
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    command = commands.add_parser(
        "reconstruct",
        help="cameras, depth and a point cloud from a video, images or a camera",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = command.add_argument
    add("source", metavar="SOURCE", help="video file, folder of images, or index of a camera")
    add("--bundle", required=True, help="model bundle, a folder or zip")
    add("--out", required=True, help="folder to write; an earlier reconstruction is replaced")
    add("--views", type=at_least(2), default=4, help="keyframes in a window of the network")
    add("--overlap", type=at_least(1), default=2, help="keyframes shared by two windows")
    add("--threads", type=at_least(1), help="threads of the runtime; one a core when not given")
    add("--every", type=at_least(1), default=1, help="look at each n-th frame only")
    add(
        "--max-keyframes",
        type=at_least(1),
        help=f"stop after so many; when not given, a camera stops after {_CAMERA_KEYFRAMES}",
    )
    add_selection(command)
    export_command.add_parser(commands)
    compare_command.add_parser(commands)
    return parser


def _check_output(out: Path) -> None:
    """Raises AppError rather than let `out` replace something else than a reconstruction."""
    if out.exists() and not out.is_dir():
        raise AppError(f"{out} exists and is not a folder")
    if out.is_dir() and any(out.iterdir()) and not (out / SUMMARY).is_file():
        raise AppError(f"{out} holds other things than a reconstruction: choose another --out")


def _without_nan(value: Any) -> Any:
    """NaN is no JSON: null instead."""
    if isinstance(value, dict):
        return {key: _without_nan(entry) for key, entry in value.items()}
    return None if isinstance(value, float) and math.isnan(value) else value


def _number(value: float) -> str:
    return "n/a" if math.isnan(value) else f"{value:.1f}"


def _warn(text: str) -> None:
    tqdm.write(f"warning: {text}", file=sys.stderr)


def _fail(text: str) -> int:
    print(f"error: {text}", file=sys.stderr)
    return BAD_INPUT
