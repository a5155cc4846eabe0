"""Linears of the device graph: integer codes as they are, and what comes before them."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torchao.quantization.quantize_.workflows.intx.intx_unpacked_to_int8_tensor import (
    IntxUnpackedToInt8Tensor,
    IntxUnpackedToInt8TensorActivationQuantization,
)

from fgq.quant import Affine, FakeQuantLinear

ROUNDED_INPUT = IntxUnpackedToInt8TensorActivationQuantization.INT8_ASYM_PER_TOKEN


def device_linear(linear: nn.Module, rows: Tensor | None = None) -> nn.Module:
    """A linear that lowers to the delegate's kernel, with its output rows in the order `rows`.

    Codes and scales of a `FakeQuantLinear` go in unchanged. The order does not touch the grid:
    groups run along the input width.
    """
    assert isinstance(linear, nn.Linear | FakeQuantLinear)
    with torch.device("meta"):
        result = nn.Linear(linear.in_features, linear.out_features, linear.bias is not None)
    if linear.bias is not None:
        result.bias = nn.Parameter(_taken(linear.bias.detach(), rows), requires_grad=False)
    if isinstance(linear, nn.Linear):
        weight = _taken(linear.weight.detach(), rows)
    else:
        weight = _integer_weight(linear, rows)
    result.weight = nn.Parameter(weight, requires_grad=False)

    before: list[nn.Module] = []
    if isinstance(linear, FakeQuantLinear):
        if linear.transform is not None:
            before.append(DeviceTransform(linear.transform.affine))
        if linear.activation_clip is not None and linear.grid.activation_bits is not None:
            before.append(DeviceClip(linear.activation_clip))
    return nn.Sequential(*before, result) if before else result


def plain_linear(weight: Tensor, bias: Tensor | None = None) -> nn.Linear:
    """A linear in floating point with this weight [N, K]."""
    rows, width = weight.shape
    linear = nn.Linear(width, rows, bias is not None, device="meta")
    linear.weight = nn.Parameter(weight.detach().contiguous(), requires_grad=False)
    if bias is not None:
        linear.bias = nn.Parameter(bias.detach(), requires_grad=False)
    return linear


def _taken(x: Tensor, rows: Tensor | None) -> Tensor:
    """Without an order x itself: copies of every weight would be gigabytes."""
    return x if rows is None else x[rows]


def _integer_weight(linear: FakeQuantLinear, rows: Tensor | None) -> IntxUnpackedToInt8Tensor:
    grid = linear.grid
    scales = _taken(linear.scales, rows).float()
    return IntxUnpackedToInt8Tensor(
        qdata=_taken(linear.codes, rows),
        scale=scales,
        zero_point=torch.zeros_like(scales, dtype=torch.int8),
        target_dtype=torch.int4 if grid.weight_bits == 4 else torch.int8,  # type: ignore[attr-defined]
        block_size=(1, grid.group_size or linear.in_features),
        dtype=torch.float32,
        activation_quantization=None if grid.activation_bits is None else ROUNDED_INPUT,
    )


class DeviceTransform(nn.Module):
    """`Affine.apply` to tokens [1, T, K]; both small matrices are linears in floating point."""

    diagonal: Tensor | None
    scale: Tensor | None

    def __init__(self, affine: Affine) -> None:
        super().__init__()
        self.register_buffer("diagonal", affine.diagonal)
        self.register_buffer("scale", affine.scale)
        self.left = None if affine.left is None else plain_linear(affine.left.T)
        self.right = None if affine.right is None else plain_linear(affine.right.T)

    def forward(self, x: Tensor) -> Tensor:
        _, tokens, width = x.shape
        if self.diagonal is not None:
            x = x * self.diagonal
        if self.right is not None:
            x = self.right(x.reshape(1, -1, self.right.in_features))
        if self.left is not None:
            size = self.left.in_features
            x = x.reshape(tokens, size, -1).permute(0, 2, 1)
            x = self.left(x.reshape(1, -1, size))
            x = x.reshape(tokens, -1, size).permute(0, 2, 1)
        x = x.reshape(1, tokens, width)
        return x if self.scale is None else x * self.scale


class DeviceClip(nn.Module):
    """Cut every token [..., K] to learned shares [2] of its own lowest and highest value.

    Then the delegate, which knows no clips, finds the range that was learned. No delegate has a
    largest value of a row either: the runtime's own operators find it.
    """

    lower: Tensor
    upper: Tensor

    def __init__(self, shares: Tensor) -> None:
        super().__init__()
        self.register_buffer("lower", shares[:1].clone())
        self.register_buffer("upper", shares[1:].clone())

    def forward(self, x: Tensor) -> Tensor:
        low = -(-x.amin(-1, keepdim=True)).relu() * self.lower
        high = x.amax(-1, keepdim=True).relu() * self.upper
        return torch.minimum(torch.maximum(x, low), high)
