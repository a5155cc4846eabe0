"""What of a reconstruction goes into a file: exactly what is shown."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from app.geometry import transform_points
from app.reconstruction.cloud import (
    PointCloud,
    confidence_rank,
    join_clouds,
    keyframe_cloud,
    select_points,
    usable,
)
from app.reconstruction.fusion import fuse_keyframes
from app.reconstruction.keyframe import Keyframe
from app.reconstruction.masks import flags_at, mask_bits, mask_flags

WORLD = (
    "world: camera of the first keyframe, x right, y down, z forward; lengths in the scale of the"
    " network, not in metres"
)


@dataclass(frozen=True)
class Selection:
    """Keyframes as they were captured, and what of them counts.

    The points are those of a `FusedCloud` of the keyframes that count; what is chosen of them is
    chosen afterwards, as in the window.

    quantile: share of the least confident points to leave out of each keyframe; fuse: side of the
    cells that keep one point each, as a part of the distance from which they are seen (0 keeps all
    points); crop: lowest and highest corner
    [2][3] of a box in the world; origin: lines on how the reconstruction came to be; masks: names
    of `MASKS` whose pixels are left out; without: positions of the keyframes that are left out
    wholly; metres_per_unit: of world lengths, where the user has measured a known one; refine: how
    the keyframes were refined, as the option of that name; watch:
    called with each keyframe whose points are read, to follow an export or end it by raising.
    """

    captured: Sequence[Keyframe]
    quantile: float = 0.0
    fuse: float = 0.0
    crop: tuple[tuple[float, float, float], tuple[float, float, float]] | None = None
    origin: tuple[str, ...] = ()
    masks: tuple[str, ...] = ()
    without: tuple[int, ...] = ()
    metres_per_unit: float | None = None
    refine: str = "none"
    watch: Callable[[Keyframe], None] = lambda keyframe: None

    @cached_property
    def keyframes(self) -> list[Keyframe]:
        """The keyframes that count."""
        return [k for position, k in enumerate(self.captured) if position not in self.without]

    @cached_property
    def cloud(self) -> PointCloud:
        """The points that count, in the world."""
        chosen = dict(enumerate(self.keyframes))
        fused = fuse_keyframes(chosen, self.fuse) if self.fuse else None
        parts = []
        for position, keyframe in chosen.items():
            self.watch(keyframe)
            cloud = keyframe_cloud(keyframe) if fused is None else fused.cloud(position, keyframe)
            kept = cloud.rank >= 255 * self.quantile
            if self.masks:
                flags = mask_flags(keyframe.image, keyframe.depth)
                flags = flags_at(flags, cloud.points, keyframe.intrinsic)
                kept &= flags & mask_bits(self.masks) == 0
            points = transform_points(keyframe.world_from_camera[:3], cloud.points)
            kept &= self.inside(points)
            parts.append(select_points(PointCloud(points, cloud.colors, cloud.rank), kept))
        return join_clouds(parts)

    @property
    def voxel(self) -> float:
        """Side of the cells at the median depth of the first keyframe, 0 to keep all points."""
        return self.fuse * float(np.median(self.captured[0].depth)) if self.fuse else 0.0

    def depth(self, keyframe: Keyframe) -> NDArray[np.float32]:
        """Depth [H,W] of the pixels whose points count, 0 for the others."""
        self.watch(keyframe)
        kept = usable(keyframe) & (confidence_rank(keyframe.confidence) >= 255 * self.quantile)
        if self.masks:
            kept &= mask_flags(keyframe.image, keyframe.depth) & mask_bits(self.masks) == 0
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
        settings = f"refine {self.refine}, confidence quantile {self.quantile:g}"
        settings += f", fuse {self.fuse:g}"
        if self.crop is not None:
            settings += f", crop {_numbers(self.crop)}"
        if self.masks:
            settings += f", without {' and '.join(self.masks)} pixels"
        if self.without:
            settings += f", without keyframes {_counted(self.without)}"
        lines = [WORLD, settings]
        if self.metres_per_unit is not None:
            lines.append(f"scale: one unit of length is {self.metres_per_unit:g} m, as measured")
        return [*lines, *self.origin]

    def arguments(self) -> list[str]:
        """The options of the command line that choose the same of the same keyframes."""
        words = ["--quantile", f"{self.quantile:g}", "--fuse", f"{self.fuse:g}"]
        if self.crop is not None:
            words.append(f"--crop={_numbers(self.crop)}")
        if self.masks:
            words += ["--masks", ",".join(self.masks)]
        if self.without:
            words += ["--without", _counted(self.without)]
        if self.metres_per_unit is not None:
            words += ["--metres-per-unit", f"{self.metres_per_unit:g}"]
        return words


def _numbers(crop: tuple[tuple[float, ...], tuple[float, ...]]) -> str:
    return ",".join(f"{x:g}" for corner in crop for x in corner)


def _counted(positions: tuple[int, ...]) -> str:
    return ",".join(str(position + 1) for position in positions)


def median_depth(keyframes: Sequence[Keyframe]) -> float:
    """Of all keyframes."""
    return float(np.median([np.median(keyframe.depth) for keyframe in keyframes]))
