"""Where a grid applies in a VGGT, and the packed checkpoint."""

import json
import re
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from fgq.methods import quantize_rtn
from fgq.quant import (
    GRIDS,
    Affine,
    AffineTransform,
    FakeQuantLinear,
    kept_layers,
    load_packed,
    load_recipe,
    quantize_weight,
    quantized_sites,
    save_packed,
)
from fgq.quant.convolution import convolution_sites
from fgq.quant.packed import pack_codes, unpack_codes
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


def test_sites_are_every_fitting_linear_and_the_rest_has_a_reason(model: VGGT) -> None:
    sites, kept = quantized_sites(model), kept_layers(model)
    # 4 in each block (1 embedder, 2 frame, 2 global, 1 trunk) and the modulation.
    assert len(sites) == 4 * 6 + 1
    assert {"camera_head.pose_branch.fc1", "camera_head.pose_branch.fc2"} <= set(kept)
    assert "camera_head.embed_pose" in kept
    assert "aggregator.patch_embed.patch_embed.proj" in kept
    layers = (torch.nn.Linear, torch.nn.Conv2d, torch.nn.ConvTranspose2d)
    every = {name for name, module in model.named_modules() if isinstance(module, layers)}
    assert set(sites) | set(kept) == every
    assert not set(sites) & set(kept)


def test_the_papers_scope_is_the_aggregator(model: VGGT) -> None:
    sites = quantized_sites(model, GRIDS["w4a4"], "aggregator")
    blocks = [f"aggregator.{kind}_blocks.{i}" for kind in ("frame", "global") for i in range(2)]
    linears = ("attn.qkv", "attn.proj", "mlp.fc1", "mlp.fc2")
    assert set(sites) == {f"{block}.{linear}" for block in blocks for linear in linears}
    reasons = kept_layers(model, GRIDS["w4a4"], "aggregator")
    assert "outside" in reasons["camera_head.trunk.0.attn.qkv"]


@pytest.mark.parametrize("columns", [2, 64])
def test_codes_survive_packing(columns: int) -> None:
    codes = torch.randint(-8, 8, (256, columns), generator=torch.Generator().manual_seed(0))
    codes[:, :2] = torch.cartesian_prod(torch.arange(-8, 8), torch.arange(-8, 8))
    packed = pack_codes(codes.to(torch.int8))
    assert packed.shape == (256, columns // 2)
    assert packed.dtype == torch.uint8
    assert torch.equal(unpack_codes(packed), codes.to(torch.int8))
    assert packed[0, 0] == 0x88
    assert packed[16 * 9 + 15, 0] == 0x71  # codes 1 and 7, the first in the low half


def mix_sites(model: VGGT) -> None:
    """One site with all that a site can have, and one in 8 bit."""
    torch.manual_seed(1)
    for name, grid, transform, clip in (
        (
            "aggregator.frame_blocks.1.mlp.fc2",
            GRIDS["w4a4"],
            Affine(torch.rand(256) + 0.5, torch.randn(16, 16), torch.randn(16, 16)),
            torch.tensor([0.9, 0.7]),
        ),
        ("aggregator.global_blocks.0.attn.qkv", GRIDS["8da8w"], Affine(scale=torch.rand(64)), None),
    ):
        linear = model.get_submodule(name)
        assert isinstance(linear, FakeQuantLinear)
        weight = quantize_weight(torch.randn(linear.codes.shape), grid)
        site = FakeQuantLinear(weight, linear.bias, grid, AffineTransform(transform), clip)
        model.set_submodule(name, site)


@pytest.mark.parametrize("mixed", [False, True])
@pytest.mark.parametrize("name", GRIDS)
def test_packed_checkpoint_is_exact(model: VGGT, tmp_path: Path, name: str, mixed: bool) -> None:
    quantize_rtn(model, GRIDS[name], search_steps=0)
    if mixed:
        mix_sites(model)
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
    assert recipe["name"] == name
    assert set(recipe["sites"]) == {
        n for n, m in model.named_modules() if isinstance(m, FakeQuantLinear)
    }


@pytest.mark.parametrize("name", GRIDS)
def test_the_file_is_no_larger_than_its_parts(model: VGGT, tmp_path: Path, name: str) -> None:
    """Half a byte or a byte a weight, two or four a scale, four all other numbers."""
    grid = GRIDS[name]
    numbers = sum(parameter.numel() for parameter in model.parameters())
    sites = [linear.weight.shape for linear in quantized_sites(model, grid).values()]
    weights = sum(rows * width for rows, width in sites)
    scales = sum(rows * width // (grid.group_size or width) for rows, width in sites)
    convolutions = convolution_sites(model).values() if grid.runs_on_devices else ()
    in_8_bit = sum(convolution.weight.numel() for convolution in convolutions)
    channels = sum(len(convolution.weight) for convolution in convolutions)
    quantize_rtn(model, grid, search_steps=0)
    save_packed(model, tmp_path / "q", {})
    path = tmp_path / "q" / "model.safetensors"
    header = 8 + int.from_bytes(path.read_bytes()[:8], "little")
    expected = weights * grid.weight_bits // 8 + 4 * (numbers - weights)
    expected += (2 if name == "8da4w-g32" else 4) * scales + 4 * channels - 3 * in_8_bit
    assert path.stat().st_size == header + expected
    assert header < 0.1 * expected
    with safe_open(path, "pt") as file:
        assert not any(key.endswith("qkv.weight") for key in file.keys())  # noqa: SIM118


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


def damage_file(folder: Path, damage: str) -> None:
    recipe, weights = folder / "quantization.json", folder / "model.safetensors"
    text, site = recipe.read_text(), "aggregator.frame_blocks.0.attn.qkv"
    if damage == "grid":
        recipe.write_text(text.replace("8da4w-g32", "3da1w"))
    elif damage == "site":
        recipe.write_text(text.replace("blocks.0.attn.qkv", "blocks.0.attn.nope"))
    elif damage in ("transform", "rotated"):
        content = json.loads(text)
        if damage == "transform":
            content["sites"][site] = {"transform": {"upside": [64]}}
        else:
            del content["rotated"]
        recipe.write_text(json.dumps(content))
    elif damage == "truncated":
        weights.write_bytes(weights.read_bytes()[:-100])
    elif damage == "missing":
        weights.unlink()
    else:
        state = load_file(weights)
        if damage == "dtype":
            state[f"{site}.scales"] = state[f"{site}.scales"].float()
        elif damage == "shape":
            state[f"{site}.codes"] = state[f"{site}.codes"][:, :-1].contiguous()
        else:
            del state[f"{site}.codes"]
        save_file(state, weights)


@pytest.mark.parametrize(
    "damage",
    ["grid", "site", "transform", "rotated", "truncated", "missing", "dtype", "shape", "key"],
)
def test_damage_is_named(model: VGGT, tmp_path: Path, damage: str) -> None:
    quantize_rtn(model, search_steps=0)
    folder = tmp_path / "q"
    save_packed(model, folder, {})
    damage_file(folder, damage)
    with pytest.raises(CheckpointError, match=re.escape(str(folder))) as error:
        load_packed(folder)
    assert "\n" not in str(error.value)
