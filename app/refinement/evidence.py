"""How well cameras explain matches that they were not made from."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.geometry import Floats
from app.refinement.features import Features, Matches, Pair

TOLERANCE = 2.0
"""Distance (`Features.unit`) from the epipolar line at which a match says nothing any more."""
MIN_SUPPORT = 2.0
"""Matches set apart that must speak for a camera."""
# How many more matches set apart must speak for geometry's cameras than for the network's.
_BETTER = 1.1
_HELD_OUT = 0.2
_SEED = 0


@dataclass(frozen=True)
class Cameras:
    """poses: camera-from-world [3,4] by position of the frame, where there is one; focals [S] of
    all frames in pixels of the images that the features were found in."""

    poses: dict[int, Floats]
    focals: Floats


def split(matches: Matches) -> tuple[Matches, Matches]:
    """Matches to make cameras from, and a fifth that is set apart to judge them by."""
    random = np.random.default_rng(_SEED)
    used, held_out = {}, {}
    for pair, pairs in matches.items():
        apart = random.random(len(pairs)) < _HELD_OUT
        used[pair], held_out[pair] = pairs[~apart], pairs[apart]
    return used, held_out


def support(cameras: Cameras, features: Sequence[Features], matches: Matches) -> dict[Pair, float]:
    """How many matches of each pair the cameras explain; the nearer to the line, the more.

    MSAC's score (Torr and Zisserman 2000) of the Sampson error, 0 for points behind a camera.
    """
    scores = {}
    for pair, pairs in matches.items():
        error, in_front = epipolar_errors(cameras, features, pair, pairs)
        scores[pair] = _score(error[in_front], features[pair[0]])
    return scores


def explains_more(score: float, before: float) -> bool:
    """Whether the matches set apart speak for geometry's cameras, and not for the network's."""
    return score >= max(MIN_SUPPORT, _BETTER * before)


def support_of_any_lens(
    fundamental: Floats, features: Sequence[Features], pair: Pair, matches: NDArray[np.uint32]
) -> float:
    """How many matches of a pair a fundamental matrix [3,3] explains, scored as by `support`."""
    first, second = (
        np.column_stack([features[k].pixels[matches[:, side]], np.ones(len(matches))])
        for side, k in enumerate(pair)
    )
    return _score(_sampson(first @ fundamental.T, second @ fundamental, second), features[pair[0]])


def _score(error: Floats, features: Features) -> float:
    return float(np.maximum(0, 1 - (error / (TOLERANCE * features.unit)) ** 2).sum())


def _sampson(line: Floats, back: Floats, second: Floats) -> Floats:
    """Errors [N] of points [N,3] from their line; back: the lines [N,3] in the other image."""
    gradient = (line[:, :2] ** 2).sum(1) + (back[:, :2] ** 2).sum(1)
    error: Floats = np.abs((second * line).sum(1)) / np.sqrt(gradient + 1e-30)
    return error


def epipolar_errors(
    cameras: Cameras, features: Sequence[Features], pair: Pair, matches: NDArray[np.uint32]
) -> tuple[Floats, NDArray[np.bool_]]:
    """Sampson errors [N] in pixels, and whether the point is in front of both cameras [N].

    Without a camera or without a way between both, all errors are infinite.
    """
    unknown = np.full(len(matches), np.inf), np.zeros(len(matches), bool)
    if not cameras.poses.keys() >= set(pair):
        return unknown
    first, second = (cameras.poses[k] for k in pair)
    rotation = second[:, :3] @ first[:, :3].T
    translation = second[:, 3] - rotation @ first[:, 3]
    length = np.linalg.norm(translation)
    if length == 0:
        return unknown
    translation = translation / length
    focals = cameras.focals[list(pair)]
    x, y = (
        features[k].rays(float(focal))[matches[:, side]]
        for side, (k, focal) in enumerate(zip(pair, focals, strict=True))
    )
    turned = x @ rotation.T
    line = np.cross(translation, turned)
    # The essential matrix, transposed, times y: the other image's line.
    back = np.cross(y, translation) @ rotation
    error = _sampson(line, back, y) * np.sqrt(focals.prod())
    depths = ray_depths(turned, y, translation)
    return error, (depths[0] > 0) & (depths[1] > 0)


def ray_depths(turned: Floats, second: Floats, translation: Floats) -> Floats:
    """Depths [2,N] along rays [N,3] of two cameras where they come nearest to each other.

    turned: the first camera's rays in the second one's axes; second: the second one's; with
    z = 1 in their own camera these are z-depths, in the length of `translation` [3]. Rays that are
    parallel meet at infinity.
    """
    normal = np.cross(turned, second)
    size = np.maximum((normal**2).sum(1), 1e-30)
    a = -(normal * np.cross(translation, second)).sum(1) / size
    b = -(normal * np.cross(translation, turned)).sum(1) / size
    return np.stack([a, b])
