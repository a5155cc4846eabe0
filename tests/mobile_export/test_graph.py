"""The network rewritten for delegates is the network."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from device_network import CONV, DINO, HEADS

from fgq.methods import quantize_rtn
from fgq.quant import FakeQuantLinear
from fgq.quant.transforms import fold_layer_scale
from fgq.vggt import VGGT, VGGTConfig
from mobile_export import layers
from mobile_export.graph import DeviceVGGT
from mobile_export.linears import device_linear
from mobile_export.outputs import output_names
from mobile_export.verify import probe_images, reference_outputs, relative_error


@pytest.mark.parametrize("config", [CONV, DINO], ids=["conv", "dinov2"])
@pytest.mark.parametrize(("views", "size"), [(1, (28, 42)), (3, (56, 42))])
def test_equals_the_network(
    make_model: Callable[..., VGGT], config: VGGTConfig, views: int, size: tuple[int, int]
) -> None:
    model = make_model(config)
    original = make_model(config)
    fold_layer_scale(model)
    device = DeviceVGGT(model, [views], size, HEADS)
    for images in probe_images(views, size).values():
        expected = reference_outputs(original, torch.from_numpy(images), HEADS)
        for name, got, wanted in zip(
            output_names(HEADS), device(torch.from_numpy(images)), expected, strict=True
        ):
            assert relative_error(got.numpy(), wanted) < 1e-5, name


def test_outputs_are_those_asked_for(make_model: Callable[..., VGGT]) -> None:
    model = make_model(CONV)
    fold_layer_scale(model)
    outputs = DeviceVGGT(model, [2], (28, 42), ["camera", "point"])(torch.rand(2, 3, 28, 42))
    assert output_names(["camera", "point"]) == ["pose_enc", "world_points", "world_points_conf"]
    assert [tuple(x.shape) for x in outputs] == [(2, 9), (2, 28, 42, 3), (2, 28, 42)]


def test_attention_in_chunks_is_attention(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    q, k, v = torch.randn(4, 50, 8), torch.randn(4, 8, 30), torch.randn(4, 30, 8)
    expected = torch.softmax(q @ k, dim=-1) @ v
    monkeypatch.setattr(layers, "MAX_SCORES", 4 * 7 * 30)
    monkeypatch.setattr(layers, "MIN_QUERIES", 1)
    sizes: list[int] = []
    softmax = torch.softmax

    def noting(x: torch.Tensor, dim: int) -> torch.Tensor:
        sizes.append(x.numel())
        return softmax(x, dim)

    monkeypatch.setattr(torch, "softmax", noting)
    torch.testing.assert_close(layers.attend(q, k, v), expected)
    assert len(sizes) > 1
    assert max(sizes) <= layers.MAX_SCORES


def test_codes_go_in_unchanged(make_model: Callable[..., VGGT]) -> None:
    model = make_model(CONV)
    quantize_rtn(model, search_steps=0)
    site = model.camera_head.poseLN_modulation[1]
    assert isinstance(site, FakeQuantLinear)
    rows = torch.randperm(site.out_features, generator=torch.Generator().manual_seed(0))
    linear = device_linear(site, rows)
    assert isinstance(linear, torch.nn.Linear)
    assert torch.equal(linear.weight.qdata, site.codes[rows])
    assert torch.equal(linear.weight.scale, site.scales[rows].float())
    assert not linear.weight.zero_point.any()
    x = torch.randn(3, site.in_features)
    torch.testing.assert_close(linear(x), site(x)[:, rows], rtol=1e-6, atol=1e-6)


def test_layer_scale_that_is_not_folded_is_refused(make_model: Callable[..., VGGT]) -> None:
    with pytest.raises(ValueError, match="LayerScale"):
        DeviceVGGT(make_model(CONV), [1], (28, 42), ["camera"])


def test_a_head_that_is_not_there_is_named(make_model: Callable[..., VGGT]) -> None:
    model = make_model(replace(CONV, heads=("camera", "depth")))
    fold_layer_scale(model)
    with pytest.raises(ValueError, match="no point head"):
        DeviceVGGT(model, [1], (28, 42), HEADS)
