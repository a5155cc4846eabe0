"""The geometry of two frames: which matches one motion of the camera explains, and which motion.

Estimated by pycolmap; a pair counts only if chance would not make it.
"""

from collections.abc import Callable, Sequence
from itertools import islice
from math import comb, log10
from typing import Any

import numpy as np

from app.geometry import Floats
from app.refinement._pycolmap import pycolmap
from app.refinement.evidence import Cameras, epipolar_errors
from app.refinement.features import Features, Matches, Pair

Geometries = dict[Pair, Any]
"""The verified geometry (pycolmap's) of pairs: inlier matches and relative camera."""

MIN_INLIERS = 12
MIN_PARALLAX = np.radians(1.0)
"""Median angle between the rays of a pair below which it tells no direction of motion."""
# Of a match, in `Features.unit`.
_MAX_ERROR = 2.5
_TRIALS = 1500
# Matches that a second motion explains, at least, and relative to the first: something moves or
# repeats, and nobody can tell which motion is the camera's.
_MIN_RIVAL, _RIVAL = 20, 0.5
# Focal lengths (in long sides) at which a turn of the camera alone is tried, and how far from a
# rotation (ratio of the largest singular value to the smallest) is as good as one.
_TURN_FOCALS = np.geomspace(0.4, 2.5, 30)
_TURN_RATIO = 1.02
# Parallax from which pairs are equally good to begin with.
_GOOD_PARALLAX = np.radians(8.0)


def verify(
    features: Sequence[Features],
    matches: Matches,
    unclear: Matches,
    focals: Floats,
    check: Callable[[], None] = lambda: None,
) -> Geometries:
    """The pairs whose matches one motion between two cameras of these focal lengths explains.

    Unclear matches that the motion explains too are added to its inliers. `check` is called
    before each pair and may raise.
    """
    geometries = {}
    for (i, j), pairs in matches.items():
        check()
        if len(pairs) < MIN_INLIERS:
            continue
        first, second = (camera(features[k], focals[k]) for k in (i, j))
        found = _two_view(first, features[i], second, features[j], pairs)
        if found is None:
            continue
        inliers = {tuple(row) for row in found.inlier_matches.tolist()}
        others = np.array([row for row in pairs.tolist() if tuple(row) not in inliers], np.uint32)
        rival = None
        if len(others) >= max(_MIN_RIVAL, _RIVAL * len(inliers)):
            rival = _two_view(first, features[i], second, features[j], others)
        if rival is None or len(rival.inlier_matches) < max(_MIN_RIVAL, _RIVAL * len(inliers)):
            error, in_front = epipolar_errors(
                pair_cameras((i, j), found, focals), features, (i, j), unclear[i, j]
            )
            fitting = unclear[i, j][in_front & (error < _MAX_ERROR * features[i].unit)]
            found.inlier_matches = np.concatenate([found.inlier_matches, fitting])
            geometries[i, j] = found
    return geometries


def pair_cameras(pair: Pair, geometry: Any, focals: Floats) -> Cameras:
    """The cameras of a pair alone, as its geometry says."""
    return Cameras({pair[0]: np.eye(3, 4), pair[1]: geometry.cam2_from_cam1.matrix()}, focals)


def initial_pairs(features: Sequence[Features], geometries: Geometries, count: int) -> list[Pair]:
    """Pairs to begin with, the best first: many inliers and enough parallax."""

    def merit(pair: Pair) -> float:
        found = geometries[pair]
        return len(found.inlier_matches) * min(1.0, found.tri_angle / _GOOD_PARALLAX)

    parallax = [pair for pair, found in geometries.items() if found.tri_angle >= MIN_PARALLAX]
    ranked = sorted(parallax, key=merit, reverse=True)
    moved = (
        (i, j) for i, j in ranked if not _only_turned(geometries[i, j], features[i], features[j])
    )
    return list(islice(moved, count))


def _only_turned(found: Any, first: Features, second: Features) -> bool:
    """Whether a turn of a camera of any focal length explains a pair that a homography explains.

    With a wrong focal length such a pair seems to have parallax.
    """
    planar = pycolmap.TwoViewGeometryConfiguration.PLANAR.value
    if found.config < planar or found.H is None:
        return False
    for share in _TURN_FOCALS:
        a, b = (
            camera(view, share * max(view.size)).calibration_matrix() for view in (first, second)
        )
        values = np.linalg.svd(np.linalg.inv(b) @ found.H @ a, compute_uv=False)
        if values[0] < _TURN_RATIO * values[2]:
            return True
    return False


def _two_view(first: Any, a: Features, second: Any, b: Features, matches: Any) -> Any:
    options = pycolmap.TwoViewGeometryOptions()
    options.compute_relative_pose = True
    options.detect_watermark = False
    options.min_num_inliers = MIN_INLIERS
    # A fundamental matrix, as if the focal length were unknown, fits two motions at once.
    options.min_E_F_inlier_ratio = 0.0
    options.ransac.max_error = _MAX_ERROR * a.unit
    options.ransac.min_inlier_ratio = 0.1
    options.ransac.max_num_trials = _TRIALS
    options.ransac.random_seed = 0
    found = pycolmap.estimate_calibrated_two_view_geometry(
        first, a.pixels, second, b.pixels, matches, options
    )
    count = len(found.inlier_matches)
    if found.cam2_from_cam1 is None or count < MIN_INLIERS:
        return None
    # By chance a feature is in the band along its epipolar line.
    band = 2 * _MAX_ERROR * b.unit * np.hypot(*b.size) / np.prod(b.size)
    return found if by_chance(count, len(matches), 5, band) < 0 else None


def by_chance(inliers: int, matches: int, sample: int, share: float) -> float:
    """Log10 of the number of cameras that so many of these matches would fit by mere chance.

    The a contrario measure of Moisan and Stival (2004): any `sample` matches make a camera, which
    another one fits by chance if its feature is in a place that has this share of the image.
    """
    if inliers <= sample:
        return np.inf
    cameras = (matches - sample) * comb(matches, inliers) * comb(inliers, sample)
    return log10(cameras) + (inliers - sample) * log10(share)


def camera(features: Features, focal: float, number: int = 1) -> Any:
    """pycolmap's camera of a frame, with its principal point in the middle."""
    height, width = features.size
    return pycolmap.Camera(
        model="SIMPLE_PINHOLE",
        width=width,
        height=height,
        params=[focal, width / 2, height / 2],
        camera_id=number,
    )
