"""Fuses the clouds of a run while it goes on, in a time that does not grow with the run."""

from collections import Counter
from collections.abc import Iterable, Sequence

from app.reconstruction import FusedCloud, Keyframe, PointCloud, fuse_keyframes

# Keyframes that a loop moved are added anew at their new place, so many with each window.
_AGAIN = 3
# A cloud is told anew when it has lost so many points and this share of them. Until then they are
# there twice, within one cell.
_LOST, _LOST_SHARE = 500, 0.25


class LiveFusion:
    """Nearly what `fuse_keyframes` gives, while keyframes come and move; at the end exactly that.

    A keyframe takes cells from others once no later window changes it; until then it has all that
    it would see better, so that what it takes need never be given back. Where a loop moves
    keyframes, which in a walk back and forth most windows do, their points move along at once, and
    cells are given anew for a few of them with each window. So meanwhile a surface may have more
    points than it needs.
    """

    def __init__(self, fraction: float) -> None:
        """fraction: as in FusedCloud."""
        self._fraction = fraction
        self._fused = FusedCloud(fraction)
        self._settled = 0
        # Moved since they were added, in order. The values mean nothing.
        self._moved: dict[int, None] = {}
        self._sizes: Counter[int] = Counter()
        self._lost: Counter[int] = Counter()

    def update(
        self,
        keyframes: Sequence[Keyframe],
        fresh: Sequence[int],
        moved: Iterable[int],
        settled: int,
    ) -> dict[int, PointCloud]:
        """Take in what a window brought; returns the clouds that are to be told, by position.

        keyframes: all so far; fresh: positions of new and changed ones, whose clouds are always
        told; moved: of those that a loop moved; settled: so many of the first are changed by loops
        only from now on.
        """
        final = {*range(self._settled, settled), *(at for at in fresh if at < self._settled)}
        self._settled = max(self._settled, settled)
        self._moved |= dict.fromkeys(moved)
        again = [at for at in self._moved if at < self._settled and at not in final][:_AGAIN]
        added = [*sorted(final), *again]
        for position in added:
            self._moved.pop(position, None)
            self._lost += self._fused.add(position, keyframes[position])
        thinned = [
            position
            for position, lost in self._lost.items()
            if lost > _LOST + _LOST_SHARE * self._sizes[position]
        ]
        clouds = {at: self._fused.cloud(at, keyframes[at]) for at in {*added, *thinned}}
        for position, cloud in clouds.items():
            self._sizes[position] = len(cloud.points)
            del self._lost[position]
        previews = (position for position in fresh if position not in clouds)
        return clouds | {at: self._fused.preview(at, keyframes[at]) for at in previews}

    def finish(self, keyframes: Sequence[Keyframe], fresh: Sequence[int]) -> dict[int, PointCloud]:
        """Fuse all keyframes as they are now; returns the clouds that are to be told."""
        fused = fuse_keyframes(dict(enumerate(keyframes)), self._fraction)
        return {
            position: fused.cloud(position, keyframe)
            for position, keyframe in enumerate(keyframes)
            if position in fresh or not fused.agrees(self._fused, position)
        }
