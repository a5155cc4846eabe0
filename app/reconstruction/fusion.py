"""Clouds of the keyframes without what others saw better: bounded by the space that was seen."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.geometry import transform_points
from app.reconstruction.cloud import PointCloud, average_cells, cell_numbers, keyframe_cloud
from app.reconstruction.keyframe import Keyframe


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

    def __init__(self, fraction: float = 0.01) -> None:
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

    def update(self, position: int, keyframe: Keyframe) -> dict[int, PointCloud]:
        """Add a keyframe, or take it in anew; returns the clouds that changed, by position."""
        touched = self._forget(position) | {position} | self._add(position, keyframe)
        return self._clouds(touched)

    def remove(self, position: int) -> dict[int, PointCloud]:
        """Take a keyframe out: its cells go to the next best; returns the clouds that changed.

        Raises KeyError when there is no such keyframe.
        """
        if position not in self._claims:
            raise KeyError(position)
        return self._clouds(self._forget(position))

    def rebuild(self, keyframes: Mapping[int, Keyframe]) -> dict[int, PointCloud]:
        """Start again from these keyframes, by position; returns all clouds.

        For poses that moved. The side of a cell stays.
        """
        self._claims.clear()
        self._keep(np.zeros(len(self._cells), bool))
        for position, keyframe in keyframes.items():
            self._add(position, keyframe)
        return self._clouds(set(keyframes))

    def cloud(self, position: int) -> PointCloud:
        """The cells that a keyframe owns, in its camera's frame."""
        claim = self._claims[position]
        return _select(claim.cloud, claim.owned)

    def _add(self, position: int, keyframe: Keyframe) -> set[int]:
        """Take in a keyframe that is not there; returns the keyframes that lost cells to it."""
        if not self._voxel:
            self._voxel = self._fraction * float(np.median(keyframe.depth))
        cloud = keyframe_cloud(keyframe)
        points = transform_points(keyframe.world_from_camera[:3], cloud.points)
        cells, cloud = average_cells(cloud, cell_numbers(points, self._voxel))
        self._claims[position] = _Claim(cells, cloud, np.zeros(len(cells), bool))
        return self._contest(position, np.arange(len(cells), dtype=np.int32))

    def _contest(self, position: int, entries: NDArray[np.int32]) -> set[int]:
        """Give a keyframe those of its cells that it sees best; returns the owners before it."""
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
        self._cells = np.insert(self._cells, at, cells[~known])
        self._owner = np.insert(self._owner, at, position)
        self._rank = np.insert(self._rank, at, ranks[~known])
        self._entry = np.insert(self._entry, at, fresh)
        claim.owned[entry] = claim.owned[fresh] = True
        return losers

    def _forget(self, position: int) -> set[int]:
        """Take a keyframe's cells away; returns the owners after it."""
        claim = self._claims.pop(position, None)
        if claim is None:
            return set()
        freed = claim.cells[claim.owned]
        self._keep(self._owner != position)
        heirs = set()
        for heir, other in self._claims.items():
            known, _ = _find(freed, other.cells)
            if known.any():
                entries = np.flatnonzero(known).astype(np.int32)
                heirs |= {heir} | self._contest(heir, entries)
        return heirs

    def _keep(self, kept: NDArray[np.bool_]) -> None:
        self._cells, self._owner = self._cells[kept], self._owner[kept]
        self._rank, self._entry = self._rank[kept], self._entry[kept]

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


def _select(cloud: PointCloud, chosen: NDArray[np.bool_]) -> PointCloud:
    # Twice as fast by places as by flags.
    places = np.flatnonzero(chosen)
    return PointCloud(cloud.points[places], cloud.colors[places], cloud.rank[places])
