"""Metrics on cameras and depths whose error is known."""

import math

import pytest
import torch

from fgq.evaluate import auc, depth_metrics, pose_metrics, relative_pose_errors


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


def test_auc_is_the_mean_of_the_accuracy_curve() -> None:
    zero = torch.zeros(4)
    errors = torch.tensor([0.5, 1.5, 20.0, 90.0])
    by_hand = sum((errors < t).float().mean().item() for t in range(1, 31)) / 30
    assert auc(errors, zero, 30) == pytest.approx(by_hand)
    assert auc(zero, errors, 30) == pytest.approx(by_hand)
    assert pose_metrics(errors, zero)["auc3"] == pytest.approx((1 + 2 + 2) / 4 / 3)


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


def test_depth_metrics_leave_unknown_pixels_out() -> None:
    truth = torch.ones(1, 4, 4)
    truth[0, 0] = 0
    predicted = torch.ones(1, 4, 4)
    predicted[0, 0] = 1e9
    assert depth_metrics(predicted, truth)["abs_rel"] == 0
    with pytest.raises(ValueError, match="no pixel"):
        depth_metrics(predicted, torch.zeros(1, 4, 4))
