"""The demo clip: a hand-held walk through a room of a held-out seed, with its ground truth."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from fgq.data.camera_model import photograph
from fgq.data.errors import DataError
from fgq.data.raytrace import Raytracer
from fgq.data.rooms import Room, build_room
from fgq.data.scenes import render_views
from fgq.data.shapes import Floats
from fgq.data.trajectories import Lens, View, is_clear, look_at, probe

VIEWS_AT_A_TIME = 6  # bounds the memory of rendering


@dataclass(frozen=True)
class DemoClip:
    """images: uint8 [F, H, W, 3]; depth: float32 [F, H, W] in metres; camera_to_world: float64
    [F, 4, 4] (OpenCV axes, metres); intrinsic [3, 3] in pixels with centres at integers."""

    images: NDArray[np.uint8]
    depth: Floats
    camera_to_world: NDArray[np.float64]
    intrinsic: NDArray[np.float64]


def render_demo(seed: int, frames: int, size: tuple[int, int]) -> DemoClip:
    """Renders the walk; the same seed gives the same frames. size is (H, W).

    Raises DataError if the seed's room has no place for it.
    """
    rng = np.random.default_rng((seed, 0))
    room = build_room(rng)
    tracer = Raytracer(room)
    lens = Lens(size[1] / 2 / np.tan(np.deg2rad(65) / 2), size)
    path = _walk(rng, room, tracer, lens, frames)
    if path is None:
        raise DataError(f"the room of seed {seed} has no place for a walk; choose another --seed")
    radiance, depth = [], []
    for start in range(0, frames, VIEWS_AT_A_TIME):
        part = render_views(tracer, lens, path[start : start + VIEWS_AT_A_TIME])
        radiance.append(part[0])
        depth.append(part[1])
    images = photograph(np.concatenate(radiance, 1), rng, steady=True)
    poses = np.tile(np.eye(4), (frames, 1, 1))
    poses[:, :3, :3] = [view.rotation for view in path]
    poses[:, :3, 3] = [view.position for view in path]
    intrinsic = lens.matrix().astype(np.float64)
    intrinsic[:2, 2] -= 0.5
    return DemoClip(images, np.concatenate(depth), poses, intrinsic)


def _walk(
    rng: np.random.Generator, room: Room, tracer: Raytracer, lens: Lens, frames: int
) -> list[View] | None:
    """Round the middle of the room while looking across it, first inwards, then at the walls."""
    middle = room.size / 2
    time = np.linspace(0, 1, frames)
    for _ in range(300):
        radius = rng.uniform(0.2, 0.42, 2) * room.size[:2]
        center = middle[:2] + rng.uniform(-0.12, 0.12, 2) * room.size[:2]
        sweep = rng.choice((-1, 1)) * rng.uniform(3.2, 4.6)
        angle = rng.uniform(0, 2 * np.pi) + sweep * (time - np.sin(2 * np.pi * time) / (4 * np.pi))
        around = np.stack([np.cos(angle), np.sin(angle)], 1)
        position = np.empty((frames, 3))
        position[:, :2] = center + around * radius
        position[:, 2] = rng.uniform(1.35, 1.65) + 0.12 * np.sin(2 * np.pi * time + 1)
        position += _sway(rng, frames, 0.012)
        goal = np.empty((frames, 3))
        goal[:, :2] = center - 0.5 * around * radius
        goal[:, 2] = rng.uniform(0.6, 0.95) + 0.2 * np.sin(3 * np.pi * time)
        goal += _sway(rng, frames, 0.05)
        roll = _sway(rng, frames, 0.012)[:, 0]
        if not all(is_clear(room, point) for point in position.astype(np.float32)):
            continue
        path = [
            probe(tracer, lens, look_at(point, aim, tilt), point.astype(np.float32))
            for point, aim, tilt in zip(position, goal, roll, strict=True)
        ]
        near = min(float(np.quantile(view.depth, 0.02)) for view in path)
        if near > 0.5 and all(view.things >= 15 and view.largest < 0.5 for view in path):
            return path
    return None


def _sway(rng: np.random.Generator, frames: int, amount: float) -> NDArray[np.float64]:
    """Smooth wandering [F, 3] of a hand, standard deviation `amount`."""
    knots = rng.normal(0, amount, (max(frames // 7, 2), 3))
    at = np.linspace(0, len(knots) - 1, frames)
    low = np.minimum(at.astype(int), len(knots) - 2)
    part = at - low
    weight = (part * part * (3 - 2 * part))[:, None]
    return knots[low] * (1 - weight) + knots[low + 1] * weight


def write_demo(
    clip: DemoClip, out_dir: Path, seed: int, fps: int, depth_size: tuple[int, int], every: int
) -> None:
    """Writes clip.mp4, cameras.json and depth/NNNN.png (of every `every`-th frame, nearest
    neighbour at depth_size (H, W)) as assets/demo/README.md describes them.

    Existing ones are replaced once all is written. Raises DataError if the video cannot be written.
    """
    out_dir.mkdir(parents=True, exist_ok=True)
    part = out_dir / ".part"
    shutil.rmtree(part, ignore_errors=True)
    (part / "depth").mkdir(parents=True)
    try:
        _write_video(part / "clip.mp4", clip.images, fps)
        cameras = _cameras(clip, seed, fps, every)
        (part / "cameras.json").write_text(json.dumps(cameras, indent=0) + "\n")
        for index in range(0, len(clip.depth), every):
            small = _nearest(clip.depth[index], depth_size)
            name = str(part / "depth" / f"{index:04d}.png")
            if not cv2.imwrite(name, np.rint(small * 1000).astype(np.uint16)):
                raise DataError(f"cannot write {name}; is the disk full?")
        shutil.rmtree(out_dir / "depth", ignore_errors=True)
        for name in ("clip.mp4", "cameras.json", "depth"):
            (part / name).replace(out_dir / name)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _write_video(path: Path, images: NDArray[np.uint8], fps: int) -> None:
    frames, height, width, _ = images.shape
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), fps, (width, height))
    try:
        for image in images:
            writer.write(cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    finally:
        writer.release()
    reader = cv2.VideoCapture(str(path))
    count = int(reader.get(cv2.CAP_PROP_FRAME_COUNT))
    reader.release()
    if count != frames:
        raise DataError(f"the video {path} has {count} of {frames} frames; is the disk full?")


def _cameras(clip: DemoClip, seed: int, fps: int, every: int) -> dict[str, Any]:
    height, width = clip.images.shape[1:3]
    frames = []
    for index, pose in enumerate(clip.camera_to_world):
        frame: dict[str, Any] = {
            "index": index,
            "time": round(index / fps, 4),
            "K": np.round(clip.intrinsic, 4).tolist(),
            "c2w": np.round(pose, 6).tolist(),
            "w": width,
            "h": height,
        }
        if index % every == 0:
            frame["depth"] = f"depth/{index:04d}.png"
        frames.append(frame)
    return {
        "name": "demo",
        "convention": "c2w 4x4, OpenCV camera axes (x right, y down, z forward); K in pixels of the"
        " video, pixel centres at integers; depth uint16 millimetres along z, 0 = unknown",
        "metric": True,
        "licence": "rendered by this project, same licence as the project",
        "source": f"python -m fgq render-demo, seed {seed}",
        "video": "clip.mp4",
        "fps": fps,
        "frames": frames,
    }


def _nearest(depth: Floats, size: tuple[int, int]) -> Floats:
    rows, columns = (
        ((np.arange(count) + 0.5) * stored / count).astype(int)
        for count, stored in zip(size, depth.shape, strict=True)
    )
    return depth[np.ix_(rows, columns)]
