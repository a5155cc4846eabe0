"""Integer grids: what a linear's weight and its input are rounded to.

Weights are symmetric. On the grid that devices run ("8da4w-g32") every group of 32 inputs has one
bfloat16 scale: the runtime keeps scales in bfloat16, so a scale is rounded *before* the codes are,
or the codes would be multiplied by another scale than they were rounded for. Inputs are rounded
per token at run time, from each token's own minimum and maximum.

The grids of the papers (w4a4, w4a8, w8a8, w4a16) have one fp32 scale an output channel and
symmetric inputs (FGQ, arXiv 2605.15828; FlatQuant, arXiv 2410.09426).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

SEARCH_STEPS = 24
SEARCHED_AT_ONCE = 2**18  # numbers of a weight


@dataclass(frozen=True)
class Grid:
    """weight_bits: 2 to 8. group_size: inputs that share a scale, None = one scale an output
    channel. activation_bits: None = the input stays as it is. clipped: whether a learned share of
    a token's range may be cut off; the device's own kernels do not. searched: whether scales are
    those of the least squared error rather than of the largest magnitude."""

    name: str
    weight_bits: int
    group_size: int | None
    activation_bits: int | None
    symmetric: bool = True
    clipped: bool = True
    searched: bool = False

    @property
    def code_range(self) -> tuple[int, int]:
        """Least and largest code of a weight."""
        return -(2 ** (self.weight_bits - 1)), 2 ** (self.weight_bits - 1) - 1

    @property
    def scale_type(self) -> torch.dtype:
        return torch.float32 if self.group_size is None else torch.bfloat16

    def fits(self, width: int) -> bool:
        """Whether a linear of this input width can be put on the grid: two codes share a byte."""
        return width % self.width_step == 0

    @property
    def runs_on_devices(self) -> bool:
        """Whether there are kernels: for a token's own minimum and maximum, without clips."""
        return not self.symmetric and not self.clipped

    @property
    def width_step(self) -> int:
        """What the input width of a linear must be a multiple of."""
        return self.group_size or 2


DEVICE_GRID = Grid("8da4w-g32", 4, 32, 8, symmetric=False, clipped=False, searched=True)
# What devices run in 8 bit: their kernels have groups in 4 bit only.
WIDE_GRID = Grid("8da8w", 8, None, 8, symmetric=False, clipped=False, searched=True)
GRIDS = {
    grid.name: grid
    for grid in (
        DEVICE_GRID,
        WIDE_GRID,
        Grid("w4a4", 4, None, 4),
        Grid("w4a8", 4, None, 8),
        Grid("w8a8", 8, None, 8),
        Grid("w4a16", 4, None, None),
    )
}


@dataclass(frozen=True)
class QuantizedWeight:
    """codes: int8 [N, K]. scales: [N, groups], positive: bfloat16 for groups, fp32 for rows."""

    codes: Tensor
    scales: Tensor

    def dequantize(self, dtype: torch.dtype = torch.float32) -> Tensor:
        """The real weight [N, K] that the codes stand for."""
        groups = self.codes.unflatten(-1, (self.scales.shape[-1], -1)).to(dtype)
        return (groups * self.scales.to(dtype)[..., None]).flatten(-2)


class _RoundWeight(torch.autograd.Function):
    """Round to codes in [low, high] and back; the gradient takes rounding for the identity.

    The gradient reaches the scale as well, through the codes that it multiplies: inside the range
    by the rounding error in steps, outside by the code at the range's end.
    """

    @staticmethod
    def forward(ctx: Any, weight: Tensor, scale: Tensor, low: int, high: int) -> Tensor:
        codes = torch.round(weight / scale)
        rounded = codes.clamp(low, high)
        out = rounded * scale
        ctx.save_for_backward(weight, out, scale, rounded == codes)
        return out

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None, None]:
        weight, out, scale, inside = ctx.saved_tensors
        passed = gradient * inside
        to_scale = (gradient * out - passed * weight).sum(-1, keepdim=True) / scale
        return passed, to_scale, None, None


