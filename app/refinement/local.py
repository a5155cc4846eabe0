"""The newest keyframes of a capture refined while it goes on, for a small part of what all cost.

Fewer features of each frame, found and matched once however often the frame takes part; one first
guess of the focal length and one pair to begin with. What comes out is judged as everywhere.
"""

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from app.geometry import invert_se3
from app.reconstruction.keyframe import Keyframe
from app.refinement.evidence import explains_more, split, support
from app.refinement.features import Features, Matches, Seen, extract, match
from app.refinement.mapping import grow
from app.refinement.outcome import Refinement, kept
from app.refinement.pairs import initial_pairs, verify
from app.refinement.refine import network_cameras
from app.refinement.result import assemble

_FEATURES = 1200
# By how much the focal length may be another than the network's.
_FOCAL = 1.25
# And how far the ways between the cameras may turn: beyond that one of both is wrong, and a few
# views do not tell which. Refinement of all keyframes does.
_OTHER_WAY = np.radians(45.0)
# Of pairs, those so near in order.
_NEAR = 4


class LocalRefiner:
    """Remembers features and matches of the frames that took part last."""

    def __init__(self) -> None:
        self._features: dict[int, Features] = {}
        self._matches: dict[tuple[int, int], tuple[NDArray[np.uint32], NDArray[np.uint32]]] = {}

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
        unclear: Matches = {}
        for i, first in enumerate(indices):
            for j, second in enumerate(indices[i + 1 : i + 1 + _NEAR], i + 1):
                if (first, second) not in self._matches:
                    self._matches[first, second] = match(features[i], features[j])
                matches[i, j], unclear[i, j] = self._matches[first, second]
        return _refine(keyframes, Seen(features, matches, unclear))

    def _forget_all_but(self, indices: set[int]) -> None:
        self._features = {k: v for k, v in self._features.items() if k in indices}
        self._matches = {k: v for k, v in self._matches.items() if indices.issuperset(k)}


def _refine(keyframes: Sequence[Keyframe], seen: Seen) -> Refinement:
    features = seen.features
    used, held_out = split(seen.matches)
    network = network_cameras(keyframes, features)
    focals = np.full(len(features), np.median(network.focals))
    geometries = verify(features, used, seen.unclear, focals)
    pairs = initial_pairs(features, geometries, 1)
    model = grow(features, focals, geometries, pairs[0], lambda: None) if pairs else None
    if model is None:
        return kept(keyframes, "too little to see or too little parallax")
    off = float(model.cameras.focals[0] / focals[0])
    if abs(np.log(off)) > np.log(_FOCAL):
        # With little parallax any lens explains all matches, and with another all turns differ.
        return kept(keyframes, "too little parallax to tell the focal length")
    before = sum(support(network, features, held_out).values())
    score = sum(support(model.cameras, features, held_out).values())
    if not explains_more(score, before):
        return kept(keyframes, "the cameras explain the matches set apart as they are")
    refinement = assemble(keyframes, features, held_out, network, model, geometries)
    if _turned_ways(keyframes, refinement.keyframes) > _OTHER_WAY:
        return kept(keyframes, "the camera would have moved another way than the network saw")
    return refinement


def _turned_ways(before: Sequence[Keyframe], after: Sequence[Keyframe]) -> float:
    """Median angle (radians) between the ways from camera to camera, as each of them sees it."""
    angles = []
    for i, j in combinations(range(len(before)), 2):
        ways = []
        for keyframes in (before, after):
            there = invert_se3(keyframes[j].extrinsic.astype(np.float64))[:, 3]
            ways.append(keyframes[i].extrinsic @ np.append(there, 1.0))
        sine = np.linalg.norm(np.cross(*ways))
        angles.append(float(np.arctan2(sine, ways[0] @ ways[1])))
    return float(np.median(angles))
