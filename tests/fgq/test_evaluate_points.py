"""Alignment and cloud metrics on clouds whose transform, distance and normals are known."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from fgq.evaluate import align_points, point_metrics, umeyama
from fgq.evaluate.points import Similarity, _Cloud

Points = NDArray[np.float64]


def random_similarity(rng: np.random.Generator) -> Similarity:
    rotation, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    rotation *= np.sign(np.linalg.det(rotation))
    return Similarity(float(np.exp(rng.normal())), rotation, rng.normal(size=3))


def room(height: int = 60, width: int = 90) -> Points:
    """A floor and two walls, one view [1, H, W, 3], spacing 0.05."""
    maps = []
    for axes in ((0, 1), (1, 2), (0, 2)):
        u, v = np.meshgrid(np.arange(width // 3) * 0.05, np.arange(height) * 0.05)
        plane = np.zeros((height, width // 3, 3))
        plane[..., axes[0]], plane[..., axes[1]] = u, v
        maps.append(plane)
    return np.concatenate(maps, axis=1)[None]


@pytest.mark.parametrize("seed", range(5))
def test_umeyama_finds_the_similarity(seed: int) -> None:
    rng = np.random.default_rng(seed)
    true, source = random_similarity(rng), rng.normal(size=(20, 3))
    found = umeyama(source, true(source))
    assert found.scale == pytest.approx(true.scale)
    np.testing.assert_allclose(found.rotation, true.rotation, atol=1e-10)
    np.testing.assert_allclose(found.translation, true.translation, atol=1e-10)


def test_umeyama_is_the_least_squares_similarity() -> None:
    """No neighbouring similarity is better on noisy points."""
    rng = np.random.default_rng(0)
    source = rng.normal(size=(30, 3))
    target = random_similarity(rng)(source) + 0.3 * rng.normal(size=(30, 3))
    best = umeyama(source, target)
    cost = ((best(source) - target) ** 2).sum()
    for _ in range(200):
        axis = 0.01 * rng.normal(size=3)
        cross = np.cross(np.eye(3), axis)
        turn = np.linalg.solve(np.eye(3) - cross, np.eye(3) + cross)  # Cayley: a rotation
        other = Similarity(
            best.scale * math.exp(0.01 * rng.normal()),
            turn @ best.rotation,
            best.translation + 0.01 * rng.normal(size=3),
        )
        assert ((other(source) - target) ** 2).sum() > cost


def test_umeyama_never_mirrors() -> None:
    rng = np.random.default_rng(1)
    source = rng.normal(size=(50, 3))
    found = umeyama(source, source * [1, 1, -1])
    assert np.linalg.det(found.rotation) == pytest.approx(1)
    with pytest.raises(ValueError, match="coincide"):
        umeyama(np.ones((5, 3)), rng.normal(size=(5, 3)))


@pytest.mark.parametrize("seed", range(5))
def test_alignment_survives_outliers_that_lead_least_squares_astray(seed: int) -> None:
    rng = np.random.default_rng(seed)
    true, source = random_similarity(rng), rng.normal(size=(1000, 3))
    target = true(source)
    target[:150] += true.scale * rng.normal(5, 3, size=(150, 3))
    found = align_points(source, target)
    assert found.scale == pytest.approx(true.scale, rel=1e-6)
    np.testing.assert_allclose(found.rotation, true.rotation, atol=1e-6)
    plain = umeyama(source, target)(source) - true(source)
    assert np.linalg.norm(plain, axis=1).min() > 0.1 * true.scale


def test_a_cloud_in_another_world_and_scale_is_perfect() -> None:
    truth = room()
    predicted = random_similarity(np.random.default_rng(3))(truth)
    known = np.ones(truth.shape[:3], bool)
    metrics = point_metrics(predicted, truth, known, True, 0.1, seed=0)
    assert metrics["accuracy_mean"] < 1e-9
    assert metrics["completeness_mean"] < 1e-9
    assert metrics["normal_median"] == pytest.approx(1)
    # 30 neighbours reach around the edges of the room, where normals of the match may be others'
    assert metrics["normal_mean"] > 0.95


def test_accuracy_is_the_distance_to_the_surface() -> None:
    """Every point is 0.02 off its plane, to a random side, which no alignment can undo."""
    truth = room()
    rng = np.random.default_rng(0)
    normals = np.repeat(np.eye(3)[[2, 0, 1]], truth.shape[2] // 3, axis=0)
    sides = rng.choice([-1, 1], truth.shape[:3])[..., None]
    predicted = 3 * (truth + 0.02 * sides * normals)
    known = np.ones(truth.shape[:3], bool)
    metrics = point_metrics(predicted, truth, known, True, 0.1, seed=0)
    assert metrics["accuracy_median"] == pytest.approx(0.02, rel=0.05)
    assert metrics["completeness_median"] == pytest.approx(0.02, rel=0.05)


def test_a_missing_wall_costs_completeness_and_not_accuracy() -> None:
    truth = room()
    width = truth.shape[2]
    predicted = truth.copy()
    predicted[:, :, -width // 9 :] = truth[:, :, : width // 9]  # a third of a wall lies elsewhere
    known = np.ones(truth.shape[:3], bool)
    metrics = point_metrics(predicted, truth, known, True, 0.1, seed=0)
    assert metrics["accuracy_mean"] < 1e-9
    away = np.linalg.norm(truth[0, :, -width // 9 :, None] - truth[0, 0, 0], axis=-1)
    assert 0.01 < metrics["completeness_mean"] < away.mean()


def test_normals_of_tilted_slats_deviate_by_the_tilt() -> None:
    """A wall of slats, each turned by 20 degrees: distances are small, normals are wrong."""
    height, slat, slats, tilt = 80, 40, 4, math.radians(20)
    v, u = np.mgrid[:height, : slat * slats] * 0.01
    truth = np.stack([u, v, np.zeros_like(u)], -1)[None]
    within = (np.arange(slat) - (slat - 1) / 2) * 0.01
    predicted = truth.copy()
    predicted[..., 0] += np.tile(within * (math.cos(tilt) - 1), slats)
    predicted[..., 2] = np.tile(within * math.sin(tilt), slats)
    known = np.ones(truth.shape[:3], bool)
    metrics = point_metrics(predicted, truth, known, True, 0.1, seed=0)
    assert metrics["normal_median"] == pytest.approx(math.cos(tilt), abs=0.01)


def test_normals_are_those_of_open3d() -> None:
    import open3d

    rng = np.random.default_rng(0)
    u, v = rng.uniform(-1, 1, (2, 500))
    points = np.stack([u, v, np.sin(2 * u) * np.cos(v)], -1)
    cloud = open3d.geometry.PointCloud(open3d.utility.Vector3dVector(points))
    cloud.estimate_normals(open3d.geometry.KDTreeSearchParamKNN(30))
    cosines = np.abs((_Cloud(points).normals(points) * np.asarray(cloud.normals)).sum(-1))
    np.testing.assert_allclose(cosines, 1, atol=1e-6)


def test_only_known_pixels_count() -> None:
    truth = room()
    rng = np.random.default_rng(0)
    known = rng.random(truth.shape[:3]) < 0.5
    predicted = np.where(known[..., None], truth, 100 * rng.normal(size=truth.shape))
    metrics = point_metrics(predicted, np.where(known[..., None], truth, 7), known, True, 0.1, 0)
    assert metrics["accuracy_mean"] < 1e-9
    assert metrics["completeness_mean"] < 1e-9
    assert point_metrics(predicted, truth, known & False, True, 0.1, seed=0) == {}


def test_sparse_truth_is_compared_with_the_prediction_at_every_pixel() -> None:
    truth = room()
    rng = np.random.default_rng(0)
    known = rng.random(truth.shape[:3]) < 0.03
    predicted = truth + 0.01 * rng.normal(size=truth.shape)
    metrics = point_metrics(predicted, truth, known, False, 0.1, seed=0)
    assert set(metrics) == {"completeness_mean", "completeness_median"}
    fit = align_points(predicted[known], truth[known])
    distance = np.linalg.norm(truth[known][:, None] - fit(predicted).reshape(1, -1, 3), axis=-1)
    assert metrics["completeness_mean"] == pytest.approx(distance.min(1).mean(), rel=1e-3)
    assert metrics["completeness_mean"] < np.linalg.norm(0.01 * np.ones(3))


def test_icp_corrects_what_corresponding_pixels_cannot() -> None:
    """Points slide along the floor and the walls: pixels disagree, surfaces do not."""
    truth = room(90, 180)
    predicted = truth.copy()
    predicted[:, :, :60, 0] += 0.3  # the floor slides along x, most points of the other walls stay
    known = np.ones(truth.shape[:3], bool)
    with_icp = point_metrics(predicted, truth, known, True, 0.1, seed=0)
    without = point_metrics(predicted, truth, known, True, 1e-9, seed=0)
    assert with_icp["accuracy_mean"] < 0.6 * without["accuracy_mean"]


def test_the_seed_fixes_the_points_drawn() -> None:
    truth = room(120, 180)
    rng = np.random.default_rng(0)
    predicted = truth + 0.05 * rng.normal(size=truth.shape)
    known = np.ones(truth.shape[:3], bool)
    first, again, other = (
        point_metrics(predicted, truth, known, True, 0.1, seed=seed)["accuracy_mean"]
        for seed in (0, 0, 1)
    )
    assert first == again
    assert first != other
    assert other == pytest.approx(first, rel=0.05)
