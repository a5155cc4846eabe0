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
ROUGH_SHARE = 0.05  # samples between pixels, as a part of the pixels
ROUGH_STEP = 0.12  # of the mean tone: smaller steps need no sample
SHARED = np.float32(1 / 3)  # weight of a sample between pixels, beside that of a pixel's own
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
    """Linear radiance [3, S, H, W] and depth [S, H, W] of every view of a path.

    Depth is that of the pixel's centre. Radiance is one sample there, and where neighbours differ
    most (edges, thin things, outlines of shadows) the mean with half of a sample between them,
    which both of them share.
    """
    shape = (len(path), *lens.size)
    directions = lens.directions(*lens.size).T
    rays: Floats = np.empty((6, len(path), directions.shape[1]), np.float32)
    for index, view in enumerate(path):
        rays[:3, index] = view.position[:, None]
        np.matmul(view.rotation, directions, out=rays[3:, index])
    rays = rays.reshape(6, -1)
    shaded = tracer.shade(rays, lens.focal, lens.size)
    radiance = np.minimum(shaded.radiance, MAX_RADIANCE, out=shaded.radiance)
    first, second = _rough_pairs(radiance.reshape(3, *shape), shaded.key.reshape(shape))
    middle = rays.take(first, 1) + rays.take(second, 1)
    middle *= np.float32(0.5)
    beside = np.stack([shaded.key.take(first), shaded.key.take(second)])
    samples = tracer.shade(middle, lens.focal, beside=beside).radiance
    _mix(radiance, first, second, np.minimum(samples, MAX_RADIANCE, out=samples))
    return radiance.reshape(3, *shape), shaded.depth.reshape(shape)


def _rough_pairs(
    radiance: Floats, key: NDArray[np.int32]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Indices [M] of pixels [S, H, W] and of the neighbours, right of or below them, that they
    differ from in tone and in surface or light: the most different pairs, at most ROUGH_SHARE as
    many as pixels."""
    tone = np.sqrt(np.tensordot(np.array([0.3, 0.5, 0.2], np.float32), radiance, 1)).ravel()
    keys, enough = key.ravel(), ROUGH_STEP * tone.mean()
    first, second, steps = [], [], []
    for offset, last in ((1, np.s_[:, :, -1]), (key.shape[2], np.s_[:, -1])):
        step = np.zeros(key.shape, np.float32)
        inner = step.ravel()[:-offset]
        np.abs(np.subtract(tone[offset:], tone[:-offset], out=inner), out=inner)
        inner *= keys[offset:] != keys[:-offset]
        step[last] = 0  # its neighbour is in another row or image
        index = np.flatnonzero(step > enough)
        first.append(index)
        second.append(index + offset)
        steps.append(step.ravel().take(index))
    strength, spare = np.concatenate(steps), sum(map(len, steps)) - int(ROUGH_SHARE * key.size)
    chosen = strength > np.partition(strength, spare)[spare] if spare > 0 else slice(None)
    return np.concatenate(first)[chosen], np.concatenate(second)[chosen]


def _mix(
    radiance: Floats, first: NDArray[np.intp], second: NDArray[np.intp], samples: Floats
) -> None:
    """Adds half of each sample [3, M] to both pixels [3, N] beside it, which have up to four."""
    weight = np.ones(radiance.shape[1], np.float32)
    samples *= SHARED
    for pixels in (first, second):
        np.add.at(weight, pixels, SHARED)
        for plane, sample in zip(radiance, samples, strict=True):
            np.add.at(plane, pixels, sample)
    mixed = np.flatnonzero(weight > 1)
    share = weight.take(mixed)
    for plane in radiance:
        plane[mixed] /= share


def extrinsic(view: View) -> Floats:
    """Camera from world [3, 4]."""
    rotation = view.rotation.T
    return np.concatenate([rotation, -(rotation @ view.position)[:, None]], 1)
