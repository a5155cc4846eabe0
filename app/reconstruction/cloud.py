"""Coloured points of keyframes, chosen by confidence."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.capture._cv2 import cv2
from app.geometry import transform_points
from app.reconstruction.keyframe import Keyframe

# Depth that changes by more than this from one neighbour to the other is the edge of something:
# the network bridges it with points that hang in the air.
_EDGE = 0.08
_HASH = (0x1F123BB5159A55E5, 0x3C6EF372FE94F82B, 0x5851F42D4C957F2D, 0x27D4EB2F165667C5)


Cells = NDArray[np.uint64]
"""Numbers of cells of space, see `cell_numbers`."""


@dataclass(frozen=True)
class PointCloud:
    """points float32 [N,3], colors uint8 [N,3], rank uint8 [N].

    rank: the point's place by confidence among the pixels of its keyframe, 0 lowest, 255 highest;
    a confidence quantile q keeps the points with rank >= 255 q.
    """

    points: NDArray[np.float32]
    colors: NDArray[np.uint8]
    rank: NDArray[np.uint8]


def keyframe_cloud(keyframe: Keyframe) -> PointCloud:
    """All usable points of a keyframe in its camera's frame; edges of depth are left out."""
    kept = usable(keyframe)
    return PointCloud(
        points=keyframe.camera_points()[kept],
        colors=keyframe.image[kept],
        rank=confidence_rank(keyframe.confidence)[kept],
    )


def usable(keyframe: Keyframe) -> NDArray[np.bool_]:
    """Pixels [H,W] that have a depth and are no edge of one."""
    return ~depth_edges(keyframe.depth) & (keyframe.depth > 0)


def build_cloud(keyframes: Sequence[Keyframe], quantile: float = 0.3) -> PointCloud:
    """Points of all keyframes in the global frame, above a confidence quantile."""
    parts = []
    for keyframe in keyframes:
        cloud = keyframe_cloud(keyframe)
        kept = cloud.rank >= 255 * quantile
        points = transform_points(keyframe.world_from_camera[:3], cloud.points[kept])
        parts.append(PointCloud(points, cloud.colors[kept], cloud.rank[kept]))
    return join_clouds(parts)


def join_clouds(parts: Sequence[PointCloud]) -> PointCloud:
    """All points of clouds that are in one frame."""
    return PointCloud(
        points=np.concatenate([np.empty((0, 3), np.float32), *(p.points for p in parts)]),
        colors=np.concatenate([np.empty((0, 3), np.uint8), *(p.colors for p in parts)]),
        rank=np.concatenate([np.empty(0, np.uint8), *(p.rank for p in parts)]),
    )


def cell_numbers(
    points: NDArray[np.float32], distance: NDArray[np.float32], fraction: float
) -> Cells:
    """One number [N] for the cell of space that each point [N,3] is in.

    The side of a cell is the largest power of the square root of two that is at most this fraction
    of the distance [N] from which the point was seen: each half octave has a grid of its own.
    """
    level = np.floor(2 * np.log2(distance * np.float32(fraction)))
    cells = np.floor(points / np.exp2(level / 2)[:, None]).astype(np.int64)
    # Spread over all 64 bits; two cells never meet in practice.
    numbers = level.astype(np.int64) * _HASH[3]
    for axis in range(3):
        numbers += cells[:, axis] * _HASH[axis]
    return numbers.view(np.uint64)


def confidence_rank(confidence: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Place of each pixel by confidence, 0 for the lowest to 255 for the highest, [H,W]."""
    order = np.empty(confidence.size, np.int64)
    order[np.argsort(confidence, axis=None)] = np.arange(confidence.size)
    return (order * 255 // max(1, confidence.size - 1)).astype(np.uint8).reshape(confidence.shape)


def depth_edges(depth: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Pixels [H,W] with a jump of depth among their neighbours."""
    kernel = np.ones((3, 3), np.uint8)
    near, far = cv2.erode(depth, kernel), cv2.dilate(depth, kernel)
    edges: NDArray[np.bool_] = far > near * (1 + _EDGE)
    return edges


def select_points(cloud: PointCloud, chosen: NDArray[np.bool_]) -> PointCloud:
    """Those points [N] of a cloud that are chosen."""
    # Twice as fast by places as by flags.
    places = np.flatnonzero(chosen)
    return PointCloud(cloud.points[places], cloud.colors[places], cloud.rank[places])
