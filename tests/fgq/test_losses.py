"""Losses at their edges; their values are compared in test_golden.py."""

import math

import pytest
import torch
from torch import Tensor

from fgq.train.losses import camera_loss, dense_terms, depth_loss, pair_loss, point_loss


@pytest.fixture
def maps() -> tuple[Tensor, Tensor, Tensor]:
    """Points [1, 2, 40, 30, 3], their confidence, and a mask that is all valid."""
    generator = torch.Generator().manual_seed(0)
    points = torch.rand(1, 2, 40, 30, 3, generator=generator) + 1
    return points, torch.full((1, 2, 40, 30), 2.0), torch.ones(1, 2, 40, 30, dtype=torch.bool)


def test_exact_predictions(maps: tuple[Tensor, Tensor, Tensor]) -> None:
    points, confidence, mask = maps
    terms = dense_terms(points, confidence, points, mask, "normal")
    assert terms.regression == 0
    assert terms.gradient == pytest.approx(0, abs=1e-6)
    assert terms.confidence.item() == pytest.approx(-0.2 * torch.tensor(2.0).log().item())
    code = torch.rand(1, 2, 9)
    assert camera_loss([code, code], code) == 0


@pytest.mark.parametrize("loss", [depth_loss, point_loss])
def test_too_few_pixels_give_zero_with_a_gradient(loss, maps) -> None:  # type: ignore[no-untyped-def]
    points, confidence, mask = maps
    points = points.clone().requires_grad_()
    few = torch.zeros_like(mask)
    few[..., :4, :5] = True
    value = loss(points, confidence, points.detach() + 1, few)
    value.backward()
    assert value == 0
    assert points.grad is not None
    assert points.grad.eq(0).all()


def test_a_scene_without_valid_pixels_in_its_first_view_does_not_count() -> None:
    target = torch.zeros(2, 2, 9)
    code = torch.stack((torch.full((2, 9), 1.0), torch.full((2, 9), 3.0)))
    mask = torch.ones(2, 2, 20, 20, dtype=torch.bool)
    mask[1, 0] = False
    only_first = camera_loss([code], target, mask)
    assert only_first.item() == pytest.approx(1 + 1 + 0.5)
    assert camera_loss([code], target, mask & False) == 0


def test_later_iterations_weigh_more() -> None:
    target, wrong = torch.zeros(1, 1, 9), torch.ones(1, 1, 9)
    early = camera_loss([wrong, target], target)
    late = camera_loss([target, wrong], target)
    assert early.item() == pytest.approx(0.6 * late.item())


def test_invalid_pixels_and_outliers_are_left_out(maps: tuple[Tensor, Tensor, Tensor]) -> None:
    points, confidence, mask = maps
    target = points + 0.1 * points.flip(0, 1, 2)
    mask[..., :3, :] = False
    reference = dense_terms(points, confidence, target, mask, "difference", 0.98)
    target[..., :3, :, :] = 1e6
    unchanged = dense_terms(points, confidence, target, mask, "difference", 0.98)
    torch.testing.assert_close(unchanged, reference)
    target[0, 0, 10, :15] = 50
    robust = dense_terms(points, confidence, target, mask, "difference", 0.98)
    assert robust.regression.item() == pytest.approx(reference.regression.item(), rel=2e-2)
    plain = dense_terms(points, confidence, target, mask, "difference")
    assert plain.regression > 2 * reference.regression


def test_pair_loss_is_the_angle_of_rotation_and_direction() -> None:
    extrinsic = torch.eye(3, 4).repeat(1, 2, 1, 1)
    extrinsic[0, 1, 0, 3] = 1
    code = torch.tensor([[[0.0, 0, 0, 0, 0, 0, 1, 1, 1], [1.0, 0, 0, 0, 0, 0, 1, 1, 1]]])
    assert pair_loss([code], extrinsic) == pytest.approx(0, abs=5e-3)
    angle = 0.1
    aside = code.clone()
    aside[0, 1, :3] = torch.tensor([math.cos(angle), math.sin(angle), 0])
    assert pair_loss([aside], extrinsic) == pytest.approx(angle / 1.02, rel=1e-2)
    turned = code.clone()
    turned[0, 1, 3:7] = torch.tensor([0, 0, math.sin(angle / 2), math.cos(angle / 2)])
    assert pair_loss([turned], extrinsic) == pytest.approx(angle, rel=0.02)


def test_pair_loss_has_a_gradient_where_nothing_moves() -> None:
    code = torch.tensor([0.0, 0, 0, 0, 0, 0, 1, 1, 1]).repeat(1, 3, 1).requires_grad_()
    extrinsic = torch.eye(3, 4).repeat(1, 3, 1, 1)
    pair_loss([code], extrinsic).backward()
    assert code.grad is not None
    assert code.grad.isfinite().all()


def test_outliers_are_kept_without_a_quantile(maps: tuple[Tensor, Tensor, Tensor]) -> None:
    points, confidence, mask = maps
    mask[0, 1] = False
    target = points.clone()
    target[0, 0, :20, :, 0] += 0.5
    target[0, 1] = 7
    terms = dense_terms(points, confidence, target, mask, "difference")
    assert terms.regression.item() == pytest.approx(0.25)
