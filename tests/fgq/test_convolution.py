"""Convolutions of the dense heads in 8 bit."""

from pathlib import Path

import pytest
import torch
from device_network import TINY
from torch import nn

from fgq.methods import quantize_rtn
from fgq.quant import GRIDS, FakeQuantConv2d, load_packed, quantized_convolutions, save_packed
from fgq.quant.convolution import convolution_sites, quantize_convolutions
from fgq.quant.grids import WIDE_GRID, quantize_weight
from fgq.quant.packed import RECIPE_NAME
from fgq.vggt import VGGT, CheckpointError, VGGTConfig


@pytest.fixture
def model() -> VGGT:
    torch.manual_seed(0)
    return VGGT(TINY).eval().requires_grad_(False)


@pytest.mark.parametrize(("stride", "padding"), [(1, 1), (2, 1), (1, 0)])
def test_close_to_the_convolution(stride: int, padding: int) -> None:
    torch.manual_seed(0)
    convolution = nn.Conv2d(8, 16, 3, stride=stride, padding=padding).requires_grad_(False)
    weight = quantize_weight(convolution.weight.flatten(1), WIDE_GRID)
    x = torch.randn(3, 8, 12, 10)
    got, wanted = FakeQuantConv2d(weight, convolution)(x), convolution(x)
    assert got.shape == wanted.shape
    assert (got - wanted).norm() < 0.02 * wanted.norm()


def test_images_are_rounded_by_themselves() -> None:
    """A bright image must not take steps away from a dark one beside it."""
    torch.manual_seed(0)
    convolution = nn.Conv2d(4, 4, 3).requires_grad_(False)
    site = FakeQuantConv2d(quantize_weight(convolution.weight.flatten(1), WIDE_GRID), convolution)
    x = torch.randn(2, 4, 8, 8) * torch.tensor([1000.0, 0.1])[:, None, None, None]
    torch.testing.assert_close(site(x)[1:], site(x[1:]))
    torch.testing.assert_close(site(x)[1:], convolution(x[1:]), rtol=0.05, atol=0.01)


def test_sites_are_the_heads_convolutions_that_have_a_kernel(model: VGGT) -> None:
    names = set(convolution_sites(model))
    assert "depth_head.scratch.refinenet1.resConfUnit1.conv1" in names
    assert "point_head.scratch.output_conv2.0" in names
    assert "depth_head.resize_layers.3" in names
    assert not {n for n in names if "projects" in n or n.endswith(("output_conv2.2", "layers.0"))}


@pytest.mark.parametrize("grid", ["8da4w-g32", "8da8w", "w4a8"])
def test_grids_of_devices_take_them_along(model: VGGT, grid: str) -> None:
    quantize_rtn(model, GRIDS[grid])
    assert bool(quantized_convolutions(model)) == grid.startswith("8da")
    assert not quantized_convolutions(VGGT(TINY))


def test_what_is_saved_comes_back(model: VGGT, tmp_path: Path) -> None:
    quantize_rtn(model)
    save_packed(model, tmp_path / "q", {"method": "rtn"})
    loaded = load_packed(tmp_path / "q")
    assert quantized_convolutions(loaded).keys() == convolution_sites(VGGT(TINY)).keys()
    images = torch.rand(1, 2, 3, 28, 42)
    with torch.no_grad():
        one, other = model(images), loaded(images)
    assert torch.equal(one["depth"], other["depth"])

    recipe = tmp_path / "q" / RECIPE_NAME
    recipe.write_text(recipe.read_text().replace("resize_layers.3", "resize_layers.0"))
    with pytest.raises(CheckpointError, match=r"resize_layers\.0"):
        load_packed(tmp_path / "q")


def test_a_head_that_is_not_there_is_left_alone() -> None:
    model = VGGT(VGGTConfig(**{**TINY.__dict__, "heads": ("camera",)}))
    quantize_convolutions(model)
    assert not quantized_convolutions(model)
