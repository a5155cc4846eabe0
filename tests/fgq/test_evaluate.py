"""Metrics on cameras and depths whose error is known."""

import math

import numpy as np
import pytest
import torch

from fgq.evaluate import depth_metrics, relative_pose_errors
from fgq.evaluate.pose import pose_pair_values, relative_poses


def turn(degrees: float) -> torch.Tensor:
    """Rotation about y."""
    a = math.radians(degrees)
    return torch.tensor([[math.cos(a), 0, math.sin(a)], [0, 1, 0], [-math.sin(a), 0, math.cos(a)]])


def camera(degrees: float, translation: tuple[float, float, float]) -> torch.Tensor:
    return torch.cat((turn(degrees), torch.tensor(translation)[:, None]), 1)


def test_relative_pose_errors_ignore_the_choice_of_world_and_scale() -> None:
    truth = torch.stack([camera(0, (0, 0, 0)), camera(10, (1, 0, 0)), camera(25, (1, 1, 2))])
    world = camera(77, (3, -2, 1))
    rotation = truth[..., :3] @ world[:, :3]
    translation = truth[..., :3] @ world[:, 3:] + truth[..., 3:]
    rotation_error, direction_error = relative_pose_errors(
        torch.cat((rotation, translation), -1), truth
    )
    assert rotation_error.max() < 1e-3
    scaled = torch.cat((truth[..., :3], 5 * truth[..., 3:]), -1)
    assert relative_pose_errors(scaled, truth)[1].max() < 1e-3
    assert direction_error.max() < 0.1


def test_relative_pose_errors_measure_angles() -> None:
    truth = torch.stack([camera(0, (0, 0, 0)), camera(10, (1, 0, 0))])
    wrong = torch.stack([camera(0, (0, 0, 0)), camera(14, (0, 1, 0))])
    rotation, direction = relative_pose_errors(wrong, truth)
    assert rotation.item() == pytest.approx(4, abs=1e-3)
    assert direction.item() == pytest.approx(90, abs=1e-3)
    backwards = torch.stack([camera(0, (0, 0, 0)), camera(10, (-1, 0, 0))])
    assert relative_pose_errors(backwards, truth)[1].item() == pytest.approx(180, abs=1e-3)


def test_relative_poses_take_points_from_the_first_camera_to_the_second() -> None:
    cameras = torch.stack(
        [camera(5, (1, 2, 3)), camera(40, (0, -1, 2)), camera(-70, (4, 0, 1))]
    ).double()
    point = torch.tensor([0.3, -0.2, 4.0], dtype=torch.float64)
    seen = cameras[..., :3] @ point + cameras[..., 3]
    rotation, translation = relative_poses(cameras)
    for pair, (i, j) in enumerate([(0, 1), (0, 2), (1, 2)]):
        assert torch.allclose(rotation[pair] @ seen[i] + translation[pair], seen[j])


def test_auc_is_the_mean_of_the_accuracy_curve() -> None:
    errors = np.array([0.0, 0.5, 1.0, 1.5, 2.999, 20.0, 29.5, 30.0, 90.0])
    zero = np.zeros_like(errors)
    for limit in (3, 5, 15, 30):
        by_hand = sum((errors < t).mean() for t in range(1, limit + 1)) / limit
        for values in (pose_pair_values(errors, zero), pose_pair_values(zero, errors)):
            assert values[f"auc{limit}"].mean() == pytest.approx(by_hand)


def test_auc_takes_the_worse_error_of_each_pair() -> None:
    rotation, direction = np.array([[0.5, 40.0]]), np.array([[12.0, 1.0]])
    values = pose_pair_values(rotation, direction)
    assert values["auc15"].tolist() == [[3 / 15, 0.0]]
    assert values["rra5"].tolist() == [[1.0, 0.0]]
    assert values["rta5"].tolist() == [[0.0, 1.0]]
    assert values["rta15"].tolist() == [[1.0, 1.0]]


def test_depth_metrics_remove_one_scale_a_sequence() -> None:
    truth = torch.rand(3, 10, 12) + 1
    perfect = depth_metrics(7 * truth, truth)
    assert perfect["abs_rel"] < 1e-6
    assert perfect["delta1"] == 1
    one_view_larger = truth.clone()
    one_view_larger[2] *= 1.5
    metrics = depth_metrics(one_view_larger, truth)
    assert metrics["abs_rel"] == pytest.approx(0.5 / 3, abs=1e-6)
    assert metrics["delta1"] == pytest.approx(2 / 3)


def test_depth_metrics_of_images_remove_one_scale_an_image() -> None:
    truth = torch.rand(3, 10, 12) + 1
    predicted = truth * torch.tensor([1.0, 1.5, 0.2])[:, None, None]
    assert depth_metrics(predicted, truth, per_image=True)["rmse"] < 1e-6
    truth[1] = 0  # an image without known depth
    assert depth_metrics(predicted, truth, per_image=True)["abs_rel"] < 1e-6
    assert depth_metrics(predicted, truth)["abs_rel"] > 0.1


def test_depth_errors_are_those_of_a_known_prediction() -> None:
    truth = torch.tensor([[[2.0, 2.0, 2.0, 4.0]]])
    predicted = torch.tensor([[[1.0, 1.0, 1.0, 3.0]]])  # times 2: 2, 2, 2, 6
    metrics = depth_metrics(predicted, truth)
    assert metrics["abs_rel"] == pytest.approx(0.5 / 4)
    assert metrics["rmse"] == pytest.approx(1)
    assert metrics["log_rmse"] == pytest.approx(math.log(1.5) / 2)
    assert metrics["delta1"] == pytest.approx(0.75)


def test_depth_metrics_leave_unknown_pixels_out() -> None:
    truth = torch.ones(1, 4, 4)
    truth[0, 0] = 0
    predicted = torch.ones(1, 4, 4)
    predicted[0, 0] = 1e9
    assert depth_metrics(predicted, truth)["abs_rel"] == 0
    with pytest.raises(ValueError, match="no pixel"):
        depth_metrics(predicted, torch.zeros(1, 4, 4))
