"""Deviation from a reference where it is known: SQNR of a network against itself and against a
known change, outputs moved by known amounts."""

import copy
import math

import pytest
import torch
from torch import Tensor

from fgq.evaluate import measure_clip, sqnr_db, watching_blocks
from fgq.evaluate.clips import EvaluationClip
from fgq.evaluate.fidelity import output_deviations, pair_deviations
from fgq.geometry import encode_pose
from fgq.quant.rotation import residual_rotation, rotate_residual
from fgq.vggt import VGGT, VGGTConfig
from fgq.vggt.model import Predictions

SIZE = (28, 42)
SMALL = VGGTConfig(
    embed_dim=32,
    depth=2,
    num_heads=2,
    img_size=28,
    init_values=0.3,
    patch_embed="conv",
    patch_embed_heads=2,
    camera_trunk_depth=1,
    camera_trunk_heads=2,
    dpt_features=8,
    dpt_out_channels=(8, 8, 8, 8),
    dpt_layers=(0, 0, 1, 1),
)
BLOCKS = [f"aggregator.{kind}_blocks.{i}" for i in range(2) for kind in ("frame", "global")]


@pytest.fixture
def model() -> VGGT:
    torch.manual_seed(0)
    return VGGT(SMALL).eval()


@pytest.fixture
def clip() -> EvaluationClip:
    generator = torch.Generator().manual_seed(0)
    extrinsic = torch.eye(3, 4, dtype=torch.float64).repeat(3, 1, 1)
    extrinsic[:, 0, 3] = torch.arange(3)
    intrinsic = torch.tensor([[40.0, 0, 21], [0, 40, 14], [0, 0, 1]]).double().repeat(3, 1, 1)
    depth = torch.rand(3, *SIZE, generator=generator).double() + 1
    images = torch.rand(1, 3, 3, *SIZE, generator=generator)
    return EvaluationClip("toy", images, extrinsic, intrinsic, depth, True)


def test_sqnr_is_the_ratio_of_energies() -> None:
    reference = torch.randn(50, 40, generator=torch.Generator().manual_seed(0))
    assert sqnr_db(1.1 * reference, reference) == pytest.approx(20, abs=1e-3)
    assert sqnr_db(0 * reference, reference) == pytest.approx(0)
    noise = torch.randn(50, 40, generator=torch.Generator().manual_seed(1))
    noise *= reference.norm() / noise.norm() / 1000
    assert sqnr_db(reference + noise, reference) == pytest.approx(60, abs=0.01)
    assert sqnr_db(reference, reference) == 200
    assert sqnr_db(torch.ones(3), torch.zeros(3)) < -1000


def test_a_network_is_its_own_perfect_copy(model: VGGT, clip: EvaluationClip) -> None:
    result = measure_clip(model, clip, copy.deepcopy(model), points=False)
    assert [name for name in result if name.startswith("sqnr_db/")] == [
        f"sqnr_db/{name}" for name in BLOCKS
    ]
    assert {result[f"sqnr_db/{name}"] for name in BLOCKS} == {200}
    assert result["pair_fidelity_rotation_deg"] == [0, 0, 0]
    assert result["pair_fidelity_translation"] == [0, 0, 0]
    deviations = {k: v for k, v in result.items() if k.startswith("fidelity_")}
    assert set(deviations) == {
        f"fidelity_{name}"
        for name in (
            "fov_deg",
            "log_depth_rmse",
            "log_depth_rmse_aligned",
            "abs_rel",
            "unprojected_rmse",
            "point_head_rmse",
        )
    }
    assert set(deviations.values()) == {0}


def test_a_known_change_has_its_sqnr_where_it_is_made(model: VGGT, clip: EvaluationClip) -> None:
    """0.01 more on every channel that the third block gives: the blocks before stay equal."""
    changed = copy.deepcopy(model)
    block = changed.aggregator.frame_blocks[1]
    block.mlp.fc2.bias.data += 0.01 / block.ls2.gamma.data
    outputs: dict[str, Tensor] = {}
    with torch.inference_mode(), watching_blocks(model, outputs.__setitem__):
        model(clip.images)
    result = measure_clip(changed, clip, model, points=False)
    energy = outputs["aggregator.frame_blocks.1"].double().square().mean().item()
    expected = 10 * math.log10(energy / 0.01**2)
    assert result["sqnr_db/aggregator.frame_blocks.1"] == pytest.approx(expected, abs=0.01)
    assert result["sqnr_db/aggregator.global_blocks.0"] == 200
    assert result["sqnr_db/aggregator.global_blocks.1"] < 100


