"""Which lens is taken, and how far depth depends on it, where the matches hardly tell it.

Two frames fix the focal length so weakly that a lens 20 % off explains their matches as well, with
other depths that agree among themselves; matches set apart repeat the mistake. So other lenses are
tried, the middle one is taken of those that explain nearly as much, and depth is believed no
further than these agree.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from app.geometry import Floats
from app.refinement.mapping import Model
from app.refinement.pairs import Geometries

# Points that three frames see, from which on the lens counts as told.
_MIN_POINTS = 20
# Below this parallax the adjustment may trade the focal length for anything: a lens that is so much
# longer or shorter than the network's is not believed.
_LITTLE_PARALLAX = np.radians(8.0)
_OTHER_LENS = 1.5
# A model is a rival if it explains so much of what the best one does, or one match less.
_NEARLY = 0.95
# Points that two models must share to be compared.
_MIN_SHARED = 10


@dataclass(frozen=True)
class Candidate:
    """A model, the pairs that it was made from, how many matches set apart speak for it; doubt: by
    how much its log depth may be off, beside its scale, all together."""

    model: Model
    geometries: Geometries
    score: float
    doubt: float = 0.0


def tells_lens(model: Model) -> bool:
    """Whether enough points are seen by three frames or more."""
    seen = model.observations.values()
    return sum(int((frame.track_length > 2).sum()) for frame in seen) >= 3 * _MIN_POINTS


def is_credible(model: Model, network: Floats) -> bool:
    """Whether parallax speaks for a lens as far from the network's focal lengths [S] as this."""
    off = np.abs(np.log(model.cameras.focals / network)).min()
    return bool(model.parallax >= _LITTLE_PARALLAX or off < np.log(_OTHER_LENS))


def choose(candidates: Sequence[Candidate]) -> Candidate:
    """The one that explains most; of several lenses that explain as much, the middle one.

    Its doubt is the largest over the others of the median over the points that both have.
    """
    best = max(candidates, key=lambda candidate: candidate.score)
    if tells_lens(best.model):
        return best
    rivals = [
        candidate
        for candidate in candidates
        if candidate.score >= min(_NEARLY * best.score, best.score - 1)
        and candidate.model.cameras.poses.keys() == best.model.cameras.poses.keys()
    ]
    rivals.sort(key=lambda rival: float(np.median(rival.model.cameras.focals)))
    middle = rivals[(len(rivals) - 1) // 2]
    doubt = max(_apart(middle.model, rival.model) for rival in rivals)
    return Candidate(middle.model, middle.geometries, middle.score, doubt)


def _apart(first: Model, second: Model) -> float:
    ratios = [np.empty(0)]
    for position in first.observations.keys() & second.observations.keys():
        a, b = first.observations[position], second.observations[position]
        _, i, j = np.intersect1d(a.features, b.features, assume_unique=True, return_indices=True)
        ratios.append(a.depth[i] / b.depth[j])
    ratio = np.concatenate(ratios)
    # Points of one model may lie behind a camera of the other.
    ratio = np.log(ratio[ratio > 0])
    if len(ratio) < _MIN_SHARED:
        return np.inf
    return float(np.median(np.abs(ratio - np.median(ratio))))
