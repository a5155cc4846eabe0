"""`python -m fgq evaluate`: poses and depth on held-out scenes and on posed photographs."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from fgq.arguments import parse_size
from fgq.data.clips import PosedClip, load_clip
from fgq.data.sequences import load_sequence
from fgq.data.shards import open_shards
from fgq.evaluate.depth import depth_metrics
from fgq.evaluate.pose import pose_metrics, relative_pose_errors
from fgq.files import write_file
from fgq.geometry import decode_pose
from fgq.quant import is_packed, load_packed
from fgq.vggt import VGGT, load_checkpoint


def add_evaluate_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("checkpoint", type=Path, help="full-precision or packed 4-bit checkpoint")
    parser.add_argument(
        "--sequence", type=Path, action="append", default=[], help="posed folder with fixed clips"
    )
    parser.add_argument("--synthetic", type=Path, help="shards of held-out seeds")
    parser.add_argument("--views", default="4", help="views a clip, for example 2,4,8")
    parser.add_argument("--size", default="168x224", help="HxW in pixels, multiples of 14")
    parser.add_argument("--scenes", type=int, default=64, help="synthetic scenes at most")
    parser.add_argument("--json", type=Path, help="write all figures here too")


def run_evaluate(args: argparse.Namespace) -> None:
    """Print one line a set and number of views; ValueError if nothing was asked for."""
    if not args.sequence and args.synthetic is None:
        raise ValueError("nothing to evaluate on: give --sequence FOLDER or --synthetic DIR")
    size = parse_size(args.size)
    load = load_packed if is_packed(args.checkpoint) else load_checkpoint
    model = load(args.checkpoint)
    rows = []
    for views in (int(text) for text in args.views.split(",")):
        sets = [(folder.name, _sequence_clips(folder, views, size)) for folder in args.sequence]
        if args.synthetic is not None:
            sets.append(("synthetic", _synthetic_clips(args.synthetic, views, args.scenes)))
        for name, clips in sets:
            metrics = evaluate_clips(model, clips, size)
            rows.append({"set": name, "views": views, **metrics})
            shown = "  ".join(f"{key} {value:.3f}" for key, value in metrics.items())
            print(f"{name}, {views} views:  {shown}", flush=True)
    if args.json is not None:
        report = {"checkpoint": str(args.checkpoint), "size": size, "rows": rows}
        write_file(args.json, (json.dumps(report, indent=2) + "\n").encode())


def evaluate_clips(
    model: VGGT, clips: Iterator[PosedClip], size: tuple[int, int]
) -> dict[str, float]:
    """Pose errors pooled over all pairs of all clips; depth errors averaged over clips."""
    rotations, directions, still = [], [], []
    depths: list[dict[str, float]] = []
    for clip in clips:
        images = torch.from_numpy(clip.images).permute(0, 3, 1, 2)[None].float() / 255
        with torch.inference_mode():
            prediction = model(images, views_per_chunk=1)
        extrinsic, _ = decode_pose(prediction["pose_enc"][0], size)
        truth = torch.from_numpy(clip.extrinsic)
        rotation, direction = relative_pose_errors(extrinsic, truth)
        rotations.append(rotation)
        directions.append(direction)
        still.append(relative_pose_errors(torch.eye(3, 4).expand_as(truth), truth)[0])
        known = _depth_map(clip, size)
        if known is not None and (known > 0).any():
            depths.append(depth_metrics(prediction["depth"][0, ..., 0], known))
    metrics = pose_metrics(torch.cat(rotations), torch.cat(directions))
    metrics["motion_median_deg"] = torch.cat(still).median().item()
    for key in depths[0] if depths else ():
        metrics[key] = float(np.mean([row[key] for row in depths]))
    return metrics


def _depth_map(clip: PosedClip, size: tuple[int, int]) -> Tensor | None:
    """True depth [S,H,W], 0 = unknown; sparse points fill the pixels they fall on."""
    if clip.depth is not None:
        return torch.from_numpy(clip.depth)
    if clip.sparse is None:
        return None
    maps: NDArray[np.float32] = np.zeros((len(clip.images), *size), np.float32)
    for depth, (uv, z) in zip(maps, clip.sparse, strict=True):
        column, row = uv.astype(int).T
        depth[row, column] = z
    return torch.from_numpy(maps)


def _sequence_clips(folder: Path, views: int, size: tuple[int, int]) -> Iterator[PosedClip]:
    sequence = load_sequence(folder)
    if views not in sequence.clips:
        known = ", ".join(map(str, sequence.clips)) or "no number of"
        raise ValueError(f"{folder / 'clips.json'} has clips of {known} views, not {views}")
    for indices in tqdm(sequence.clips[views], desc=f"{sequence.name} {views} views", leave=False):
        yield load_clip(sequence, indices, size)


def _synthetic_clips(folder: Path, views: int, scenes: int) -> Iterator[PosedClip]:
    """The first `views` views of every scene, at the size they were rendered in."""
    shards = open_shards(folder)
    for index in tqdm(range(min(scenes, len(shards))), desc=f"synthetic {views}", leave=False):
        scene = shards.scene(index, list(range(views)))
        yield PosedClip(
            scene["images"], scene["extrinsic"], scene["intrinsic"], scene["depth"], None
        )