def fake_quantize_weight(weight: Tensor, scales: Tensor, grid: Grid) -> Tensor:
    """Differentiable `round_to_scales(...).dequantize()`, for scales [N, groups] in fp32."""
    scales = scales + (scales.to(grid.scale_type).to(scales.dtype) - scales).detach()
    groups = weight.unflatten(-1, (scales.shape[-1], -1))
    return _RoundWeight.apply(groups, scales[..., None], *grid.code_range).flatten(-2)


def round_to_scales(weight: Tensor, scales: Tensor, grid: Grid = DEVICE_GRID) -> QuantizedWeight:
    """Nearest codes of a weight [N, K] for given scales [N, groups]."""
    scales = scales.to(grid.scale_type)
    wide = weight if weight.dtype == torch.float64 else weight.float()
    groups = wide.unflatten(-1, (scales.shape[-1], -1))
    codes = torch.round(groups / scales.to(wide.dtype)[..., None]).clamp_(*grid.code_range)
    return QuantizedWeight(codes.flatten(-2).to(torch.int8), scales)


def largest_magnitudes(weight: Tensor, grid: Grid) -> Tensor:
    """[N, groups] of a weight [N, K]."""
    return weight.unflatten(-1, (-1, grid.group_size or weight.shape[-1])).abs().amax(-1)


def absmax_scales(weight: Tensor, shrink: float = 1.0, grid: Grid = DEVICE_GRID) -> Tensor:
    """Scales [N, groups] that put `shrink` times each group's largest magnitude on the last code.

    A group of zeros gets scale 1: the runtime refuses a scale of zero.
    """
    return _shrunk_scales(largest_magnitudes(weight.float(), grid), shrink, grid)


def _shrunk_scales(largest: Tensor, shrink: float, grid: Grid) -> Tensor:
    scales = (largest * (shrink / grid.code_range[1])).to(grid.scale_type)
    return torch.where(scales > 0, scales, torch.ones_like(scales))


