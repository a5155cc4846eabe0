"""Task losses of predictions whose error is known."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from fgq.geometry import quaternion_to_matrix
from fgq.task_loss import rotation_tangent, task_losses, task_outputs
from fgq.vggt import Predictions

VIEWS, SIZE = 3, (4, 5)


@pytest.fixture
def reference() -> Predictions:
    torch.manual_seed(0)
    pose = torch.rand(1, VIEWS, 9, dtype=torch.float64) + 0.1
    depth = torch.rand(1, VIEWS, *SIZE, 1, dtype=torch.float64) + 1
    return {
        "pose_enc": pose,
        "depth": depth,
        "depth_conf": 1 + torch.rand(1, VIEWS, *SIZE, dtype=torch.float64).exp(),
        "world_points": torch.randn(1, VIEWS, *SIZE, 3, dtype=torch.float64),
        "world_points_conf": 1 + torch.rand(1, VIEWS, *SIZE, dtype=torch.float64),
    }


def changed(reference: Predictions, **fields: Tensor) -> Predictions:
    return {**reference, **fields}


def turned(quaternion: Tensor, angle: float, axis: Tensor) -> Tensor:
    """Quaternion (x y z w) of a turn by `angle` after `quaternion`, by the product's definition."""
    v = F.normalize(axis, dim=-1) * math.sin(angle / 2)
    w = math.cos(angle / 2)
    x, s = quaternion[..., :3], quaternion[..., 3:]
    vector = w * x + s * v + torch.linalg.cross(v.expand_as(x), x)
    return torch.cat((vector, w * s - (v * x).sum(-1, keepdim=True)), -1)


def test_no_error_no_loss(reference: Predictions) -> None:
    losses = task_losses(reference, reference)
    assert list(losses) == ["camera", "depth", "points"]
    assert all(loss.tolist() == [0.0] for loss in losses.values())


def test_translation_counts_in_median_depths(reference: Predictions) -> None:
    pose = reference["pose_enc"].clone()
    pose[0, 1, :3] += torch.tensor([0.03, 0.0, 0.04], dtype=torch.float64)
    loss = task_losses(changed(reference, pose_enc=pose), reference)["camera"].item()
    median = sorted(reference["depth"].flatten().tolist())[VIEWS * 20 // 2 - 1]
    assert loss == pytest.approx(0.5 * (0.05 / median) ** 2 / VIEWS, rel=1e-9)


def test_rotation_counts_in_radians(reference: Predictions) -> None:
    pose = reference["pose_enc"].clone()
    axis = torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64)
    pose[..., 3:7] = turned(pose[..., 3:7], 0.02, axis)
    # The helper above is right if the matrices say so.
    relative = (
        quaternion_to_matrix(pose[..., 3:7])
        @ quaternion_to_matrix(reference["pose_enc"][..., 3:7]).mT
    )
    cosine = (relative.diagonal(dim1=-2, dim2=-1).sum(-1) - 1) / 2
    torch.testing.assert_close(cosine, torch.full_like(cosine, math.cos(0.02)))
    loss = task_losses(changed(reference, pose_enc=pose), reference)["camera"].item()
    assert loss == pytest.approx(0.5 * 0.02**2, rel=1e-4)


@pytest.mark.parametrize("degrees", [0.01, 10.0, 40.0, 170.0])
def test_rotation_tangent_is_the_angle_whatever_the_quaternions_sign(degrees: float) -> None:
    q0 = torch.tensor([0.3, -0.2, 0.5, -0.7], dtype=torch.float64)
    q = -3 * turned(q0, math.radians(degrees), torch.tensor([0.0, 1.0, 1.0], dtype=torch.float64))
    angle = math.degrees(rotation_tangent(q, q0).norm().item())
    assert angle == pytest.approx(degrees, rel=0.011 if degrees <= 40 else 0.3)


def test_field_of_view_counts_in_logarithms(reference: Predictions) -> None:
    pose = reference["pose_enc"].clone()
    pose[..., 7:] *= 1.01
    loss = task_losses(changed(reference, pose_enc=pose), reference)["camera"].item()
    assert loss == pytest.approx(0.5 * 2 * math.log(1.01) ** 2, rel=1e-9)


def test_depth_is_the_confident_mean_of_squared_logarithms(reference: Predictions) -> None:
    depth = reference["depth"] * torch.linspace(0.9, 1.1, 60).view(1, VIEWS, *SIZE, 1)
    loss = task_losses(changed(reference, depth=depth), reference)["depth"].item()
    total = weight = 0.0
    for d, d0, c in zip(
        depth.flatten().tolist(),
        reference["depth"].flatten().tolist(),
        reference["depth_conf"].flatten().tolist(),
        strict=True,
    ):
        total += c * math.log(d / d0) ** 2
        weight += c
    assert loss == pytest.approx(0.5 * total / weight, rel=1e-9)


