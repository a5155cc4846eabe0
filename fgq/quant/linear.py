"""A linear layer on an integer grid."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from fgq.quant.grids import DEVICE_GRID, Grid, QuantizedWeight, fake_quantize_tokens
from fgq.quant.transforms import AffineTransform


class FakeQuantLinear(nn.Module):
    """A linear layer on a grid, computed in floating point.

    Stores the integer codes (int8 [N, K]) and scales [N, groups]. The input goes through
    `transform` where there is one (the weight holds its inverse), then is rounded per token, its
    range shrunk by `activation_clip` [2] where there is one.
    """

    codes: Tensor
    scales: Tensor
    activation_clip: Tensor | None

    def __init__(
        self,
        weight: QuantizedWeight,
        bias: Tensor | None,
        grid: Grid = DEVICE_GRID,
        transform: AffineTransform | None = None,
        activation_clip: Tensor | None = None,
    ) -> None:
        super().__init__()
        self.out_features, self.in_features = weight.codes.shape
        self.grid = grid
        self.register_buffer("codes", weight.codes)
        self.register_buffer("scales", weight.scales)
        self.bias = None if bias is None else nn.Parameter(bias, requires_grad=False)
        self.transform = transform
        self.register_buffer("activation_clip", activation_clip)

    @property
    def quantized_weight(self) -> QuantizedWeight:
        return QuantizedWeight(self.codes, self.scales)

    def forward(self, x: Tensor) -> Tensor:
        if self.transform is not None:
            x = self.transform(x)
        x = fake_quantize_tokens(x, self.grid, self.activation_clip)
        return F.linear(x, self.quantized_weight.dequantize(x.dtype), self.bias)
