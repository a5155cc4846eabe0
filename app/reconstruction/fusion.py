"""Clouds of the keyframes without what others saw better: bounded by the space that was seen."""

from collections import Counter
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from app.geometry import transform_points
from app.reconstruction.cells import GONE, CellTable, Slots
from app.reconstruction.cloud import (
    Cells,
    PointCloud,
    cell_numbers,
    confidence_rank,
    usable,
)
from app.reconstruction.keyframe import Keyframe

FUSE = 0.01
"""Side of a cell as part of the distance from which it is seen, unless another is asked for."""

# A claim is one number, the larger the better: the pixel's rank by confidence, then the keyframe's
# position and the pixel's place in the image, both counted down.
_RANK, _POSITION = np.uint64(56), np.uint64(32)
_LAST_POSITION, _LAST_PIXEL = np.uint64(0xFFFFFF), np.uint64(0xFFFFFFFF)

Claims = NDArray[np.uint64]


class FusedCloud:
    """Clouds of keyframes in which every cell of space has one point, however often it was seen.

    It is the pixel with the highest rank by confidence; of equals, that of the earliest keyframe.
    Cells are as large as the distance allows from which they are seen (`cell_numbers`). The
    clouds stay apart, in the frame of their keyframe's camera, so that a keyframe can be moved.

    The result does not depend on the order in which keyframes are added. What it cannot do is to
    give a cell to the second best: what a keyframe had and has no longer, because it is added anew
    after it moved, is free until another one that sees it is added.
    """

    def __init__(self, fraction: float = FUSE) -> None:
        """fraction: side of a cell as part of the distance from which it is seen, at most."""
        self._fraction = fraction
        self._table = CellTable()
        # Of each keyframe, where the cells are that it had when last looked at, in the order of
        # its pixels, and a digest of its claims to them.
        self._owned: dict[int, Slots] = {}
        self._digests: dict[int, int] = {}

    def __len__(self) -> int:
        """Number of points of all clouds."""
        return len(self._table)

    def __contains__(self, position: int) -> bool:
        """Whether a keyframe was added."""
        return position in self._owned

    def add(self, position: int, keyframe: Keyframe) -> Counter[int]:
        """Take a keyframe in, or anew; returns how many cells others lost to it, by position."""
        if position in self._owned:
            self._table.empty(self._kept(position))
        cells, claims = self._claim(position, keyframe)
        self._make_room(len(cells))
        before, slots = self._table.raise_to(cells, claims)
        won = self._table.at(slots) == claims
        self._own(position, slots[won])
        return Counter(_positions(before[won & (before != 0)]).tolist())

    def cloud(self, position: int, keyframe: Keyframe) -> PointCloud:
        """The points that a keyframe has now, in its camera's frame.

        keyframe: as it was added, or since then moved or scaled as a whole.
        """
        self.look_at(position)
        return _cloud(keyframe, self._table.at(self._owned[position]))

    def look_at(self, position: int) -> None:
        """Forget the cells that a keyframe lost since it was added or looked at last."""
        self._own(position, self._kept(position))

    def preview(self, position: int, keyframe: Keyframe) -> PointCloud:
        """The points that a keyframe would see better than all that were added."""
        cells, claims = self._claim(position, keyframe)
        return _cloud(keyframe, claims[claims > self._table.get(cells)])

    def agrees(self, other: "FusedCloud", position: int) -> bool:
        """Whether both gave the same pixels of a keyframe, when last looked at."""
        if position not in self or position not in other:
            return False
        return self._digests[position] == other._digests[position]

    def _kept(self, position: int) -> Slots:
        """Slots [N] of the cells that a keyframe still has."""
        slots = self._owned[position]
        return slots[_positions(self._table.at(slots)) == position]

    def _own(self, position: int, slots: Slots) -> None:
        self._owned[position] = slots
        self._digests[position] = hash(self._table.at(slots).tobytes())

    def _make_room(self, count: int) -> None:
        moved = self._table.make_room(count)
        if moved is not None:
            for position, slots in self._owned.items():
                now = moved[slots]
                self._owned[position] = now[now != GONE]

    def _claim(self, position: int, keyframe: Keyframe) -> tuple[Cells, Claims]:
        """Cells [N] of a keyframe's usable pixels and its claims [N] to them."""
        pixels = np.flatnonzero(usable(keyframe))
        points = keyframe.camera_points().reshape(-1, 3)[pixels]
        points = transform_points(keyframe.world_from_camera[:3], points)
        rank = confidence_rank(keyframe.confidence).reshape(-1)[pixels].astype(np.uint64)
        whose = (_LAST_POSITION - np.uint64(position)) << _POSITION
        claims = rank << _RANK | whose | (_LAST_PIXEL - pixels.astype(np.uint64))
        return cell_numbers(points, keyframe.depth.reshape(-1)[pixels], self._fraction), claims


def fuse_keyframes(keyframes: Mapping[int, Keyframe], fraction: float) -> FusedCloud:
    """The fused cloud of keyframes by position, all as they are now."""
    fused = FusedCloud(fraction)
    for position, keyframe in keyframes.items():
        fused.add(position, keyframe)
    for position in keyframes:
        fused.look_at(position)
    return fused


def _positions(claims: Claims) -> NDArray[np.uint64]:
    """Positions [N] of the keyframes that made claims [N]."""
    return _LAST_POSITION - (claims >> _POSITION & _LAST_POSITION)


def _cloud(keyframe: Keyframe, claims: Claims) -> PointCloud:
    pixels = _LAST_PIXEL - (claims & _LAST_PIXEL)
    return PointCloud(
        points=keyframe.camera_points().reshape(-1, 3)[pixels],
        colors=keyframe.image.reshape(-1, 3)[pixels],
        rank=(claims >> _RANK).astype(np.uint8),
    )
