"""Pose codes against the golden vectors; transforms and their errors against what they undo."""

from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from app.geometry import (
    Sim3,
    decode_pose,
    invert_se3,
    matrix_to_quaternion,
    nearest_rotation,
    pose_errors,
    quaternion_to_matrix,
    rotation_angle,
    to_homogeneous,
    transform_points,
    umeyama,
    unproject_depth,
)

GOLDEN = Path(__file__).parents[2].parent / "shared" / "golden" / "tiny" / "units.npz"


@pytest.fixture(scope="module")
def golden() -> dict[str, np.ndarray]:
    if not GOLDEN.exists():
        pytest.skip(f"{GOLDEN} is not there")
    return dict(np.load(GOLDEN))


def random_rotation(rng: np.random.Generator) -> np.ndarray:
    return quaternion_to_matrix(rng.normal(size=4))


def random_cameras(count: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    rotations = np.array([random_rotation(rng) for _ in range(count)])
    return np.concatenate([rotations, rng.normal(size=(count, 3, 1))], -1)


def test_decode_pose_equals_golden(golden: dict[str, np.ndarray]) -> None:
    height, width = golden["pose.hw"]
    extrinsic, intrinsic = decode_pose(golden["pose.enc"], (int(height), int(width)))
    assert_allclose(extrinsic, golden["pose.extrinsic_back"], atol=1e-6)
    assert_allclose(intrinsic, golden["pose.intrinsic_back"], rtol=1e-5)


def test_rotations_equal_golden(golden: dict[str, np.ndarray]) -> None:
    assert_allclose(quaternion_to_matrix(golden["rot.quat_xyzw"]), golden["rot.mat"], atol=1e-6)


def test_unprojection_equals_golden(golden: dict[str, np.ndarray]) -> None:
    camera = unproject_depth(golden["unproj.depth"][..., 0], golden["unproj.intrinsic"])
    inverse = invert_se3(golden["unproj.extrinsic"])
    world = [transform_points(pose, points) for pose, points in zip(inverse, camera, strict=True)]
    assert_allclose(world, golden["unproj.world"], atol=1e-5)


def test_decode_pose_bounds_the_focal_length() -> None:
    code = np.array([0, 0, 0, 0, 0, 0, 1, 0, 4], np.float32)
    _, intrinsic = decode_pose(code, (168, 224))
    assert np.isfinite(intrinsic).all()
    assert (np.diag(intrinsic) > 0).all()


def test_quaternions_round_trip_every_half_turn() -> None:
    rng = np.random.default_rng(0)
    half_turns = np.eye(4)[:3]
    for quaternion in [*half_turns, *rng.normal(size=(50, 4))]:
        matrix = quaternion_to_matrix(quaternion)
        back = matrix_to_quaternion(matrix)
        assert back[3] >= 0
        assert_allclose(quaternion_to_matrix(back), matrix, atol=1e-12)


def test_invert_se3() -> None:
    cameras = random_cameras(5, 1)
    product = to_homogeneous(cameras) @ to_homogeneous(invert_se3(cameras))
    assert_allclose(product, np.broadcast_to(np.eye(4), (5, 4, 4)), atol=1e-12)


@pytest.mark.parametrize("angle", [1e-7, 1e-3, 1.0, np.pi - 1e-4, np.pi])
def test_rotation_angle(angle: float) -> None:
    rotation = quaternion_to_matrix(np.array([0, np.sin(angle / 2), 0, np.cos(angle / 2)]))
    assert_allclose(rotation_angle(rotation), angle, rtol=1e-6)


def test_nearest_rotation_is_never_a_reflection() -> None:
    assert np.linalg.det(nearest_rotation(np.diag([1.0, 1.0, -0.1]))) > 0


def test_umeyama_recovers_a_similarity() -> None:
    rng = np.random.default_rng(2)
    truth = Sim3(2.5, random_rotation(rng), rng.normal(size=3))
    source = rng.normal(size=(200, 3))
    exact = umeyama(source, truth.apply(source))
    assert_allclose(exact.scale, truth.scale, rtol=1e-12)
    assert_allclose(exact.rotation, truth.rotation, atol=1e-12)
    assert_allclose(exact.translation, truth.translation, atol=1e-12)
    noisy = umeyama(source, truth.apply(source) + rng.normal(scale=0.01, size=source.shape))
    assert_allclose(noisy.scale, truth.scale, rtol=2e-3)
    assert_allclose(noisy.translation, truth.translation, atol=5e-3)


def test_umeyama_of_a_mirrored_cloud_is_a_rotation() -> None:
    source = np.random.default_rng(3).normal(size=(50, 3))
    assert np.linalg.det(umeyama(source, source * [1, 1, -1]).rotation) > 0


def test_moving_the_world_keeps_what_cameras_see() -> None:
    rng = np.random.default_rng(4)
    move = Sim3(0.3, random_rotation(rng), rng.normal(size=3))
    camera = random_cameras(1, 5)[0]
    points = rng.normal(size=(20, 3))
    before = transform_points(camera, points)
    after = transform_points(move.move_extrinsic(camera), move.apply(points))
    assert_allclose(after, move.scale * before, atol=1e-12)


def test_pose_errors_ignore_the_frame_and_scale() -> None:
    truth = random_cameras(6, 6)
    rng = np.random.default_rng(7)
    moved = Sim3(3.0, random_rotation(rng), rng.normal(size=3)).move_extrinsic(truth)
    errors = pose_errors(moved, truth)
    assert errors.rotation_deg == pytest.approx(0, abs=1e-5)
    assert errors.translation_deg == pytest.approx(0, abs=1e-5)
    assert errors.ate_percent == pytest.approx(0, abs=1e-9)


def test_pose_errors_measure_a_known_turn() -> None:
    truth = random_cameras(2, 8)
    turn = quaternion_to_matrix(np.array([0, 0, np.sin(0.05), np.cos(0.05)]))
    estimate = truth.copy()
    estimate[1] = turn @ truth[1]
    assert pose_errors(estimate, truth).rotation_deg == pytest.approx(np.degrees(0.1))


def test_an_estimate_that_does_not_move_is_ninety_degrees_off() -> None:
    truth = np.tile(np.eye(4)[:3], (3, 1, 1))
    truth[:, 0, 3] = [0, 1, 2]
    still = np.tile(np.eye(4)[:3], (3, 1, 1))
    errors = pose_errors(still, truth)
    assert errors.translation_deg == pytest.approx(90)
    assert errors.rotation_deg == pytest.approx(0)


def test_pose_errors_of_one_camera_have_no_meaning() -> None:
    assert np.isnan(pose_errors(random_cameras(1, 9), random_cameras(1, 9)).rotation_deg)
