"""Clips of a posed sequence at the network's size."""

from __future__ import annotations

from collections.abc import Sequence as Indices
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from fgq.data.errors import DataError
from fgq.data.sequences import Frame, Sequence

PATCH = 14


@dataclass(frozen=True)
class PosedClip:
    """images: uint8 [S, H, W, 3] RGB. extrinsic: float32 [S, 3, 4], camera from the first view's
    camera. intrinsic: float32 [S, 3, 3] in pixels of these images, where pixel (0, 0) covers
    [0, 1] x [0, 1] (centres at half-integers, as in SceneClip). depth: float32 [S, H, W] along the
    optical axis, 0 = unknown, or None. sparse: per view, points uv [N, 2] in the same pixels and
    their depth z [N]; None where the sequence has none. Lengths are in the sequence's unit.
    """

    images: NDArray[np.uint8]
    extrinsic: NDArray[np.float32]
    intrinsic: NDArray[np.float32]
    depth: NDArray[np.float32] | None
    sparse: list[tuple[NDArray[np.float32], NDArray[np.float32]]] | None


@dataclass(frozen=True)
class _Fit:
    """Resize by `scale` (x, y), then cut off `offset` (x, y) pixels to the left and above."""

    scale: NDArray[np.float64]
    offset: NDArray[np.float64]
    resized: tuple[int, int]  # height, width
    size: tuple[int, int]

    def points(self, uv: NDArray[np.floating]) -> NDArray[np.float64]:
        """Stored pixels, centres at integers -> image pixels, centres at half-integers."""
        return (uv + 0.5) * self.scale - self.offset

    def crop(self, image: NDArray[np.generic]) -> NDArray[np.generic]:
        x, y = self.offset.astype(int)
        return image[y : y + self.size[0], x : x + self.size[1]]


def load_clip(sequence: Sequence, indices: Indices[int], size: tuple[int, int]) -> PosedClip:
    """Reads frames, resized to cover size (H, W), multiples of 14, and cropped to it centrally.

    Depth is resized by nearest neighbour. Raises DataError for a bad size, index or file.
    """
    if any(side <= 0 or side % PATCH for side in size):
        raise DataError(f"size {size[0]}x{size[1]} is not in multiples of {PATCH}")
    if not indices or any(not 0 <= index < len(sequence.frames) for index in indices):
        raise DataError(
            f"{sequence.name} has frames 0 to {len(sequence.frames) - 1}, not {indices}"
        )
    frames = [sequence.frames[index] for index in indices]
    fits = [_fit(frame.size, size) for frame in frames]
    to_first = frames[0].camera_to_world
    extrinsic = [np.linalg.inv(frame.camera_to_world) @ to_first for frame in frames]
    return PosedClip(
        images=np.stack([cover_image(frame.read_image(), size) for frame in frames]),
        extrinsic=np.stack(extrinsic)[:, :3].astype(np.float32),
        intrinsic=np.stack([_intrinsic(f, fit) for f, fit in zip(frames, fits, strict=True)]),
        depth=_depth(frames, fits),
        sparse=_sparse(frames, fits),
    )


def cover_image(image: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Image [h, w, 3] resized to cover size (H, W) and cropped to it centrally."""
    fit = _fit((image.shape[0], image.shape[1]), size)
    shrinks = fit.resized[0] <= image.shape[0]
    how = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    resized = cv2.resize(image, fit.resized[::-1], interpolation=how)
    return np.asarray(fit.crop(resized), np.uint8)


def _fit(stored: tuple[int, int], size: tuple[int, int]) -> _Fit:
    height, width = stored
    factor = max(size[0] / height, size[1] / width)
    resized = max(round(height * factor), size[0]), max(round(width * factor), size[1])
    scale = np.array([resized[1] / width, resized[0] / height])
    offset = np.array([(resized[1] - size[1]) // 2, (resized[0] - size[0]) // 2], np.float64)
    return _Fit(scale, offset, resized, size)


def _intrinsic(frame: Frame, fit: _Fit) -> NDArray[np.float32]:
    intrinsic = frame.intrinsic.copy()
    intrinsic[:2, :2] *= fit.scale[:, None]
    intrinsic[:2, 2] = fit.points(frame.intrinsic[:2, 2])
    return intrinsic.astype(np.float32)


def _depth(frames: list[Frame], fits: list[_Fit]) -> NDArray[np.float32] | None:
    maps = []
    for frame, fit in zip(frames, fits, strict=True):
        depth = frame.read_depth()
        if depth is None:
            return None
        rows, columns = (
            ((np.arange(count) + 0.5) * stored / count).astype(int)
            for count, stored in zip(fit.resized, depth.shape, strict=True)
        )
        maps.append(np.asarray(fit.crop(depth[np.ix_(rows, columns)]), np.float32))
    return np.stack(maps)


def _sparse(
    frames: list[Frame], fits: list[_Fit]
) -> list[tuple[NDArray[np.float32], NDArray[np.float32]]] | None:
    points = []
    for frame, fit in zip(frames, fits, strict=True):
        found = frame.read_sparse()
        if found is None:
            return None
        uv = fit.points(found[0])
        inside = ((uv >= 0) & (uv < np.array(fit.size[::-1]))).all(1)
        points.append((uv[inside].astype(np.float32), found[1][inside]))
    return points
