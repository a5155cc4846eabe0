"""Relative cameras from matches and rough depth are right, and as sure as they say."""

import numpy as np
import pytest
from textured_room import SIZE, turned

from app.capture._cv2 import cv2
from app.geometry import rotation_angle
from app.reconstruction import Keyframe
from app.reconstruction.two_view import RelativePose, relative_pose

TURN = cv2.Rodrigues(np.array([0.05, 0.3, 0.02]))[0]
SHIFT = np.array([-0.6, 0.1, 0.15])
FOCAL = 180.0
HEIGHT, WIDTH = SIZE


def keyframe(depth: np.ndarray, focal: float) -> Keyframe:
    lens = np.array([[focal, 0, WIDTH / 2], [0, focal, HEIGHT / 2], [0, 0, 1]], np.float32)
    image = np.zeros((*SIZE, 3), np.uint8)
    pose = np.eye(3, 4, dtype=np.float32)
    return Keyframe(0, 0.0, "", image, pose, lens, depth.astype(np.float32), np.ones_like(depth))


def project(points: np.ndarray) -> np.ndarray:
    return FOCAL * points[:, :2] / points[:, 2:] + [WIDTH / 2, HEIGHT / 2]


def coarse_noise(rng: np.random.Generator, scale: float) -> np.ndarray:
    noise = rng.normal(scale=scale, size=(4, 4)).astype(np.float32)
    return np.exp(cv2.resize(noise, (WIDTH, HEIGHT), interpolation=cv2.INTER_LINEAR))


def solve(
    seed: int,
    noise: float = 0.0,
    tilt: tuple[float, float] = (0.0, 0.0),
    focal: float = FOCAL,
    part: float = 1.0,
) -> tuple[RelativePose, np.ndarray] | None:
    """Points in front of two cameras, seen by a network with such faults of depth and focal length.

    part: of the image, in each direction, where matches are.
    """
    rng = np.random.default_rng(seed)
    count = 120
    a = rng.uniform(0.5 - part / 2, 0.5 + part / 2, (count, 2)) * [WIDTH - 1, HEIGHT - 1]
    z = rng.uniform(2, 5, count)
    points = np.column_stack([(a - [WIDTH / 2, HEIGHT / 2]) / FOCAL, np.ones(count)]) * z[:, None]
    moved = points @ TURN.T + SHIFT
    b = project(moved)
    a, b = (pixels + rng.normal(scale=0.3, size=(count, 2)) for pixels in (a, b))
    seen = ((a >= 0) & (b >= 0) & (np.maximum(a, b) <= [WIDTH - 1, HEIGHT - 1])).all(1)
    views = []
    for pixels, depth in ((a[seen], z[seen]), (b[seen], moved[seen, 2])):
        chart = np.ones(SIZE)
        x, y = np.rint(pixels).astype(int).T
        chart[y, x] = depth
        v, u = np.mgrid[-1 : 1 : HEIGHT * 1j, -1 : 1 : WIDTH * 1j]
        fault = np.exp(tilt[0] * u + tilt[1] * v) * coarse_noise(rng, noise)
        views.append(keyframe(chart * fault, focal))
    # A first guess that is off by degrees.
    guess = cv2.Rodrigues(np.array([0.0, 0.1, 0.03]))[0] @ TURN, SHIFT * 0.7
    return relative_pose(*views, *(p[seen].astype(np.float32) for p in (a, b)), *guess)


def pose(found: tuple[RelativePose, np.ndarray] | None) -> RelativePose:
    assert found is not None
    return found[0]


@pytest.mark.parametrize("seed", range(3))
def test_good_depth_gives_the_camera(seed: int) -> None:
    found = pose(solve(seed))
    assert turned(found.rotation, TURN) < 0.7
    assert np.linalg.norm(found.translation - SHIFT) < 0.06
    assert abs(found.log_ratio) < 0.05


@pytest.mark.parametrize("seed", range(3))
def test_tilted_depth_and_a_wrong_focal_length_do_not_turn_the_camera(seed: int) -> None:
    found = pose(solve(seed, tilt=(0.3, -0.3), focal=0.9 * FOCAL))
    assert turned(found.rotation, TURN) < 2.5


def test_errors_are_as_large_as_they_are_said_to_be() -> None:
    ratios = []
    for seed in range(30):
        found = pose(solve(seed, noise=0.1))
        angle = rotation_angle(found.rotation @ TURN.T) / found.sigma_angle
        shift = np.linalg.norm(found.rotation.T @ found.translation - TURN.T @ SHIFT)
        ratios.append([angle**2 / 3, (shift / found.sigma_shift) ** 2 / 3])
    assert (np.mean(ratios, axis=0) < 2).all()
    assert (np.mean(ratios, axis=0) > 0.03).all()


def test_matches_in_the_middle_only_say_less() -> None:
    wide, narrow = pose(solve(0)), pose(solve(0, part=0.4))
    assert narrow.sigma_angle > 1.5 * wide.sigma_angle


def test_depth_that_explains_nothing_gives_nothing() -> None:
    assert solve(0, noise=1.5) is None
