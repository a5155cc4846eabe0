"""The deployable 4-bit grid, where it applies, and the packed checkpoint."""

import re
from pathlib import Path

import pytest
import torch
from torch import Tensor

from fgq.methods import quantize_rtn
from fgq.quant import (
    FakeQuantLinear,
    fake_quantize_tokens,
    kept_layers,
    load_packed,
    load_recipe,
    quantize_weight,
    quantized_sites,
    save_packed,
)
from fgq.quant.grids import absmax_scales, round_to_scales
from fgq.quant.packed import pack_codes, unpack_codes
from fgq.quant.transforms import fold_layer_scale
from fgq.vggt import VGGT, CheckpointError, VGGTConfig

SMALL = VGGTConfig(
    embed_dim=64,
    depth=2,
    num_heads=2,
    img_size=56,
    init_values=0.3,
    patch_embed_depth=1,
    patch_embed_heads=2,
    camera_trunk_depth=1,
    camera_trunk_heads=2,
    dpt_features=8,
    dpt_out_channels=(8, 8, 8, 8),
    dpt_layers=(0, 0, 1, 1),
    heads=("camera", "depth"),
)


@pytest.fixture
def model() -> VGGT:
    torch.manual_seed(0)
    return VGGT(SMALL).eval()


@pytest.fixture
def weight() -> Tensor:
    return torch.randn(24, 96, generator=torch.Generator().manual_seed(0))


def test_scales_are_bfloat16_before_codes_are_rounded(weight: Tensor) -> None:
    quantized = quantize_weight(weight)
    assert quantized.scales.dtype == torch.bfloat16
    again = round_to_scales(weight, quantized.scales)
    assert torch.equal(again.codes, quantized.codes)
    assert quantized.codes.min() >= -8
    assert quantized.codes.max() <= 7


def test_rounding_is_idempotent_and_within_half_a_step(weight: Tensor) -> None:
    scales = absmax_scales(weight)
    once = round_to_scales(weight, scales)
    assert torch.equal(round_to_scales(once.dequantize(), scales).codes, once.codes)
    step = scales.float().repeat_interleave(32, dim=1)
    # bfloat16 may shorten a scale by 1/256, which clips up to 7/256 of a step.
    assert ((once.dequantize() - weight).abs() <= step * (0.5 + 7 / 256)).all()


def test_search_never_makes_a_group_worse(weight: Tensor) -> None:
    def group_error(steps: int) -> Tensor:
        difference = quantize_weight(weight, search_steps=steps).dequantize() - weight
        return difference.unflatten(1, (-1, 32)).square().sum(-1)

    plain, searched = group_error(0), group_error(24)
    assert (searched <= plain).all()
    assert searched.sum() < 0.95 * plain.sum()


def test_zero_groups_keep_a_usable_scale() -> None:
    quantized = quantize_weight(torch.zeros(2, 32))
    assert (quantized.scales > 0).all()
    assert not quantized.codes.any()


@pytest.mark.parametrize("bad", [torch.zeros(4, 33), torch.full((4, 32), float("nan"))])
def test_weights_without_groups_or_not_finite_are_refused(bad: Tensor) -> None:
    with pytest.raises(ValueError, match=r"groups|finite"):
        quantize_weight(bad)


def test_tokens_are_rounded_each_on_its_own_grid() -> None:
    torch.manual_seed(0)
    x = torch.randn(5, 7, 40) * torch.logspace(-3, 3, 7)[None, :, None] + 0.3
    rounded = fake_quantize_tokens(x)
    low, high = x.amin(-1).clamp(max=0), x.amax(-1).clamp(min=0)
    step = ((high - low) / 255)[..., None]
    assert ((rounded - x).abs() <= 0.5001 * step + 1e-7).all()
    assert all(len(token.unique()) <= 256 for token in rounded.flatten(0, 1))
    assert not fake_quantize_tokens(torch.zeros(2, 32)).any()


def test_tokens_are_rounded_as_torchao_does() -> None:
    """The export emits torchao's operators: both must be the same grid."""
    module = pytest.importorskip(
        "torchao.quantization.quantize_.workflows.intx.intx_unpacked_to_int8_tensor"
    )
    torch.manual_seed(1)
    x = torch.randn(200, 96) * torch.rand(200, 1) + torch.randn(200, 1)
    reference = module._apply_int8_act_asym_per_token_quant_dequant(x)
    torch.testing.assert_close(fake_quantize_tokens(x), reference, rtol=0, atol=0)


