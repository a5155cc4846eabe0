"""Coloured points of keyframes, chosen by confidence."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.reconstruction.keyframe import Keyframe


@dataclass(frozen=True)
class PointCloud:
    """points float32 [N,3], colors uint8 [N,3], rank uint8 [N].

    rank: the point's place by confidence among the points of its keyframe, 0 lowest, 255 highest;
    a confidence quantile q keeps the points with rank >= 255 q.
    """

    points: NDArray[np.float32]
    colors: NDArray[np.uint8]
    rank: NDArray[np.uint8]


def keyframe_cloud(keyframe: Keyframe) -> PointCloud:
    """All usable points of a keyframe in its camera's frame; depth edges are left out."""
    raise NotImplementedError


def build_cloud(
    keyframes: Sequence[Keyframe], quantile: float = 0.3, voxel: float = 0.0
) -> PointCloud:
    """Points of all keyframes in the global frame, above a confidence quantile.

    voxel: side of the cells (global scale) that keep one averaged point each; 0 keeps all.
    """
    raise NotImplementedError
