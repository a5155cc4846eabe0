"""The integer grid that the device runs: 4-bit weights and 8-bit activations ("8da4w").

Weights are symmetric int4, in groups of 32 along the input width, each group with one bfloat16
scale: the runtime keeps scales in bfloat16, so a scale is rounded *before* the codes are, or the
codes would be multiplied by another scale than they were rounded for. Activations are asymmetric
int8 with one scale and zero point per token, computed at run time from its minimum and maximum.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

GROUP_SIZE = 32
CODE_MIN, CODE_MAX = -8, 7
GRID_NAME = f"8da4w-g{GROUP_SIZE}"


@dataclass(frozen=True)
class QuantizedWeight:
    """A weight on the int4 grid.

    codes: int8 [N, K], in [-8, 7].
    scales: bfloat16 [N, K / 32], positive.
    """

    codes: Tensor
    scales: Tensor

    def dequantize(self, dtype: torch.dtype = torch.float32) -> Tensor:
        """The real weight [N, K] that the codes stand for."""
        groups = self.codes.unflatten(-1, (-1, GROUP_SIZE)).to(dtype)
        return (groups * self.scales.to(dtype)[..., None]).flatten(-2)


def round_to_scales(weight: Tensor, scales: Tensor) -> QuantizedWeight:
    """Nearest codes of a weight [N, K] for given bfloat16 scales [N, K / 32]."""
    groups = weight.float().unflatten(-1, (-1, GROUP_SIZE))
    codes = torch.round(groups / scales.float()[..., None]).clamp_(CODE_MIN, CODE_MAX)
    return QuantizedWeight(codes.flatten(-2).to(torch.int8), scales)


def absmax_scales(weight: Tensor, shrink: float = 1.0) -> Tensor:
    """bfloat16 scales [N, K / 32] that put `shrink` times each group's largest magnitude on code 7.

    A group of zeros gets scale 1: the runtime refuses a scale of zero.
    """
    largest = weight.float().unflatten(-1, (-1, GROUP_SIZE)).abs().amax(-1)
    scales = (largest * (shrink / CODE_MAX)).to(torch.bfloat16)
    return torch.where(scales > 0, scales, torch.ones_like(scales))


def quantize_weight(weight: Tensor, search_steps: int = 24) -> QuantizedWeight:
    """Round a weight [N, K] to the grid; each group gets the scale with the least squared error.

    The scales tried are the absolute-maximum scale shrunk to 1, ..., 1/2 of itself in
    `search_steps` equal steps (0: the absolute maximum itself, no search). Clipping a few large
    weights often costs less than coarse steps for all others.

    Raises ValueError if K is no multiple of 32 or the weight is not finite.
    """
    if weight.dim() != 2 or weight.shape[1] % GROUP_SIZE:
        raise ValueError(f"a weight of shape {tuple(weight.shape)} has no groups of {GROUP_SIZE}")
    if not torch.isfinite(weight).all():
        raise ValueError("the weight has values that are not finite")
    best_scales = absmax_scales(weight)
    best_error = _group_error(weight, best_scales)
    for step in range(1, search_steps + 1):
        scales = absmax_scales(weight, shrink=1.0 - 0.5 * step / search_steps)
        error = _group_error(weight, scales)
        better = error < best_error
        best_scales = torch.where(better, scales, best_scales)
        best_error = torch.where(better, error, best_error)
    return round_to_scales(weight, best_scales)


def _group_error(weight: Tensor, scales: Tensor) -> Tensor:
    difference = round_to_scales(weight, scales).dequantize() - weight.float()
    return difference.unflatten(-1, (-1, GROUP_SIZE)).square().sum(-1)


def fake_quantize_tokens(x: Tensor) -> Tensor:
    """Round every token (last dimension) of x [..., K] to its own asymmetric int8 grid.

    The range always contains zero; the zero point is the rounded code of zero. The same rule as
    the runtime's, so that an eager network predicts what the device computes.
    """
    low = x.amin(-1, keepdim=True).clamp(max=0.0)
    high = x.amax(-1, keepdim=True).clamp(min=0.0)
    scale = (high - low) / 255
    scale = torch.where(scale > 0, scale, torch.ones_like(scale))
    zero_point = torch.round(-128 - low / scale).clamp_(-128, 127)
    codes = (torch.round(x / scale) + zero_point).clamp_(-128, 127)
    return (codes - zero_point) * scale


class FakeQuantLinear(nn.Module):
    """A linear layer on the deployable grid, computed in floating point.

    Stores the int4 codes (as int8 [N, K]) and bfloat16 scales [N, K / 32]; the input is rounded
    per token to int8.
    """

    codes: Tensor
    scales: Tensor

    def __init__(self, weight: QuantizedWeight, bias: Tensor | None) -> None:
        super().__init__()
        self.out_features, self.in_features = weight.codes.shape
        self.register_buffer("codes", weight.codes)
        self.register_buffer("scales", weight.scales)
        self.bias = None if bias is None else nn.Parameter(bias, requires_grad=False)

    @property
    def quantized_weight(self) -> QuantizedWeight:
        return QuantizedWeight(self.codes, self.scales)

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(
            fake_quantize_tokens(x), self.quantized_weight.dequantize(x.dtype), self.bias
        )