def test_fake_quant_equals_integer_arithmetic(weight: Tensor) -> None:
    torch.manual_seed(2)
    x, bias = torch.randn(11, 96), torch.randn(24)
    quantized = quantize_weight(weight)
    low, high = x.amin(-1, keepdim=True).clamp(max=0), x.amax(-1, keepdim=True).clamp(min=0)
    scale = (high - low) / 255
    zero = torch.round(-128 - low / scale).clamp(-128, 127)
    codes = (torch.round(x / scale) + zero).clamp(-128, 127) - zero
    groups = torch.einsum(
        "tgk,ngk->tng",
        codes.to(torch.int64).unflatten(1, (-1, 32)),
        quantized.codes.to(torch.int64).unflatten(1, (-1, 32)),
    )
    expected = (groups * quantized.scales.double()).sum(-1) * scale.double() + bias
    actual = FakeQuantLinear(quantized, bias)(x)
    torch.testing.assert_close(actual.double(), expected, rtol=1e-5, atol=1e-5)


def test_folding_layer_scale_changes_nothing(model: VGGT) -> None:
    images = torch.rand(1, 2, 3, 28, 42)
    with torch.no_grad():
        before = model(images)
        fold_layer_scale(model)
        after = model(images)
    for name in ("pose_enc", "depth", "depth_conf"):
        torch.testing.assert_close(after[name], before[name], rtol=1e-5, atol=1e-5)
    assert all((p == 1).all() for n, p in model.named_parameters() if n.endswith("gamma"))


def test_sites_are_every_fitting_linear_and_the_rest_has_a_reason(model: VGGT) -> None:
    sites, kept = quantized_sites(model), kept_layers(model)
    # 4 in each block (1 embedder, 2 frame, 2 global, 1 trunk), modulation, two of the pose branch.
    assert len(sites) == 4 * 6 + 3
    assert "camera_head.embed_pose" in kept
    assert "aggregator.patch_embed.patch_embed.proj" in kept
    layers = (torch.nn.Linear, torch.nn.Conv2d, torch.nn.ConvTranspose2d)
    every = {name for name, module in model.named_modules() if isinstance(module, layers)}
    assert set(sites) | set(kept) == every
    assert not set(sites) & set(kept)


@pytest.mark.parametrize("columns", [2, 64])
def test_codes_survive_packing(columns: int) -> None:
    codes = torch.randint(-8, 8, (16, columns), generator=torch.Generator().manual_seed(0))
    packed = pack_codes(codes.to(torch.int8))
    assert packed.shape == (16, columns // 2)
    assert packed.dtype == torch.uint8
    assert torch.equal(unpack_codes(packed), codes.to(torch.int8))


def test_packed_checkpoint_is_exact(model: VGGT, tmp_path: Path) -> None:
    quantize_rtn(model, search_steps=4)
    save_packed(model, tmp_path / "q", {"method": "rtn"})
    loaded = load_packed(tmp_path / "q")
    expected = model.state_dict()
    actual = loaded.state_dict()
    assert expected.keys() == actual.keys()
    for key, tensor in expected.items():
        assert actual[key].dtype == tensor.dtype
        assert torch.equal(actual[key], tensor), key
    images = torch.rand(1, 2, 3, 28, 42)
    with torch.no_grad():
        assert torch.equal(loaded(images)["depth"], model(images)["depth"])
    recipe = load_recipe(tmp_path / "q")
    assert recipe["method"] == "rtn"
    assert set(recipe["sites"]) == {
        n for n, m in model.named_modules() if isinstance(m, FakeQuantLinear)
    }
    weights = sum(m.codes.numel() for m in model.modules() if isinstance(m, FakeQuantLinear))
    others = sum(t.nbytes for k, t in expected.items() if not k.endswith((".codes", ".scales")))
    size = (tmp_path / "q" / "model.safetensors").stat().st_size
    assert size == pytest.approx(weights * 4.5 / 8 + others, rel=0.1)


def test_saving_again_replaces_only_our_own(model: VGGT, tmp_path: Path) -> None:
    quantize_rtn(model, search_steps=0)
    save_packed(model, tmp_path / "q", {})
    save_packed(model, tmp_path / "q", {"method": "second"})
    assert load_recipe(tmp_path / "q")["method"] == "second"
    other = tmp_path / "other"
    other.mkdir()
    (other / "thesis.txt").write_text("years of work")
    with pytest.raises(CheckpointError, match="something else"):
        save_packed(model, other, {})
    assert [p.name for p in tmp_path.rglob("*.txt")] == ["thesis.txt"]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["other", "q"]


@pytest.mark.parametrize("damage", ["recipe", "truncated", "missing", "site"])
def test_damage_is_named(model: VGGT, tmp_path: Path, damage: str) -> None:
    quantize_rtn(model, search_steps=0)
    folder = tmp_path / "q"
    save_packed(model, folder, {})
    recipe, weights = folder / "quantization.json", folder / "model.safetensors"
    if damage == "recipe":
        recipe.write_text(recipe.read_text().replace("8da4w-g32", "3da1w"))
    elif damage == "truncated":
        weights.write_bytes(weights.read_bytes()[:-100])
    elif damage == "missing":
        weights.unlink()
    else:
        recipe.write_text(recipe.read_text().replace("blocks.0.attn.qkv", "blocks.0.attn.nope"))
    with pytest.raises(CheckpointError, match=re.escape(str(folder))):
        load_packed(folder)