def test_points_count_relative_to_the_distance_from_their_camera(reference: Predictions) -> None:
    points = reference["world_points"] + 0.01
    loss = task_losses(changed(reference, world_points=points), reference)["points"].item()
    rotation = quaternion_to_matrix(reference["pose_enc"][0, :, 3:7])
    distances = []
    for view in range(VIEWS):
        # In the camera's own frame its centre is the origin.
        own = reference["world_points"][0, view].flatten(0, 1) @ rotation[view].T
        distances.append((own + reference["pose_enc"][0, view, :3]).norm(dim=1))
    distance = torch.cat(distances)
    assert distance.min() > 0.1 * distance.median()
    c = reference["world_points_conf"].flatten()
    expected = 0.5 * (c / c.sum() * 3 * 0.01**2 / distance.square()).sum()
    assert loss == pytest.approx(expected.item(), rel=1e-9)


def test_a_point_at_its_camera_does_not_outweigh_all_others(reference: Predictions) -> None:
    pose = reference["pose_enc"].clone()
    pose[..., :3] = 0
    points = reference["world_points"].clone()
    points[0, 0, 0, 0] = 0
    there = changed(reference, pose_enc=pose, world_points=points)
    loss = task_losses(changed(there, world_points=points + 0.01), there)["points"]
    assert 0 < loss.item() < 1


def test_losses_have_no_unit(reference: Predictions) -> None:
    """A network whose scale is 7 times larger makes the same errors."""
    pose = reference["pose_enc"].clone()
    pose[..., :3] *= 7
    larger = changed(
        reference,
        pose_enc=pose,
        depth=7 * reference["depth"],
        world_points=7 * reference["world_points"],
    )
    wrong, wrong_larger = (
        changed(
            x,
            pose_enc=x["pose_enc"] * 1.05,
            depth=x["depth"] * 1.02,
            world_points=x["world_points"] * 0.9,
        )
        for x in (reference, larger)
    )
    for a, b in zip(
        task_losses(wrong, reference).values(),
        task_losses(wrong_larger, larger).values(),
        strict=True,
    ):
        torch.testing.assert_close(a, b)


def test_scenes_of_a_batch_count_for_themselves(reference: Predictions) -> None:
    both = {k: torch.cat((x, x.flip(1))) for k, x in reference.items()}
    wrong = changed(both, depth=both["depth"] * torch.tensor([1.1, 1.0]).view(2, 1, 1, 1, 1))
    losses = task_losses(wrong, both)["depth"].tolist()
    assert losses == [pytest.approx(0.5 * math.log(1.1) ** 2, rel=1e-6), 0]


def test_gradient_at_the_reference_is_finite_and_does_not_reach_constants(
    reference: Predictions,
) -> None:
    leaves = {k: x.clone().requires_grad_() for k, x in reference.items()}
    outputs = task_outputs(leaves, leaves)
    for y in outputs.values():
        y.sum().backward()
    for name in ("pose_enc", "depth", "world_points"):
        assert leaves[name].grad.isfinite().all()
        assert leaves[name].grad.abs().sum() > 0
    assert leaves["depth_conf"].grad is None
    assert leaves["world_points_conf"].grad is None
    # The median depth is the scale of the translation, but as a constant.
    alone = {k: x.clone().requires_grad_() for k, x in reference.items()}
    task_outputs(alone, alone)["camera"].sum().backward()
    assert alone["depth"].grad is None


def test_without_other_heads_the_networks_scale_and_origin_are_used(
    reference: Predictions,
) -> None:
    camera: Predictions = {"pose_enc": reference["pose_enc"]}
    moved: Predictions = {"pose_enc": reference["pose_enc"] + F.pad(torch.tensor([0.1]), (0, 8))}
    losses = task_losses(moved, camera)
    assert list(losses) == ["camera"]
    assert losses["camera"].item() == pytest.approx(0.5 * 0.01, rel=1e-6)
    points: Predictions = {
        "world_points": reference["world_points"],
        "world_points_conf": reference["world_points_conf"],
    }
    nearer: Predictions = {**points, "world_points": points["world_points"] * 0.9}
    assert task_losses(nearer, points)["points"].item() == pytest.approx(0.5 * 0.01, rel=1e-6)
