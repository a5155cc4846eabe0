"""Training targets against scenes whose answer is known, and a run that is killed and resumed."""

import numpy as np
import pytest
import torch

from fgq.arguments import parse_size
from fgq.geometry import decode_pose, encode_pose
from fgq.train.auxiliary import WatchedAttention, bilinear_patch_weights, correspondence
from fgq.train.batch import Batch, _mirror, resize_clip, scene_targets
from fgq.train.config import TrainConfig
from fgq.train.trainee import Trainee
from fgq.vggt import VGGT, VGGTConfig

SIZE = (84, 112)


def wall_scene(shift: float) -> Batch:
    """Two views of a wall 2 m away; the second camera stands `shift` metres to the right."""
    extrinsic = torch.eye(3, 4).repeat(1, 2, 1, 1)
    extrinsic[0, 1, 0, 3] = -shift
    intrinsic = torch.tensor([[100.0, 0, 56], [0, 100, 42], [0, 0, 1]]).repeat(1, 2, 1, 1)
    truth = scene_targets(extrinsic, torch.full((1, 2, *SIZE), 2.0), intrinsic)
    return Batch(
        torch.rand(1, 2, 3, *SIZE), intrinsic, truth, encode_pose(truth.extrinsic, intrinsic, SIZE)
    )


def test_scene_targets_put_the_mean_point_at_distance_one() -> None:
    truth = wall_scene(0.2).truth
    assert truth.world_points.norm(dim=-1).mean() == pytest.approx(1, abs=1e-3)
    ratio = truth.extrinsic[0, 1, 0, 3] / truth.depth.mean()
    assert ratio == pytest.approx(-0.1, abs=1e-6)


def test_correspondence_is_the_disparity_of_a_wall() -> None:
    target = correspondence(wall_scene(0.2))
    rows, columns = SIZE[0] // 14, SIZE[1] // 14
    own = (torch.arange(columns) * 14 + 7.5 - 56) / 56
    disparity = 100 * 0.2 / 2 / 56
    seen_by_second = target.position[0, 0, :, 0].view(rows, columns)
    seen_by_first = target.position[0, 1, :, 0].view(rows, columns)
    assert torch.allclose(seen_by_second, own - disparity, atol=1e-5)
    assert torch.allclose(seen_by_first, own + disparity, atol=1e-5)
    assert torch.equal(target.visible[0, 1].view(rows, columns)[0], (own + disparity).abs() < 1)


def test_correspondence_sees_occlusion() -> None:
    batch = wall_scene(0.2)
    batch.truth.depth[0, 0, :, 60:] = 0.1
    assert not correspondence(batch).visible[0, 1].view(6, 8)[:, 5:].any()


def test_bilinear_patch_weights_give_back_the_position() -> None:
    position = torch.tensor([[0.1, -0.3], [0.0, 0.0], [-0.5, 0.6]])
    weights = bilinear_patch_weights(position, (6, 8)).view(-1, 6, 8)
    assert torch.allclose(weights.sum((1, 2)), torch.ones(3))
    x = (weights.sum(1) * ((torch.arange(8) + 0.5) / 4 - 1)).sum(-1)
    y = (weights.sum(2) * ((torch.arange(6) + 0.5) / 3 - 1)).sum(-1)
    assert torch.allclose(torch.stack((x, y), -1), position, atol=1e-6)


def test_mirroring_keeps_projections_true() -> None:
    """A point seen at x must be seen at W - x after mirroring, from a pose that is still rigid."""
    rng = np.random.default_rng(1)  # this seed mirrors the only scene
    angle = torch.tensor(0.3)
    extrinsic = torch.eye(3, 4).repeat(1, 1, 1, 1)
    extrinsic[0, 0, :, :3] = torch.tensor(
        [[angle.cos(), 0, angle.sin()], [0, 1, 0], [-angle.sin(), 0, angle.cos()]]
    )
    extrinsic[0, 0, :, 3] = torch.tensor([0.1, 0.2, 0.3])
    images = torch.rand(1, 1, 3, 4, 4)
    while True:
        mirrored, _, pose = _mirror(images.clone(), torch.ones(1, 1, 4, 4), extrinsic, rng)
        if not torch.equal(mirrored, images):
            break
    assert torch.linalg.det(pose[0, 0, :, :3]) == pytest.approx(1, abs=1e-6)
    point = torch.tensor([0.4, -0.2, 3.0])
    before = extrinsic[0, 0, :, :3] @ point + extrinsic[0, 0, :, 3]
    after = pose[0, 0, :, :3] @ (point * torch.tensor([-1, 1, 1])) + pose[0, 0, :, 3]
    assert torch.allclose(after, before * torch.tensor([-1, 1, 1]), atol=1e-6)


def test_resize_clip_keeps_the_field_of_view() -> None:
    images, depth = torch.rand(2, 3, 3, 168, 224), torch.rand(2, 3, 168, 224)
    intrinsic = torch.tensor([[200.0, 0, 112], [0, 200, 84], [0, 0, 1]]).expand(2, 3, 3, 3)
    for size in ((84, 112), (126, 168), (168, 224)):
        small, near, matrix = resize_clip(images, depth, intrinsic, size)
        assert small.shape == (2, 3, 3, *size)
        assert near.shape == (2, 3, *size)
        code = encode_pose(torch.eye(3, 4).expand(2, 3, 3, 4), matrix, size)
        expected = encode_pose(torch.eye(3, 4).expand(2, 3, 3, 4), intrinsic, (168, 224))
        assert torch.allclose(code, expected, atol=1e-6)
        assert torch.allclose(decode_pose(code, size)[1], matrix, atol=1e-3)


@pytest.mark.parametrize("text", ["84", "84x", "0x14", "84x113", "ax14"])
def test_parse_size_refuses(text: str) -> None:
    with pytest.raises(ValueError, match="size"):
        parse_size(text)


def test_watched_attention_rewards_a_look_at_the_true_place() -> None:
    """Queries and keys of opposite sign ask away from where identical ones ask for."""
    target = correspondence(wall_scene(0.0))  # every patch is seen where it is
    grid = (SIZE[0] // 14, SIZE[1] // 14)
    watched = WatchedAttention([])
    # The rotation of 16 channels of ones is the same only for the same position.
    tokens = torch.full((1, 2 * (3 + grid[0] * grid[1]), 16), 3.0)
    watched.queries, watched.keys = [tokens], [tokens]
    right = watched.loss(target, grid)
    assert not watched.queries
    assert not watched.keys
    watched.queries, watched.keys = [tokens], [-tokens]
    wrong = watched.loss(target, grid)
    assert right < torch.tensor(grid[0] * grid[1]).log() < wrong


def test_bf16_gives_the_losses_of_fp32_but_for_rounding() -> None:
    torch.manual_seed(0)
    config = TrainConfig("", "", "", attention_weight=1.0, pair_weight=1.0, dense="dpt")
    trainee = Trainee(VGGT(VGGTConfig.nano()), config)
    batch = wall_scene(0.2)
    torch.manual_seed(1)
    exact = trainee.losses(batch)
    trainee.bf16 = True
    torch.manual_seed(1)
    rounded = trainee.losses(batch)
    torch.stack(list(rounded.values())).sum().backward()
    for name, value in exact.items():
        assert rounded[name].item() == pytest.approx(value.item(), rel=0.03), name
    watched = trainee.model.aggregator.global_blocks[-1].attn.qkv.weight.grad
    assert watched is not None
    assert watched.dtype == torch.float32
    assert watched.abs().sum() > 0
