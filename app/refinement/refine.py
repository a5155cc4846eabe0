"""Poses, focal lengths and depth of keyframes made exact by multi-view geometry.

Cameras are made anew from features of the whole frames (`mapping`), from several first guesses;
those that explain most matches that were set apart (`evidence`) are taken if they explain more
than the network's do. What cannot be reached keeps the network's camera, relative to its nearest
neighbour that was. Depth is moved smoothly through the triangulated points (`depth`).
"""

from collections.abc import Callable, Sequence
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from app.geometry import Floats
from app.reconstruction.keyframe import Keyframe
from app.refinement.evidence import Cameras, explains_more, split, support, support_of_any_lens
from app.refinement.features import FEW, Features, Matches, Seen, extract, match, pairs_to_match
from app.refinement.lens import Candidate, choose, is_credible, tells_lens
from app.refinement.mapping import grow
from app.refinement.outcome import Refinement, kept
from app.refinement.pairs import Geometries, initial_pairs, verify
from app.refinement.resection import reach
from app.refinement.result import assemble, network_scale

# First guesses: the network's focal lengths, then these (in long sides of the image) if they are
# not near it; with each, the best pairs to begin with.
_FOCALS = 0.75, 1.1
_NEAR_FOCAL = 1.15
_INITIAL_PAIRS = 2
# No other guess is tried if all frames together explain so much of what pairs, each with lenses
# of its own, do.
_ENOUGH = 0.95


class _Cancelled(Exception):
    pass


def refine(
    keyframes: Sequence[Keyframe],
    load_image: Callable[[Keyframe], NDArray[np.uint8]] = lambda keyframe: keyframe.image,
    *,
    seen: Seen | None = None,
    cancelled: Callable[[], bool] = lambda: False,
    progress: Callable[[float], None] = lambda share: None,
) -> Refinement:
    """Refine keyframes; those given are not changed.

    load_image: gives a keyframe's frame [h,w,3] RGB in full, of which `keyframe.image` is the
    middle (`fit_image`); seen: what `look` found in the frames before; cancelled: asked between
    the steps, each below a second or so; then all keeps the network's result. progress: told the
    share that is done, 0 to 1.
    """

    def check() -> None:
        if cancelled():
            raise _Cancelled

    try:
        return _refine(keyframes, load_image, seen, check, progress)
    except _Cancelled:
        return kept(keyframes, "cancelled")


def _refine(
    keyframes: Sequence[Keyframe],
    load_image: Callable[[Keyframe], NDArray[np.uint8]],
    seen: Seen | None,
    check: Callable[[], None],
    progress: Callable[[float], None],
) -> Refinement:
    seen = seen or look(keyframes, load_image, check, progress)
    features = seen.features
    used, held_out = split(seen.matches)
    network = network_cameras(keyframes, features)
    before = support(network, features, held_out)

    def candidates(
        matches: Matches, guesses: Sequence[Floats], start: float, end: float
    ) -> tuple[list[Candidate], Geometries]:
        """Models from guesses of the focal lengths, and the pairs of the first one with any."""
        found: list[Candidate] = []
        first: Geometries = {}
        for number, focals in enumerate(guesses, 1):
            geometries = verify(features, matches, seen.unclear, focals, check)
            first = first or geometries
            enough = _ENOUGH * sum(
                support_of_any_lens(pair_found.F, features, pair, held_out[pair])
                for pair, pair_found in geometries.items()
                if pair_found.F is not None
            )
            for pair in initial_pairs(features, geometries, _INITIAL_PAIRS):
                check()
                model = grow(features, focals, geometries, pair, check)
                if model is None or not is_credible(model, network.focals):
                    continue
                score = sum(support(model.cameras, features, held_out).values())
                found.append(Candidate(model, geometries, score))
                reached = model.cameras.poses.keys() >= set(chain(*geometries))
                if score > enough and reached and tells_lens(model):
                    return found, geometries
            progress(start + (end - start) * number / len(guesses))
        return found, first

    guesses = _focal_guesses(network.focals, features)
    found, geometries = candidates(_best_stretch(used), guesses, 0.4, 0.6)
    if len(keyframes) > FEW:
        # One lens took all: what a part tells of it holds for the whole.
        guesses = [choose(found).model.cameras.focals] if found else guesses
        found, geometries = candidates(used, guesses, 0.6, 0.9)
    if not found:
        return kept(keyframes, _why_no_model(seen.matches, geometries))
    best = choose(found)
    if not explains_more(best.score, sum(before.values())):
        return kept(
            keyframes,
            f"the network's cameras explain {sum(before.values()):.0f} of "
            f"{sum(map(len, held_out.values()))} matches set apart, geometry's {best.score:.0f}",
        )
    model = reach(best.model, features, used)
    with_unclear = {pair: np.concatenate([used[pair], seen.unclear[pair]]) for pair in used}
    model = reach(model, features, with_unclear)
    return assemble(keyframes, features, held_out, network, model, best.geometries, best.doubt)