def quantize_weight(
    weight: Tensor,
    grid: Grid = DEVICE_GRID,
    search_steps: int | None = None,
    importance: Tensor | None = None,
) -> QuantizedWeight:
    """Round a weight [N, K] to a grid; each group gets the scale with the least squared error.

    The scales tried are the absolute-maximum scale shrunk to 1, ..., 1/2 of itself in
    `search_steps` equal steps (0: the absolute maximum itself; None: as the grid says). Clipping
    a few large weights often costs less than coarse steps for all others. `importance` [K] weighs
    the squared errors of the inputs, for example by their mean square.

    Raises ValueError if K does not fit the grid or the weight is not finite.
    """
    if weight.dim() != 2 or not grid.fits(weight.shape[1]):
        raise ValueError(f"a weight of shape {tuple(weight.shape)} has no groups for {grid.name}")
    if not torch.isfinite(weight).all():
        raise ValueError("the weight has values that are not finite")
    steps = (SEARCH_STEPS if grid.searched else 0) if search_steps is None else search_steps
    # A few rows at a time, which stay in the processor's cache for all steps.
    rows = max(1, SEARCHED_AT_ONCE // weight.shape[1])
    scales = [_searched_scales(part, grid, steps, importance) for part in weight.split(rows)]
    return round_to_scales(weight, torch.cat(scales), grid)


def _searched_scales(weight: Tensor, grid: Grid, steps: int, importance: Tensor | None) -> Tensor:
    largest = largest_magnitudes(weight.float(), grid)
    best_scales = _shrunk_scales(largest, 1.0, grid)
    if steps == 0:
        return best_scales
    best_error = _group_error(weight, best_scales, grid, importance)
    for step in range(1, steps + 1):
        scales = _shrunk_scales(largest, 1.0 - 0.5 * step / steps, grid)
        error = _group_error(weight, scales, grid, importance)
        better = error < best_error
        best_scales = torch.where(better, scales, best_scales)
        best_error = torch.where(better, error, best_error)
    return best_scales


def _group_error(weight: Tensor, scales: Tensor, grid: Grid, importance: Tensor | None) -> Tensor:
    groups = weight.float().unflatten(-1, (scales.shape[-1], -1))
    step = scales.float()[..., None]
    error = torch.round(groups / step).clamp_(*grid.code_range).mul_(step).sub_(groups).square_()
    if importance is not None:
        error *= importance.unflatten(-1, (scales.shape[-1], -1))
    return error.sum(-1)


class _RoundTokens(torch.autograd.Function):
    """`fake_quantize_tokens` with a gradient that takes rounding for the identity.

    It reaches x inside the range, the two ends of the range through the scale, and the clips. The
    zero point is taken for a constant.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, clip: Tensor | None, grid: Grid) -> Tensor:
        assert grid.activation_bits is not None
        largest = 2 ** (grid.activation_bits - 1) - 1
        low, high = x.amin(-1, keepdim=True), x.amax(-1, keepdim=True)
        ends = low.clamp(max=0.0), high.clamp(min=0.0)
        clipped = ends if clip is None else (ends[0] * clip[0], ends[1] * clip[1])
        if grid.symmetric:
            scale = torch.maximum(-clipped[0], clipped[1]) / largest
        else:
            scale = (clipped[1] - clipped[0]) / (2 * largest + 1)
        scale = torch.where(scale > 0, scale, torch.ones_like(scale))
        codes = torch.round(x / scale)
        if grid.symmetric:
            rounded = codes.clamp(-largest - 1, largest)
            out = rounded * scale
        else:
            zero = torch.round(-largest - 1 - clipped[0] / scale).clamp_(-largest - 1, largest)
            codes += zero
            rounded = codes.clamp(-largest - 1, largest)
            out = (rounded - zero) * scale
        if x.requires_grad or (clip is not None and clip.requires_grad):
            ctx.save_for_backward(x, out, codes == rounded, scale, low, high, clip)
            ctx.grid = grid
        return out

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor | None, None]:
        x, out, inside, scale, low, high, clip = ctx.saved_tensors
        largest = 2 ** (ctx.grid.activation_bits - 1) - 1
        to_x = gradient * inside
        to_scale = (
            (gradient * out).sum(-1, keepdim=True) - (to_x * x).sum(-1, keepdim=True)
        ) / scale
        shares = (1.0, 1.0) if clip is None else clip.tolist()
        if ctx.grid.symmetric:
            above = high * shares[1] >= -low * shares[0]
            to_high = to_scale * above / largest
            to_low = -to_scale * ~above / largest
        else:
            to_high = to_scale / (2 * largest + 1) * (high > 0)
            to_low = -to_scale / (2 * largest + 1) * (low < 0)
        to_clip = None
        if clip is not None:
            to_clip = torch.stack(((to_low * low).sum(), (to_high * high).sum()))
        # A place for each end: ties are rare and any one of them will do.
        to_x.scatter_add_(-1, x.argmax(-1, keepdim=True), to_high * shares[1])
        to_x.scatter_add_(-1, x.argmin(-1, keepdim=True), to_low * shares[0])
        return to_x, to_clip, None


def fake_quantize_tokens(x: Tensor, grid: Grid = DEVICE_GRID, clip: Tensor | None = None) -> Tensor:
    """Round every token (last dimension) of x [..., K] to its own integer grid.

    Asymmetric as the runtime does it, so that an eager network predicts what the device computes:
    the range always contains zero, and the zero point is the rounded code of zero. `clip` [2]
    shrinks the range's lower and upper end. Differentiable, also by `clip`.
    """
    return x if grid.activation_bits is None else _RoundTokens.apply(x, clip, grid)