def test_hooks_are_gone_after_measuring(model: VGGT, clip: EvaluationClip) -> None:
    measure_clip(model, clip, copy.deepcopy(model), points=False)
    assert not any(module._forward_hooks for module in model.modules())


def test_a_rotated_stream_is_compared_in_its_old_basis(model: VGGT, clip: EvaluationClip) -> None:
    rotated = copy.deepcopy(model)
    rotate_residual(rotated, residual_rotation(SMALL.embed_dim, seed=3))
    result = measure_clip(rotated, clip, model, points=False)
    assert min(result[f"sqnr_db/{name}"] for name in BLOCKS) > 100


def prediction_of(extrinsic: Tensor, intrinsic: Tensor, depth: Tensor) -> Predictions:
    return {
        "pose_enc": encode_pose(extrinsic, intrinsic, SIZE)[None],
        "depth": depth[None, ..., None],
    }


def test_pose_deviation_is_the_motion_between_the_predictions(clip: EvaluationClip) -> None:
    """The last of three views turns by 3 degrees about its centre and moves by 0.2."""
    assert clip.depth is not None
    moved = clip.extrinsic.clone()
    a = math.radians(3)
    turn = torch.tensor([[math.cos(a), 0, math.sin(a)], [0, 1, 0], [-math.sin(a), 0, math.cos(a)]])
    moved[2, :, 3] += torch.tensor([0, 0.2, 0])
    moved[2] = turn.double() @ moved[2]
    rotation, translation = pair_deviations(
        prediction_of(moved, clip.intrinsic, clip.depth),
        prediction_of(clip.extrinsic, clip.intrinsic, 4 * clip.depth / clip.depth.median()),
        SIZE,
    )
    assert rotation.tolist() == pytest.approx([0, 3, 3], abs=1e-5)
    for pair, start in ((1, (2, 0, 0)), (2, (1, 0, 0))):
        expected = turn.double() @ torch.tensor(start).add(torch.tensor([0, 0.2, 0])).double()
        length = (expected - torch.tensor(start).double()).norm().item()
        assert translation[pair].item() == pytest.approx(length / 4, abs=1e-5)
    assert translation[0].item() == pytest.approx(0, abs=1e-6)


def test_output_deviations_of_known_changes(clip: EvaluationClip) -> None:
    assert clip.depth is not None
    still = torch.eye(3, 4, dtype=torch.float64).repeat(3, 1, 1)
    reference = prediction_of(still, clip.intrinsic, clip.depth)
    changed = prediction_of(still, clip.intrinsic, 1.1 * clip.depth)
    points = torch.randn(1, 3, *SIZE, 3, generator=torch.Generator().manual_seed(0))
    reference["world_points"], changed["world_points"] = points, 0.98 * points
    deviations = output_deviations(changed, reference, SIZE)
    assert deviations == {
        "fov_deg": 0,
        "log_depth_rmse": pytest.approx(math.log(1.1)),
        "log_depth_rmse_aligned": pytest.approx(0, abs=1e-9),
        "abs_rel": pytest.approx(0.1),
        "unprojected_rmse": pytest.approx(0.1),
        "point_head_rmse": pytest.approx(0.02, rel=1e-4),
    }
    changed["pose_enc"][..., 7] += 0.01  # the vertical of two fields of view
    assert output_deviations(changed, reference, SIZE)["fov_deg"] == pytest.approx(
        math.degrees(0.005)
    )


def test_heads_that_are_missing_are_left_out(clip: EvaluationClip) -> None:
    torch.manual_seed(0)
    config = VGGTConfig(**{**vars(SMALL), "heads": ("camera",)})
    camera_only = VGGT(config).eval()
    result = measure_clip(camera_only, clip, copy.deepcopy(camera_only))
    assert "pair_rotation_deg" in result
    assert not any("depth" in name or "accuracy" in name or "rmse" in name for name in result)
