"""Procedural indoor clips with exact cameras and depth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fgq.data.camera_model import photograph
from fgq.data.raytrace import Raytracer
from fgq.data.rooms import build_room
from fgq.data.shapes import Floats
from fgq.data.trajectories import Lens, View, overlap_matrix, sample_lens, sample_path

TRAIN_SEED_START = 0
HELD_OUT_SEED_START = 10_000_000  # seeds from here on are never trained on
SIZE = (168, 224)  # H, W
ROUGH_SHARE = 0.12  # of the pixels get more samples
OFFSETS = ((-0.375, -0.125), (0.125, 0.375))  # pixels, beside the centre
MAX_RADIANCE = 12.0  # keeps one glint from filling a pixel


@dataclass(frozen=True)
class SceneClip:
    """images: uint8 [S, H, W, 3]. depth: float32 [S, H, W], metres along the optical axis, 0 where
    nothing was hit. extrinsic: float32 [S, 3, 4], camera from world (OpenCV axes, metres; the
    world is the room with z up). intrinsic: float32 [S, 3, 3] in pixels, with pixel (0, 0)
    covering [0, 1] x [0, 1]: the ray of a pixel goes through (u + 0.5, v + 0.5).
    overlap: float32 [S, S], about the share of view i's pixels that view j sees."""

    images: NDArray[np.uint8]
    depth: Floats
    extrinsic: Floats
    intrinsic: Floats
    overlap: Floats


def render_scene(seed: int, views: int = 8, size: tuple[int, int] = SIZE) -> SceneClip:
    """Renders the clip of a seed: the same seed gives the same bytes. size is (H, W)."""
    for attempt in range(20):
        rng = np.random.default_rng((seed, attempt))
        room = build_room(rng)
        tracer = Raytracer(room)
        lens = sample_lens(rng, size)
        path = sample_path(rng, room, tracer, lens, views)
        if path is not None:
            break
    else:
        raise RuntimeError(f"no room of seed {seed} offers a path of {views} views")
    if rng.random() < 0.5:
        path = [path[i] for i in rng.permutation(views)]
    radiance, depth = render_views(tracer, lens, path)
    return SceneClip(
        photograph(radiance, rng),
        depth,
        np.stack([extrinsic(view) for view in path]),
        np.broadcast_to(lens.matrix(), (views, 3, 3)).copy(),
        overlap_matrix(lens, path),
    )


def render_views(tracer: Raytracer, lens: Lens, path: list[View]) -> tuple[Floats, Floats]:
    """Linear radiance [S, H, W, 3] and depth [S, H, W] of every view of a path.

    Depth is that of the pixel's centre. Radiance is one sample there, and the mean of three
    samples where neighbouring pixels differ most: edges, thin things and outlines of shadows.
    """
    height, width = lens.size
    directions = lens.directions(height, width).T
    shape = (len(path), height, width)
    radiance, depth = np.empty((*shape, 3), np.float32), np.empty(shape, np.float32)
    rays = np.empty((6, height * width), np.float32)
    for index, view in enumerate(path):
        rays[:3] = view.position[:, None]
        np.matmul(view.rotation, directions, out=rays[3:])
        shaded = tracer.shade(rays, lens.focal, lens.size)
        depth[index] = shaded.depth.reshape(lens.size)
        np.minimum(shaded.radiance.reshape(*lens.size, 3), MAX_RADIANCE, out=radiance[index])
        rough = _rough(radiance[index], shaded.key.reshape(lens.size))
        if len(rough):
            more = _beside(rays[:, rough], view.rotation, lens.focal)
            samples = np.minimum(tracer.shade(more, lens.focal).radiance, MAX_RADIANCE)
            pixels = radiance[index].reshape(-1, 3)
            total = pixels[rough] + samples.reshape(len(OFFSETS), -1, 3).sum(0)
            pixels[rough] = total / (1 + len(OFFSETS))
    return radiance, depth


def _beside(rays: Floats, rotation: Floats, focal: float) -> Floats:
    """Rays [6, N] moved by all OFFSETS in the image: [6, len(OFFSETS) * N]."""
    shift = rotation[:, :2] @ (np.array(OFFSETS, np.float32) / np.float32(focal)).T
    more = np.repeat(rays[:, None], len(OFFSETS), 1)
    more[3:] += shift[..., None]
    return more.reshape(6, -1)


def _rough(radiance: Floats, key: NDArray[np.int32]) -> NDArray[np.intp]:
    """Indices of the pixels [H, W] that differ from a neighbour of another surface or light, at
    most about a ROUGH_SHARE of all."""
    tone = np.sqrt(radiance @ np.array([0.3, 0.5, 0.2], np.float32))
    contrast = np.zeros_like(tone)
    for axis in (0, 1):
        step = np.abs(np.diff(tone, axis=axis))
        step *= np.diff(key, axis=axis) != 0
        head, tail = [slice(None)] * 2, [slice(None)] * 2
        head[axis], tail[axis] = slice(None, -1), slice(1, None)
        for side in (tuple(head), tuple(tail)):
            np.maximum(contrast[side], step, out=contrast[side])
    sample = contrast[::3, ::3].ravel()
    rank = int((1 - ROUGH_SHARE) * len(sample))
    limit = max(0.12 * float(tone.mean()), float(np.partition(sample, rank)[rank]))
    return np.flatnonzero(contrast > limit)


def extrinsic(view: View) -> Floats:
    """Camera from world [3, 4]."""
    rotation = view.rotation.T
    return np.concatenate([rotation, -(rotation @ view.position)[:, None]], 1)
