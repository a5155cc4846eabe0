"""Matches of two frames become a motion only if chance does not explain them."""

import numpy as np
import pytest
from numpy.typing import NDArray

from app.capture._cv2 import cv2
from app.refinement.evidence import Cameras
from app.refinement.features import Features
from app.refinement.mapping import Model, Observations
from app.refinement.pairs import verify
from app.refinement.resection import reach

FOCAL, PLANE = 400.0, (400, 500)


def pixels_of(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Pixels [N,2] of points [N,3] in a camera's frame, in an image of size PLANE."""
    return FOCAL * points[:, :2] / points[:, 2:] + [PLANE[1] / 2, PLANE[0] / 2]


def features_at(pixels: NDArray[np.float64]) -> Features:
    return Features(pixels, np.zeros((len(pixels), 128), np.float32), PLANE)


def anywhere(rng: np.random.Generator, count: int) -> NDArray[np.float64]:
    return rng.uniform(0, PLANE[::-1], (count, 2))


def numbered(count: int) -> NDArray[np.uint32]:
    """Matches [N,2] of features that have the same number in both frames."""
    return np.tile(np.arange(count, dtype=np.uint32)[:, None], 2)


NO_MATCHES = np.empty((0, 2), np.uint32)


def test_two_motions_that_one_camera_cannot_make_leave_no_pair() -> None:
    rng = np.random.default_rng(0)
    points = rng.uniform([-2, -2, 4], [2, 2, 8], (240, 3))
    moves = np.where(np.arange(240)[:, None] < 120, [1.0, 0, 0], [0, 1.0, 1.0])
    features = [features_at(pixels_of(p)) for p in (points, points + moves)]
    pairs, focals = numbered(240), np.full(2, FOCAL)
    unclear = {(0, 1): NO_MATCHES}
    assert not verify(features, {(0, 1): pairs}, unclear, focals)
    assert (0, 1) in verify(features, {(0, 1): pairs[:120]}, unclear, focals)


def test_matches_that_fit_by_chance_make_no_pair() -> None:
    """Of a hundred false ones, some camera explains more than a pair needs."""
    rng = np.random.default_rng(0)
    features = [features_at(anywhere(rng, 100)) for _ in range(2)]
    assert not verify(features, {(0, 1): numbered(100)}, {(0, 1): NO_MATCHES}, np.full(2, FOCAL))


def test_unclear_matches_join_the_motion_of_clear_ones() -> None:
    rng = np.random.default_rng(0)
    points = rng.uniform([-2, -2, 4], [2, 2, 8], (140, 3))
    second = pixels_of(points + np.array([1.0, 0, 0]))
    second[120:] = anywhere(rng, 20)
    features, pairs = [features_at(pixels_of(points)), features_at(second)], numbered(140)
    geometries = verify(features, {(0, 1): pairs[:60]}, {(0, 1): pairs[60:]}, np.full(2, FOCAL))
    inliers = set(geometries[0, 1].inlier_matches[:, 0].tolist())
    assert inliers >= set(range(120))
    assert len(inliers) < 130


@pytest.mark.parametrize("true", [0, 12])
def test_frame_is_reached_by_few_true_matches_among_many_false(true: int) -> None:
    """Two frames that are known tell of the same points; a third one follows from the second."""
    rng = np.random.default_rng(0)
    points = rng.uniform([-2, -2, 4], [2, 2, 8], (100, 3))
    turned = np.column_stack([cv2.Rodrigues(np.array([0, 0.2, 0.1]))[0], [0.5, 0.2, 0.3]])
    moved = points @ turned[:, :3].T + turned[:, 3]
    seen = anywhere(rng, 100)
    seen[:true] = pixels_of(moved[:true])
    features = [features_at(pixels) for pixels in [pixels_of(points)] * 2 + [seen] * 2]
    known = Observations(
        features=np.arange(100, dtype=np.uint32),
        pixels=features[0].pixels,
        depth=points[:, 2],
        error=np.zeros(100),
        track_length=np.full(100, 2.0),
    )
    cameras = Cameras(dict.fromkeys((0, 1), np.eye(3, 4)), np.full(4, FOCAL))
    model = Model(cameras, {0: known, 1: known}, parallax=0.1)
    pairs = (0, 2), (1, 2), (2, 3)
    reached = reach(model, features, dict.fromkeys(pairs, numbered(100)))
    assert set(reached.cameras.poses) == ({0, 1, 2, 3} if true else {0, 1})
    for position in set(reached.cameras.poses) - {0, 1}:
        np.testing.assert_allclose(reached.cameras.poses[position], turned, atol=1e-3)
        observed = reached.observations[position]
        assert set(observed.features[:true]) == set(range(true))
        np.testing.assert_allclose(observed.depth[:true], moved[:true, 2], rtol=1e-3)
