"""Fisher information over clips: means, memory, the paper's estimator, and what is refused."""

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch
from fisher_network import SIZE, TINY, VIEWS, make_images, make_model
from torch import Tensor

from fgq import fisher_estimate
from fgq.data.calibration import CalibrationClip
from fgq.fisher import block_names, channel_weights
from fgq.fisher_estimate import clip_energies, estimate_fisher, metric_outputs, plain_sum
from fgq.vggt import VGGT, VGGTConfig

PATCHES = 2  # of a view


@pytest.fixture(scope="module")
def model() -> VGGT:
    return make_model()


@pytest.fixture(scope="module")
def images() -> Tensor:
    return make_images()


def make_clip(seed: int, views: int = VIEWS) -> CalibrationClip:
    pixels = np.random.default_rng(seed).integers(256, size=(views, *SIZE, 3), dtype=np.uint8)
    return CalibrationClip(f"clip {seed}", pixels, f"hash {seed}")


@pytest.mark.parametrize("config", [TINY, replace(TINY, patch_embed="conv")])
def test_recomputing_changes_nothing(config: VGGTConfig, images: Tensor) -> None:
    model = make_model(config)
    calls: list[int] = []
    hook = model.aggregator.frame_blocks[0].attn.qkv.register_forward_hook(
        lambda *_: calls.append(1)
    )
    clips = [make_clip(0)]
    plain = estimate_fisher(model, clips, probes=2, recompute=False)
    assert len(calls) == 1
    calls.clear()
    again = estimate_fisher(model, clips, probes=2, recompute=True)
    assert len(calls) == 1 + 3 * 2
    hook.remove()
    assert torch.equal(again.blocks, plain.blocks)
    assert all(torch.equal(again.linears[name], x) for name, x in plain.linears.items())
    assert min(x.sum() for name, x in plain.linears.items()) > 0


def test_the_model_is_left_as_it_was(images: Tensor) -> None:
    model = make_model()
    model.depth_head.requires_grad_(False)
    before = model(images)["depth"]
    wanted = [p.requires_grad for p in model.parameters()]
    estimate_fisher(model, [make_clip(0)], probes=1)
    assert [p.requires_grad for p in model.parameters()] == wanted
    assert all(p.grad is None for p in model.parameters())
    assert not any(m._forward_hooks or "forward" in vars(m) for m in model.modules())
    assert torch.equal(model(images)["depth"], before)


def test_mean_over_clips_whatever_their_order(model: VGGT) -> None:
    clips = [make_clip(seed) for seed in range(3)]
    forth, back = (estimate_fisher(model, c, probes=2, seed=5) for c in (clips, clips[::-1]))
    torch.testing.assert_close(forth.blocks, back.blocks, rtol=1e-6, atol=0)
    assert torch.equal(forth.per_clip, back.per_clip.flip(0))
    singles = [estimate_fisher(model, [clip], probes=2, seed=5) for clip in clips]
    mean = torch.stack([single.blocks for single in singles]).mean(0)
    torch.testing.assert_close(forth.blocks, mean, rtol=1e-6, atol=0)
    torch.testing.assert_close(
        forth.linears["camera_head.embed_pose"],
        torch.stack([x.linears["camera_head.embed_pose"] for x in singles]).mean(0),
        rtol=1e-6,
        atol=0,
    )
    torch.testing.assert_close(forth.per_clip.mean(0), forth.blocks.sum(-1), rtol=1e-6, atol=0)
    other = estimate_fisher(model, clips, probes=2, seed=6)
    assert not torch.allclose(other.blocks, forth.blocks, rtol=1e-3)


def test_shapes_tokens_and_manifest(model: VGGT) -> None:
    fisher = estimate_fisher(model, [make_clip(0, views=2), make_clip(1, views=4)], probes=1)
    assert fisher.blocks.shape == (3, 4, 3, 8)
    assert fisher.per_clip.shape == (2, 3, 4, 3)
    assert fisher.tokens.tolist() == [3, 6, 3 * PATCHES]
    assert fisher.manifest["blocks"] == block_names(2)
    assert fisher.manifest["blocks"][:2] == [
        "aggregator.frame_blocks.0",
        "aggregator.global_blocks.0",
    ]
    assert [clip["sha256"] for clip in fisher.manifest["clips"]] == ["hash 0", "hash 1"]


def test_papers_estimator_is_the_squared_gradient_of_sums(model: VGGT, images: Tensor) -> None:
    name = "aggregator.global_blocks.0"
    found = clip_energies(model, images, fisher_estimate.paper_outputs, plain_sum)[name]
    kept: list[Tensor] = []
    hook = model.get_submodule(name).register_forward_hook(lambda _m, _i, out: kept.append(out))
    out = model(images)
    hook.remove()
    for k, total in enumerate(
        (out["pose_enc_list"][-1].sum(), out["depth"].sum(), out["world_points"].sum())
    ):
        (gradient,) = torch.autograd.grad(total, kept[0], retain_graph=True)
        rows = gradient.view(VIEWS, 5, -1).square().sum(0)
        expected = torch.stack([rows[0], rows[1] + rows[2], rows[3] + rows[4]])
        torch.testing.assert_close(found[k], expected)
    fisher = estimate_fisher(model, [make_clip(0)], "paper")
    assert fisher.manifest["probes"] is None
    plain = estimate_fisher(model, [make_clip(0)], probes=1)
    assert plain.manifest["probes"] == 1


def test_a_network_without_all_heads() -> None:
    model = make_model(replace(TINY, heads=("camera", "depth")))
    fisher = estimate_fisher(model, [make_clip(0)], probes=1)
    assert fisher.blocks[2].abs().sum() == 0
    assert fisher.blocks[:2].sum((1, 2, 3)).min() > 0
    weights = channel_weights(fisher.blocks)
    torch.testing.assert_close(weights, channel_weights(fisher.blocks[:2]))


def test_what_is_not_finite_is_named(images: Tensor) -> None:
    model = make_model()
    with torch.no_grad():
        model.depth_head.scratch.output_conv2[2].bias[0] = math.nan
    with pytest.raises(ValueError, match="clip clip 0: the predicted depth is not finite"):
        estimate_fisher(model, [make_clip(0)])
    model = make_model()

    def infinite(task: str, y: Tensor) -> Iterator[Tensor]:
        yield torch.full_like(y, math.inf if task == "depth" else 1)

    with pytest.raises(ValueError, match="gradient of the depth task at aggregator"):
        clip_energies(model, images, metric_outputs, infinite)
    with pytest.raises(ValueError, match="no patch tokens in images of 7x28"):
        clip_energies(model, images[..., :7, :], metric_outputs, plain_sum)
    with pytest.raises(ValueError, match="no calibration clips"):
        estimate_fisher(model, [])
    with pytest.raises(ValueError, match="estimator 'hessian'"):
        estimate_fisher(model, [make_clip(0)], "hessian")
    with pytest.raises(ValueError, match="0 probes"):
        estimate_fisher(model, [make_clip(0)], probes=0)
    assert not any(m._forward_hooks for m in model.modules())
