"""Clouds of the keyframes without what others saw better: bounded by the space that was seen."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.geometry import transform_points
from app.reconstruction.cloud import (
    PointCloud,
    average_cells,
    cell_numbers,
    keyframe_cloud,
    select_points,
)
from app.reconstruction.keyframe import Keyframe

FUSE = 0.005
"""Side of a cell as part of the median depth of the first keyframe, unless another is asked for."""


@dataclass(frozen=True)
class _Claim:
    """What one keyframe has to say: an averaged point for each cell [M] that it sees, ascending,
    and which of the cells [M] it owns."""

    cells: NDArray[np.int64]
    cloud: PointCloud
    owned: NDArray[np.bool_]


class FusedCloud:
    """Clouds of keyframes in which every cell of a grid in the global frame has one owner.

    The owner is the keyframe whose points in the cell have the highest rank by confidence; of
    equals, the earliest. The clouds stay apart, in the frame of their keyframe's camera, so that a
    keyframe can be switched off or moved; together they hold one point for each cell, however
    often it was seen. The result depends on the keyframes alone, not on the order of the calls.
    """

    def __init__(self, fraction: float = FUSE) -> None:
        """fraction: side of a cell as part of the median depth of the first keyframe."""
        self._fraction = fraction
        self._voxel = 0.0
        self._claims: dict[int, _Claim] = {}
        self._cells = np.empty(0, np.int64)
        self._owner = np.empty(0, np.int32)
        self._rank = np.empty(0, np.uint8)
        # Place of the cell in its owner's claim.
        self._entry = np.empty(0, np.int32)

    @property
    def voxel(self) -> float:
        """Side of a cell in global scale; 0 before the first keyframe."""
        return self._voxel

    def __len__(self) -> int:
        """Number of points of all clouds."""
        return len(self._cells)

    def update(self, keyframes: Mapping[int, Keyframe]) -> dict[int, PointCloud]:
        """Add keyframes, by position, or take them in anew; returns the clouds that changed."""
        freed = self._forget(keyframes)
        changed = set(keyframes)
        for position, keyframe in keyframes.items():
            changed |= self._add(position, keyframe)
        return self._clouds(changed | self._inherit(freed))

    def remove(self, position: int) -> dict[int, PointCloud]:
        """Take a keyframe out: its cells go to the next best; returns the clouds that changed.

        Raises KeyError when there is no such keyframe.
        """
        if position not in self._claims:
            raise KeyError(position)
        return self._clouds(self._inherit(self._forget([position])))

    def cloud(self, position: int) -> PointCloud:
        """The cells that a keyframe owns, in its camera's frame."""
        claim = self._claims[position]
        return select_points(claim.cloud, claim.owned)

    def _add(self, position: int, keyframe: Keyframe) -> set[int]:
        """Take in a keyframe that is not there; returns whose clouds changed."""
        if not self._voxel:
            self._voxel = self._fraction * float(np.median(keyframe.depth))
        cloud = keyframe_cloud(keyframe)
        points = transform_points(keyframe.world_from_camera[:3], cloud.points)
        cells, cloud = average_cells(cloud, cell_numbers(points, self._voxel))
        self._claims[position] = _Claim(cells, cloud, np.zeros(len(cells), bool))
        return self._contest(position, np.arange(len(cells)))

    def _contest(self, position: int, entries: NDArray[np.int64]) -> set[int]:
        """Give a keyframe those of its cells that it sees best; returns whose clouds changed."""
        claim = self._claims[position]
        cells, ranks = claim.cells[entries], claim.cloud.rank[entries]
        known, place = _find(self._cells, cells)
        there, rank = place[known], ranks[known]
        better = rank > self._rank[there]
        better |= (rank == self._rank[there]) & (position < self._owner[there])
        won, entry = there[better], entries[known][better]
        owner, lost = self._owner[won], self._entry[won]
        losers = {int(loser) for loser in np.unique(owner)}
        for loser in losers:
            self._claims[loser].owned[lost[owner == loser]] = False
        self._owner[won], self._rank[won], self._entry[won] = position, rank[better], entry
        at, fresh = place[~known], entries[~known]
        if len(fresh):
            self._cells = np.insert(self._cells, at, cells[~known])
            self._owner = np.insert(self._owner, at, position)
            self._rank = np.insert(self._rank, at, ranks[~known])
            self._entry = np.insert(self._entry, at, fresh)
        claim.owned[entry] = claim.owned[fresh] = True
        return losers | ({position} if len(entry) or len(fresh) else set())

    def _forget(self, positions: Iterable[int]) -> NDArray[np.int64]:
        """Take keyframes out that are there; returns the cells that they owned, ascending."""
        gone = [position for position in positions if self._claims.pop(position, None)]
        freed = np.isin(self._owner, gone)
        cells = self._cells[freed]
        kept = ~freed
        self._cells, self._owner = self._cells[kept], self._owner[kept]
        self._rank, self._entry = self._rank[kept], self._entry[kept]
        return cells

    def _inherit(self, freed: NDArray[np.int64]) -> set[int]:
        """Give freed cells to who sees them best now; returns whose clouds changed."""
        changed = set[int]()
        for position, claim in self._claims.items() if len(freed) else ():
            known, place = _find(claim.cells, freed)
            if known.any():
                changed |= self._contest(position, place[known])
        return changed

    def _clouds(self, positions: set[int]) -> dict[int, PointCloud]:
        return {p: self.cloud(p) for p in sorted(positions) if p in self._claims}


def _find(
    cells: NDArray[np.int64], wanted: NDArray[np.int64]
) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Which of `wanted` are in the ascending `cells`, and their places there or where to insert."""
    place = np.searchsorted(cells, wanted)
    if not len(cells):
        return np.zeros(len(wanted), bool), place
    return cells[np.minimum(place, len(cells) - 1)] == wanted, place
