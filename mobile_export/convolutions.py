"""Convolutions of the device graph in 8 bit."""

from __future__ import annotations

import copy

import torch
import torch.ao.quantization.fx._decomposed  # registers the operators below
import torch.nn.functional as F
from torch import Tensor, nn

from fgq.quant import FakeQuantConv2d

OPERATORS = torch.ops.quantized_decomposed
CODES = (-128, 127)
SMALLEST_SCALE = float(torch.finfo(torch.float32).eps)


class DeviceConv2d(nn.Module):
    """`FakeQuantConv2d` in the operators that a delegate joins to one kernel.

    That kernel rounds every image of the input [B, C, H, W] by itself, as `FakeQuantConv2d` does;
    these operators, run one by one, round all images alike.
    """

    codes: Tensor
    scales: Tensor
    zero_points: Tensor

    def __init__(self, convolution: FakeQuantConv2d) -> None:
        super().__init__()
        self.stride, self.padding = convolution.stride, convolution.padding
        self.bias = convolution.bias
        self.register_buffer("codes", convolution.codes)
        self.register_buffer("scales", convolution.scales[:, 0].contiguous())
        self.register_buffer("zero_points", torch.zeros(len(self.scales), dtype=torch.int64))

    def forward(self, x: Tensor) -> Tensor:
        rounding = OPERATORS.choose_qparams.tensor(x, *CODES, SMALLEST_SCALE, torch.int8)
        x = OPERATORS.quantize_per_tensor.tensor(x, *rounding, *CODES, torch.int8)
        x = OPERATORS.dequantize_per_tensor.tensor(x, *rounding, *CODES, torch.int8)
        weight = OPERATORS.dequantize_per_channel.default(
            self.codes, self.scales, self.zero_points, 0, *CODES, torch.int8
        )
        return F.conv2d(x, weight, self.bias, self.stride, self.padding)


def device_convolutions(module: nn.Module) -> nn.Module:
    """A module with its 8-bit convolutions in the form that is lowered; itself if it has none.

    Those whose inputs are not rounded become convolutions in floating point.
    """
    if isinstance(module, FakeQuantConv2d):
        return _device_convolution(module)
    sites = {n: m for n, m in module.named_modules() if isinstance(m, FakeQuantConv2d)}
    if not sites:
        return module
    result = copy.deepcopy(module)
    for name, site in sites.items():
        result.set_submodule(name, _device_convolution(site))
    return result


def _device_convolution(site: FakeQuantConv2d) -> nn.Module:
    if site.grid.activation_bits is not None:
        return DeviceConv2d(site)
    weight, stride = site.weight, site.stride
    height, width = weight.shape[2:]
    rows, channels = weight.shape[:2]
    with torch.device("meta"):
        result = nn.Conv2d(channels, rows, (height, width), stride, site.padding)
    result.weight, result.bias = nn.Parameter(weight, requires_grad=False), site.bias
    return result
