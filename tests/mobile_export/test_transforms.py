"""Whatever fgq puts before or around a linear is in the program."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from device_network import CONV, DINO, HEADS

from fgq.methods import quantize_rtn
from fgq.quant import (
    DEVICE_GRID,
    WIDE_GRID,
    Affine,
    AffineTransform,
    FakeQuantLinear,
    fold_layer_scale,
    quantize_weight,
    quantized_sites,
    save_packed,
)
from fgq.quant.rotation import residual_rotation, rotate_residual
from fgq.vggt import VGGT, VGGTConfig
from mobile_export.bundle import read_bundle
from mobile_export.cli import main
from mobile_export.graph import DeviceVGGT
from mobile_export.linears import device_linear
from mobile_export.verify import (
    eager_gates,
    graph_gates,
    probe_images,
    reference_outputs,
    relative_error,
)

SIZE = (28, 42)


def random_affine(width: int, seed: int) -> Affine:
    """Diagonals and two well-conditioned small matrices."""
    generator = torch.Generator().manual_seed(seed)
    sides = {32: (4, 8), 64: (8, 8), 128: (8, 16), 256: (16, 16), 512: (16, 32)}[width]
    matrices = [torch.eye(n) + 0.2 * torch.randn(n, n, generator=generator) for n in sides]
    diagonals = [0.5 + torch.rand(width, generator=generator) for _ in range(2)]
    return Affine(diagonals[0], *matrices, diagonals[1])


def quantize_transformed(model: VGGT, clip: bool = False) -> None:
    """Round to nearest after a random transformation of every site, in place; every third site
    has 8 bits."""
    fold_layer_scale(model)
    for i, (name, linear) in enumerate(quantized_sites(model).items()):
        affine = random_affine(linear.in_features, i)
        weight = affine.inverse_transposed().apply(linear.weight.detach().double()).float()
        grid = WIDE_GRID if i % 3 == 0 else DEVICE_GRID
        shares = torch.tensor([0.8, 0.9]) if clip else None
        transform = AffineTransform(affine)
        site = FakeQuantLinear(quantize_weight(weight, grid), linear.bias, grid, transform, shares)
        model.set_submodule(name, site)


def test_transform_and_clip_are_those_of_the_linear() -> None:
    torch.manual_seed(0)
    weight = quantize_weight(torch.randn(8, 64))
    site = FakeQuantLinear(
        weight,
        None,
        transform=AffineTransform(random_affine(64, 0)),
        activation_clip=torch.tensor([0.7, 0.9]),
    )
    x = torch.randn(1, 5, 64)
    torch.testing.assert_close(device_linear(site)(x), site(x))
    site.activation_clip = None
    assert not torch.allclose(device_linear(site)(x)[0, 0], site(x)[0, 0] * 0)
    torch.testing.assert_close(device_linear(site)(x), site(x))


@pytest.mark.parametrize("config", [CONV, DINO], ids=["conv", "dinov2"])
def test_rotated_network_is_the_network(
    make_model: Callable[..., VGGT], config: VGGTConfig
) -> None:
    model, original = make_model(config), make_model(config)
    rotate_residual(model, residual_rotation(config.embed_dim))
    device = DeviceVGGT(model, [2], SIZE, HEADS)
    for images in probe_images(2, SIZE).values():
        expected = reference_outputs(original, torch.from_numpy(images), HEADS)
        for got, wanted in zip(device(torch.from_numpy(images)), expected, strict=True):
            assert relative_error(got.numpy(), wanted) < 1e-5


def test_transformed_graph_passes_its_gates(make_model: Callable[..., VGGT]) -> None:
    model = make_model(CONV)
    rotate_residual(model, residual_rotation(CONV.embed_dim))
    quantize_transformed(model, clip=True)
    graph = DeviceVGGT(model, [2], SIZE, HEADS)
    gates = [*graph_gates(graph, model), *eager_gates(graph, model)]
    assert all(gate.passed for gate in gates), [g for g in gates if not g.passed]


def test_checkpoints_of_every_form_become_bundles(
    make_model: Callable[..., VGGT], tmp_path: Path
) -> None:
    """Rotated, transformed, clipped, in 4 and 8 bit: all in one."""
    model = make_model()
    rotate_residual(model, residual_rotation(model.config.embed_dim))
    quantize_transformed(model, clip=True)
    save_packed(model, tmp_path / "packed", {"method": "test"})
    places = [str(tmp_path / "packed"), "--out", str(tmp_path / "bundle")]
    options = ["--views", "2", "--size", "28x42", "--heads", "camera"]
    assert main(["export", *places, *options]) == 0
    manifest = read_bundle(tmp_path / "bundle")
    assert manifest["quantization"]["rotated"]
    assert "0 with other" not in manifest["verification"]["integers.forward_s2"]


def test_eight_bits_everywhere(make_model: Callable[..., VGGT], tmp_path: Path) -> None:
    model = make_model()
    quantize_rtn(model, WIDE_GRID)
    save_packed(model, tmp_path / "packed", {"method": "rtn"})
    places = [str(tmp_path / "packed"), "--out", str(tmp_path / "bundle")]
    assert main(["export", *places, "--views", "1", "--size", "28x28", "--heads", "camera"]) == 0
    assert read_bundle(tmp_path / "bundle")["quantization"]["name"] == "8da8w"


def test_inputs_that_are_not_rounded() -> None:
    grid = replace(DEVICE_GRID, activation_bits=None)
    site = FakeQuantLinear(quantize_weight(torch.randn(8, 32)), None, grid)
    linear = device_linear(site)
    assert getattr(linear.weight, "activation_quantization", "") is None
    x = torch.randn(1, 3, 32)
    torch.testing.assert_close(linear(x), site(x))
