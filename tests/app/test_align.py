"""Windows are joined in spite of noise and of a view that is wrong."""

from dataclasses import dataclass

import numpy as np
import pytest

from app.geometry import Sim3, quaternion_to_matrix, rotation_angle
from app.reconstruction.align import align_window, average_rotations, geometric_median

SIZE = (24, 32)


@dataclass
class View:
    extrinsic: np.ndarray
    depth: np.ndarray
    confidence: np.ndarray


def small_turn(rng: np.random.Generator, sigma: float) -> np.ndarray:
    return quaternion_to_matrix(np.append(rng.normal(scale=sigma / 2, size=3), 1.0))


def make_case(count: int, noise: float, seed: int) -> tuple[list[View], list[View], Sim3]:
    """The same views in two windows that differ by a similarity, with noise in one of them."""
    rng = np.random.default_rng(seed)
    rotation = quaternion_to_matrix(rng.normal(size=4))
    truth = Sim3(float(rng.uniform(0.5, 2)), rotation, rng.normal(size=3))
    source, target = [], []
    for _ in range(count):
        pose = np.column_stack([small_turn(rng, 0.3), rng.normal(scale=0.3, size=3)])
        depth = rng.uniform(1, 3, SIZE).astype(np.float32)
        confidence = rng.uniform(1, 5, SIZE).astype(np.float32)
        source.append(View(pose, depth, confidence))
        moved = truth.move_extrinsic(pose)
        moved = np.column_stack(
            [small_turn(rng, noise) @ moved[:, :3], moved[:, 3] + rng.normal(scale=noise, size=3)]
        )
        factor = np.exp(rng.normal(scale=noise, size=SIZE))
        target.append(View(moved, depth * truth.scale * factor, confidence))
    return source, target, truth


def errors(found: Sim3, truth: Sim3) -> tuple[float, float, float]:
    return (
        abs(np.log(found.scale / truth.scale)),
        float(rotation_angle(found.rotation @ truth.rotation.T)),
        float(np.linalg.norm(found.translation - truth.translation)),
    )


@pytest.mark.parametrize("count", [1, 2, 3, 6])
@pytest.mark.parametrize("seed", range(3))
def test_exact(count: int, seed: int) -> None:
    source, target, truth = make_case(count, 0, seed)
    assert max(errors(align_window(source, target), truth)) < 1e-6


@pytest.mark.parametrize("seed", range(5))
def test_noise(seed: int) -> None:
    source, target, truth = make_case(4, 0.02, seed)
    scale, rotation, translation = errors(align_window(source, target), truth)
    assert scale < 0.01
    assert rotation < 0.04
    assert translation < 0.08


@pytest.mark.parametrize("seed", range(5))
def test_one_wrong_view_of_four(seed: int) -> None:
    source, target, truth = make_case(4, 0.01, seed)
    rng = np.random.default_rng(100 + seed)
    wrong = target[seed % 4]
    wrong.extrinsic = np.column_stack([quaternion_to_matrix(rng.normal(size=4)), [5, -4, 3]])
    wrong.depth = rng.uniform(0.1, 10, SIZE).astype(np.float32)
    scale, rotation, translation = errors(align_window(source, target), truth)
    assert scale < 0.01
    assert rotation < 0.03
    assert translation < 0.08


def test_of_two_views_the_consistent_one_counts() -> None:
    source, target, truth = make_case(2, 0.005, 3)
    rng = np.random.default_rng(4)
    target[0].depth = target[0].depth * np.exp(rng.normal(scale=1, size=SIZE)).astype(np.float32)
    target[0].extrinsic = target[0].extrinsic + 0.5
    assert max(errors(align_window(source, target), truth)) < 0.05


def test_wrong_depth_of_unsure_pixels_is_ignored() -> None:
    source, target, truth = make_case(2, 0, 5)
    for view in target:
        view.depth = np.where(view.confidence < 2.9, view.depth * 7, view.depth)
    assert max(errors(align_window(source, target), truth)) < 1e-6


def test_medians_pass_over_an_outlier() -> None:
    ones = np.ones(5)
    points = np.array([[0.0, 0, 0], [0.1, 0, 0], [0, 0.1, 0], [0, 0, 0.1], [90, 90, 90]])
    assert np.linalg.norm(geometric_median(points, ones)) < 0.15
    rng = np.random.default_rng(6)
    rotations = np.array([small_turn(rng, 0.01) for _ in range(4)] + [np.diag([1.0, -1, -1])])
    assert rotation_angle(average_rotations(rotations, ones)) < 0.03