def look(
    keyframes: Sequence[Keyframe],
    load_image: Callable[[Keyframe], NDArray[np.uint8]],
    check: Callable[[], None] = lambda: None,
    progress: Callable[[float], None] = lambda share: None,
) -> Seen:
    """Find and match the features of keyframes; arguments as of `refine`, `check` may raise."""
    features = []
    for number, keyframe in enumerate(keyframes, 1):
        check()
        features.append(extract(load_image(keyframe)))
        progress(0.2 * number / len(keyframes))
    seen = Seen(features, {}, {})
    pairs = pairs_to_match([keyframe.image for keyframe in keyframes])
    for number, (i, j) in enumerate(pairs, 1):
        check()
        seen.matches[i, j], seen.unclear[i, j] = match(features[i], features[j])
        progress(0.2 + 0.2 * number / len(pairs))
    return seen


def _best_stretch(matches: Matches) -> Matches:
    """The matches of as many frames in a row as all pairs are tried of, where there are most."""
    last = max((j for _, j in matches), default=0)
    stretches = [
        {(i, j): pairs for (i, j), pairs in matches.items() if first <= i and j < first + FEW}
        for first in range(max(1, last + 2 - FEW))
    ]
    return max(stretches, key=lambda stretch: sum(map(len, stretch.values())))


def network_cameras(keyframes: Sequence[Keyframe], features: Sequence[Features]) -> Cameras:
    """The cameras that keyframes have, for the images that the features were found in."""
    poses: dict[int, Floats] = {
        k: keyframe.extrinsic.astype(np.float64) for k, keyframe in enumerate(keyframes)
    }
    focals = [
        k.intrinsic[0, 0] / network_scale(k, view)
        for k, view in zip(keyframes, features, strict=True)
    ]
    return Cameras(poses, np.array(focals, np.float64))


def _focal_guesses(network: Floats, features: Sequence[Features]) -> list[Floats]:
    """First guesses [S] of the focal lengths; frames of one size have one lens."""
    sizes = [view.size for view in features]
    middle = np.array(
        [np.median(network[[size == other for other in sizes]]) for size in sizes], np.float64
    )
    sides = np.array([max(size) for size in sizes], np.float64)
    known = float(np.median(middle / sides))
    far = [f for f in _FOCALS if abs(np.log(f / known)) > np.log(_NEAR_FOCAL)]
    return [middle, *(factor * sides for factor in far)]


def _why_no_model(matches: Matches, geometries: Geometries) -> str:
    most = max((len(pairs) for pairs in matches.values()), default=0)
    if not geometries:
        return f"no two frames have matches that one motion explains (at most {most} matches)"
    parallax = np.degrees(max(found.tri_angle for found in geometries.values()))
    return (
        f"too little parallax between the frames ({parallax:.1f} degrees): only the camera turned"
    )
