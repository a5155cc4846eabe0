"""What of a reconstruction goes into a file: exactly what is shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from app.reconstruction.cloud import PointCloud, build_cloud, confidence_rank, thin_cloud, usable
from app.reconstruction.keyframe import Keyframe

WORLD = (
    "world: camera of the first keyframe, x right, y down, z forward; lengths in the scale of the"
    " network, not in metres"
)


@dataclass(frozen=True)
class Selection:
    """Keyframes, and which of their points count.

    quantile: share of the least confident points to leave out of each keyframe; voxel: side of the
    cells that keep one point each (world lengths, 0 keeps all); crop: lowest and highest corner
    [2][3] of a box in the world; origin: lines on how the reconstruction came to be.
    """

    keyframes: Sequence[Keyframe]
    quantile: float = 0.0
    voxel: float = 0.0
    crop: tuple[tuple[float, float, float], tuple[float, float, float]] | None = None
    origin: tuple[str, ...] = ()

    @cached_property
    def cloud(self) -> PointCloud:
        """The points that count, in the world."""
        cloud = build_cloud(self.keyframes, self.quantile)
        if self.crop is not None:
            inside = self.inside(cloud.points)
            cloud = PointCloud(cloud.points[inside], cloud.colors[inside], cloud.rank[inside])
        return thin_cloud(cloud, self.voxel) if self.voxel > 0 else cloud

    def depth(self, keyframe: Keyframe) -> NDArray[np.float32]:
        """Depth [H,W] of the pixels whose points count, 0 for the others."""
        kept = usable(keyframe) & (confidence_rank(keyframe.confidence) >= 255 * self.quantile)
        if self.crop is not None:
            kept &= self.inside(keyframe.world_points())
        return np.where(kept, keyframe.depth, np.float32(0))

    def inside(self, points: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Whether points [..., 3] of the world lie in the box, if there is one."""
        if self.crop is None:
            return np.ones(points.shape[:-1], np.bool_)
        low, high = self.crop
        inside: NDArray[np.bool_] = np.all((points >= low) & (points <= high), axis=-1)
        return inside

    def comments(self) -> list[str]:
        """Conventions, settings and origin, a line each."""
        settings = f"confidence quantile {self.quantile:g}, voxel {self.voxel:g}"
        if self.crop is not None:
            settings += ", crop " + ",".join(f"{x:g}" for corner in self.crop for x in corner)
        return [WORLD, settings, *self.origin]


def median_depth(keyframes: Sequence[Keyframe]) -> float:
    """Of all keyframes: the length that voxels are given in fractions of."""
    return float(np.median([np.median(keyframe.depth) for keyframe in keyframes]))
