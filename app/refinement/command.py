"""`python -m app refine-bench`: the network alone, refined, and COLMAP on the same clips."""

import argparse
import sys
import time
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from app.arguments import at_least, program
from app.capture.frame import Frame
from app.capture.images import read_image
from app.engine import Engine, open_bundle
from app.errors import AppError
from app.files import json_bytes, write_file
from app.reconstruction import Keyframe, Reconstructor
from app.reconstruction.truth import depth_errors
from app.refinement.clips import THRESHOLDS, PosedFrame, auc, load_clips, pair_errors


def add_parser(commands: Any) -> None:
    """Add the command to the app's."""
    command = commands.add_parser(
        "refine-bench",
        help="measure refinement on clips with true cameras",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = command.add_argument
    add("folders", nargs="+", type=Path, metavar="FOLDER", help="with cameras.json and clips.json")
    add("--bundles", nargs="*", default=[], type=Path, metavar="BUNDLE")
    add("--colmap", action="store_true", help="measure COLMAP too, which no bundle changes")
    add("--views", nargs="+", type=at_least(2), default=[2, 4, 8], help="of a clip")
    add("--every", type=at_least(1), default=1, help="take each n-th clip only")
    add("--threads", type=at_least(1), default=1, help="of the runtime")
    add("--json", type=Path, metavar="FILE", help="write all figures there too")


def run(arguments: argparse.Namespace, argv: Sequence[str]) -> None:
    """Run the command; AppError if it cannot be done."""
    if not arguments.bundles and not arguments.colmap:
        raise AppError("nothing to measure: give --bundles, --colmap or both")
    clips = {
        (folder, views): load_clips(folder, views)[:: arguments.every]
        for views in arguments.views
        for folder in arguments.folders
    }
    rows = []
    with ExitStack() as stack:
        bundles = [open_bundle(path) for path in arguments.bundles]
        engines = [stack.enter_context(Engine(b, arguments.threads)) for b in bundles]
        for source, chosen in clips.items():
            if arguments.colmap:
                rows.append(_row(source, "COLMAP", [_colmap(clip) for clip in _shown(chosen)]))
            if not engines:
                continue
            by_clip = [_networks(engines, clip) for clip in _shown(chosen)]
            for engine, both in zip(engines, zip(*by_clip, strict=True), strict=True):
                name = f"{engine.bundle.name} {engine.bundle.precision}"
                rows.append(_row(source, name, [alone for alone, _ in both]))
                rows.append(_row(source, f"{name}, refined", [refined for _, refined in both]))
    if arguments.json:
        document = {"command": [*program(), *argv], "version": version("pocket-vggt")}
        write_file(arguments.json, json_bytes({**document, "rows": rows}))


def _shown(clips: list[list[PosedFrame]]) -> Iterable[list[PosedFrame]]:
    shown: Iterable[list[PosedFrame]] = tqdm(clips, disable=None, leave=False, file=sys.stderr)
    return shown


def _colmap(clip: list[PosedFrame]) -> dict[str, Any]:
    from app.refinement.colmap import reconstruct

    start = time.process_time()
    poses = reconstruct([frame.image for frame in clip])
    seconds = time.process_time() - start
    errors = pair_errors(poses, [frame.extrinsic for frame in clip])
    return {
        "errors": errors,
        "abs_rel": np.nan,
        "seconds": seconds,
        "posed": sum(pose is not None for pose in poses),
    }


def _networks(
    engines: Sequence[Engine], clip: list[PosedFrame]
) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Figures of one clip with each engine, without and with refinement."""
    from app.refinement.refine import look, refine

    images = [read_image(frame.image) for frame in clip]
    runs = [_run_network(engine, clip, images) for engine in engines]

    def full(keyframe: Keyframe) -> NDArray[np.uint8]:
        return images[keyframe.index]

    start = time.process_time()
    # What the frames show is the same for all networks.
    seen = look(runs[0][0], full)
    looking = time.process_time() - start
    results = []
    for keyframes, network in runs:
        start = time.process_time()
        refinement = refine(keyframes, full, seen=seen)
        seconds = network + looking + time.process_time() - start
        refined = {
            **_figures(clip, refinement.keyframes, seconds),
            "reason": refinement.reason,
            "frames": [vars(frame) for frame in refinement.frames],
        }
        results.append((_figures(clip, keyframes, network), refined))
    return results


def _run_network(
    engine: Engine, clip: list[PosedFrame], images: list[NDArray[np.uint8]]
) -> tuple[list[Keyframe], float]:
    """Keyframes of one clip as the network says, and the seconds it took."""
    views = len(clip) if len(clip) in engine.bundle.view_counts else max(engine.bundle.view_counts)
    reconstructor = Reconstructor(engine, views, max(1, views // 2), loops=False)
    updates = [
        reconstructor.add(Frame(number, float(number), image, clip[number].image.name))
        for number, image in enumerate(images)
    ]
    updates.append(reconstructor.finish())
    seconds = sum(update.seconds_inference for update in updates if update)
    return reconstructor.keyframes, seconds


def _figures(clip: list[PosedFrame], keyframes: list[Keyframe], seconds: float) -> dict[str, Any]:
    truth = [frame.extrinsic for frame in clip]
    size = keyframes[0].depth.shape[0], keyframes[0].depth.shape[1]
    depth = depth_errors(
        [(k.depth, frame.read_depth(size)) for k, frame in zip(keyframes, clip, strict=True)]
    )
    return {
        "errors": pair_errors([keyframe.extrinsic for keyframe in keyframes], truth),
        "abs_rel": depth.abs_rel if depth else np.nan,
        "seconds": seconds,
        "posed": len(keyframes),
    }


def _row(source: tuple[Path, int], method: str, results: list[dict[str, Any]]) -> dict[str, Any]:
    """The figures of all clips as one, printed as soon as they are there."""
    folder, views = source
    errors = np.concatenate([result["errors"] for result in results])
    row = {
        "sequence": folder.name,
        "views": views,
        "method": method,
        **{f"auc{limit}": auc(errors, limit) for limit in THRESHOLDS},
        "abs_rel": float(np.mean([result["abs_rel"] for result in results])),
        "seconds": float(np.mean([result["seconds"] for result in results])),
        "posed": sum(result["posed"] for result in results),
        "clips": results,
    }
    aucs = "/".join(f"{row[f'auc{limit}']:.3f}" for limit in THRESHOLDS)
    depth = "" if np.isnan(row["abs_rel"]) else f", depth AbsRel {row['abs_rel']:.3f}"
    print(
        f"{folder.name}, {views} views, {len(results)} clips, {method}: "
        f"AUC@{'/'.join(map(str, THRESHOLDS))} {aucs}{depth}, {row['posed']} poses, "
        f"{row['seconds']:.1f} s a clip",
        flush=True,
    )
    return row
