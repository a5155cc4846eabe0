"""The newest keyframes of a capture refined while it goes on, for a small part of what all cost.

Fewer features of each frame, found and matched once however often the frame takes part; one first
guess of the focal length and one pair to begin with. What comes out is judged as everywhere.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from app.reconstruction.keyframe import Keyframe
from app.refinement.evidence import MIN_SUPPORT, split, support
from app.refinement.features import Features, Matches, extract, match
from app.refinement.mapping import grow, initial_pairs, verify
from app.refinement.outcome import Refinement, kept
from app.refinement.refine import network_cameras
from app.refinement.result import assemble

_FEATURES = 1200
_BETTER = 1.1
# Of pairs, those so near in order.
_NEAR = 4


class LocalRefiner:
    """Remembers features and matches of the frames that took part last."""

    def __init__(self) -> None:
        self._features: dict[int, Features] = {}
        self._matches: dict[tuple[int, int], NDArray[np.uint32]] = {}

    def refine(
        self, keyframes: Sequence[Keyframe], images: Mapping[int, NDArray[np.uint8]]
    ) -> Refinement:
        """Refine keyframes; images: the frames [h,w,3] in full, by index, of those that did not
        take part the last time."""
        indices = [keyframe.index for keyframe in keyframes]
        self._forget_all_but(set(indices))
        for index, image in images.items():
            self._features[index] = extract(image, _FEATURES)
        features = [self._features[index] for index in indices]
        matches: Matches = {}
        for i, first in enumerate(indices):
            for j, second in enumerate(indices[i + 1 : i + 1 + _NEAR], i + 1):
                if (first, second) not in self._matches:
                    self._matches[first, second] = match(features[i], features[j])
                matches[i, j] = self._matches[first, second]
        return _refine(keyframes, features, matches)

    def _forget_all_but(self, indices: set[int]) -> None:
        self._features = {k: v for k, v in self._features.items() if k in indices}
        self._matches = {k: v for k, v in self._matches.items() if indices.issuperset(k)}


def _refine(
    keyframes: Sequence[Keyframe], features: Sequence[Features], matches: Matches
) -> Refinement:
    used, held_out = split(matches)
    network = network_cameras(keyframes, features)
    focals = np.full(len(features), np.median(network.focals))
    geometries = verify(features, used, focals)
    pairs = initial_pairs(features, geometries, 1)
    model = grow(features, focals, geometries, pairs[0], lambda: None) if pairs else None
    if model is None:
        return kept(keyframes, "too little to see or too little parallax")
    before = sum(support(network, features, held_out).values())
    score = sum(support(model.cameras, features, held_out).values())
    if score < max(MIN_SUPPORT, _BETTER * before):
        return kept(keyframes, "the cameras explain the matches set apart as they are")
    return assemble(keyframes, features, held_out, network, model, geometries)
