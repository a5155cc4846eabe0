"""Convolutions of the dense heads in 8 bit, as devices run them.

Not part of the papers, which leave the heads alone. On a phone they are a quarter of the time and,
for a network of a billion parameters, a quarter of the file.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from fgq.quant.grids import WIDE_GRID, Grid, QuantizedWeight, fake_quantize_tokens, quantize_weight
from fgq.vggt import VGGT


class FakeQuantConv2d(nn.Module):
    """A convolution with integer weights, computed in floating point.

    Stores codes (int8 [N, C, h, w]) and a scale for each output channel [N, 1]. Every image of the
    input [B, C, H, W] is rounded to an integer grid of its own, as a token of a linear is.
    """

    codes: Tensor
    scales: Tensor

    def __init__(self, weight: QuantizedWeight, like: nn.Conv2d, grid: Grid = WIDE_GRID) -> None:
        super().__init__()
        self.grid = grid
        self.stride = (like.stride[0], like.stride[1])
        assert not isinstance(like.padding, str)
        self.padding = (like.padding[0], like.padding[1])
        self.register_buffer("codes", weight.codes.view_as(like.weight))
        self.register_buffer("scales", weight.scales)
        bias = like.bias
        self.bias = None if bias is None else nn.Parameter(bias.detach(), requires_grad=False)

    @property
    def weight(self) -> Tensor:
        """The real weight [N, C, h, w] that the codes stand for."""
        return self.codes * self.scales[:, :, None, None]

    def forward(self, x: Tensor) -> Tensor:
        x = fake_quantize_tokens(x.flatten(1), self.grid).view_as(x)
        return F.conv2d(x, self.weight.to(x.dtype), self.bias, self.stride, self.padding)


def convolution_sites(model: VGGT) -> dict[str, nn.Conv2d]:
    """The convolutions that go on the 8-bit grid, by module name.

    Those of the dense heads over neighbours or between maps of equal size. Not: the projections
    of tokens, transposed ones, for which there is no kernel, and the last one, whose exponential
    is the depth.
    """
    heads = [f"{name}_head" for name in ("depth", "point") if name in model.config.heads]
    return {
        name: module
        for name, module in model.named_modules()
        if isinstance(module, nn.Conv2d)
        and name.split(".")[0] in heads
        and ".projects." not in name
        and not name.endswith(".output_conv2.2")
    }


def quantized_convolutions(model: nn.Module) -> dict[str, FakeQuantConv2d]:
    """The convolutions of a network that are on the grid already, by module name."""
    return {n: module for n, module in model.named_modules() if isinstance(module, FakeQuantConv2d)}


def quantize_convolutions(model: VGGT) -> None:
    """Put every site on the grid, round to nearest, in place.

    Measured on the embedded network: 0.002 of log depth, where 4-bit linears cost 0.006.
    """
    for name, convolution in convolution_sites(model).items():
        weight = quantize_weight(convolution.weight.detach().flatten(1), WIDE_GRID)
        model.set_submodule(name, FakeQuantConv2d(weight, convolution))
