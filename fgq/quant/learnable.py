"""Linears whose transformation and clipping are learned, before they are frozen to integers.

Sources: transformation and clipping of FlatQuant (arXiv 2410.09426, section 3) as used by FGQ
(arXiv 2605.15828, section 3); orthogonal factors by the Cayley map. Unlike there, singular values
are kept within bounds and diagonals positive, so that every matrix is well conditioned.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fgq.quant.grids import (
    SEARCH_STEPS,
    Grid,
    QuantizedWeight,
    fake_quantize_tokens,
    fake_quantize_weight,
    largest_magnitudes,
    quantize_weight,
    round_to_scales,
)
from fgq.quant.linear import FakeQuantLinear
from fgq.quant.transforms import Affine, AffineTransform

MAX_LOG_SINGULAR = 0.5 * math.log(1000.0)  # the condition number stays below 1000
INITIAL_CLIP = 4.0  # logit: 98.2 % of the range
MAX_INITIAL_CLIP = 0.995  # a larger share has next to no gradient


class LearnableMatrix(nn.Module):
    """Invertible matrices [..., n, n] = base U diag(s) V^T with orthogonal U and V.

    base is a fixed orthogonal matrix to start from; `mixing` is the spread of the Cayley
    parameters at the start: 0 starts at the base itself.
    """

    base: Tensor

    def __init__(
        self, base: Tensor, generator: torch.Generator, mixing: float = 0.0, scaled: bool = True
    ) -> None:
        super().__init__()
        # In fp64: it counts as exactly orthogonal when the inverse is made.
        self.register_buffer("base", base.double())
        self.u = nn.Parameter(mixing * torch.randn(base.shape, generator=generator))
        self.scaled = scaled
        if scaled:
            self.v = nn.Parameter(mixing * torch.randn(base.shape, generator=generator))
            self.log_singular = nn.Parameter(torch.zeros(base.shape[:-1]))

    def matrices(self, dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor]:
        """The matrix and its inverse transposed."""
        left = self.base.to(dtype) @ cayley(self.u.to(dtype))
        if not self.scaled:
            return left, left
        log = MAX_LOG_SINGULAR * torch.tanh(self.log_singular.to(dtype) / MAX_LOG_SINGULAR)
        singular, right = log.exp()[..., None, :], cayley(self.v.to(dtype)).mT
        return (left * singular) @ right, (left / singular) @ right


def cayley(raw: Tensor) -> Tensor:
    """Orthogonal matrix (I + A)^-1 (I - A) with A the skew part of the lower triangle of raw."""
    lower = raw.tril(-1)
    skew = lower - lower.mT
    identity = torch.eye(raw.shape[-1], dtype=raw.dtype, device=raw.device)
    return torch.linalg.solve(identity + skew, identity - skew)


class LearnableTransform(nn.Module):
    """A learned `Affine` of the parts that are given, within those that are `fixed`."""

    def __init__(
        self,
        diagonal: Tensor | None = None,
        left: LearnableMatrix | None = None,
        right: LearnableMatrix | None = None,
        scale: Tensor | None = None,
        fixed: Affine | None = None,
    ) -> None:
        super().__init__()
        self.fixed = None if fixed is None else AffineTransform(fixed)
        self.log_diagonal = None if diagonal is None else nn.Parameter(diagonal.log())
        self.left, self.right = left, right
        self.log_scale = None if scale is None else nn.Parameter(scale.log())

    def affines(self, dtype: torch.dtype = torch.float32) -> tuple[Affine, Affine]:
        """The transformation and its inverse transposed."""
        forward = Affine() if self.fixed is None else self.fixed.affine.to(dtype)
        inverse = forward.inverse_transposed().to(dtype)
        for name, matrix in (("left", self.left), ("right", self.right)):
            if matrix is not None:
                there, back = matrix.matrices(dtype)
                forward, inverse = (
                    forward._replace(**{name: there}),
                    inverse._replace(**{name: back}),
                )
        for name, log in (("diagonal", self.log_diagonal), ("scale", self.log_scale)):
            if log is not None:
                there, back = log.to(dtype).exp(), (-log.to(dtype)).exp()
                forward, inverse = (
                    forward._replace(**{name: there}),
                    inverse._replace(**{name: back}),
                )
        return forward, inverse


class LearnableLinear(nn.Module):
    """A linear that is trained to be rounded: quantized forward, straight-through gradients.

    `values_out` turns the value rows (the last third) of a qkv linear head by head, `values_in`
    undoes it in the input of the linear after the attention: no operation is left at run time.
    Ranges of inputs are clipped where the grid has that and `clip_inputs`.
    """

    weight: Tensor
    linear_bias: Tensor

    def __init__(
        self,
        linear: nn.Linear,
        grid: Grid,
        transform: LearnableTransform | None = None,
        values_out: LearnableMatrix | None = None,
        values_in: LearnableMatrix | None = None,
        clip_inputs: bool = True,
    ) -> None:
        super().__init__()
        self.grid, self.transform = grid, transform
        self.values_out, self.values_in = values_out, values_in
        self.register_buffer("weight", linear.weight.detach())
        self.register_buffer("linear_bias", linear.bias.detach())
        groups = (len(linear.weight), linear.in_features // (grid.group_size or linear.in_features))
        self.weight_clip = nn.Parameter(torch.full(groups, INITIAL_CLIP))
        clip_inputs &= grid.clipped and grid.activation_bits is not None
        self.activation_clip = nn.Parameter(torch.full((2,), INITIAL_CLIP)) if clip_inputs else None
        self.to(linear.weight.device)

    def clips(self) -> list[nn.Parameter]:
        """What is trained at the rate of clips."""
        return [p for p in (self.weight_clip, self.activation_clip) if p is not None]

    def transformed(self, dtype: torch.dtype = torch.float32) -> tuple[Affine, Tensor, Tensor]:
        """Transformation of the input, weight [N, K] and bias [N] that go with it."""
        weight, bias = self.weight.to(dtype), self.linear_bias.to(dtype)
        affine = Affine()
        if self.values_in is not None:
            weight = _turn_values(weight, self.values_in.matrices(dtype)[1])
        if self.transform is not None:
            affine, inverse = self.transform.affines(dtype)
            weight = inverse.apply(weight)
        if self.values_out is not None:
            matrix = self.values_out.matrices(dtype)[0]
            rest = 2 * len(weight) // 3
            turned = _turn_values(weight[rest:].mT, matrix).mT
            weight = torch.cat((weight[:rest], turned))
            bias = torch.cat((bias[:rest], _turn_values(bias[rest:], matrix)))
        return affine, weight, bias

    @torch.no_grad()
    def search_clip(self, importance: Tensor) -> None:
        """Start the weight's clips where the squared error, weighted by the importance [K] of the
        transformed inputs, is least."""
        _, weight, _ = self.transformed()
        found = self.searched_scales(weight, importance).float()
        share = found * self.grid.code_range[1] / largest_magnitudes(weight, self.grid)
        self.weight_clip.copy_(torch.logit(share.clamp(0.4, MAX_INITIAL_CLIP)))

    def searched_scales(self, weight: Tensor, importance: Tensor) -> Tensor:
        """Scales [N, groups] of the least squared error, weighted by importance [K]."""
        return quantize_weight(weight.float(), self.grid, SEARCH_STEPS, importance.float()).scales

    def scales(self, weight: Tensor) -> Tensor:
        """Scales [N, groups] of the transformed weight, clipped as learned."""
        largest = largest_magnitudes(weight, self.grid).clamp(min=1e-8)
        return torch.sigmoid(self.weight_clip.to(weight.dtype)) * largest / self.grid.code_range[1]

    def forward(self, x: Tensor) -> Tensor:
        affine, weight, bias = self.transformed()
        x = fake_quantize_tokens(affine.apply(x), self.grid, self._clip())
        weight = fake_quantize_weight(weight, self.scales(weight), self.grid)
        return F.linear(x, weight, bias)

    def quantized_input(self, x: Tensor) -> Tensor:
        """What the rounded weight is multiplied with."""
        return fake_quantize_tokens(self.transformed()[0].apply(x), self.grid, self._clip())

    def _clip(self) -> Tensor | None:
        return None if self.activation_clip is None else torch.sigmoid(self.activation_clip)

    @torch.no_grad()
    def freeze(self, rounded: QuantizedWeight | None, keep_diagonal: bool) -> FakeQuantLinear:
        """The linear on its integer grid; `rounded` has its codes if they are not simply the
        nearest. Without `keep_diagonal` the diagonal must go into the norm before this linear."""
        affine, exact, bias = self.transformed(torch.float64)
        weight = rounded or round_to_scales(exact, self.scales(exact), self.grid)
        if not keep_diagonal:
            affine = affine._replace(diagonal=None)
        transform = None if affine.is_identity else AffineTransform(affine.to(torch.float32))
        return FakeQuantLinear(weight, bias.float(), self.grid, transform, self._clip())


def _turn_values(x: Tensor, matrix: Tensor) -> Tensor:
    """x [..., H D], each head's D channels times a matrix [D, D] or [H, D, D]."""
    dim = matrix.shape[-1]
    heads = x.unflatten(-1, (-1, dim))
    return (heads[..., None, :] @ matrix).squeeze(-2).flatten(-2)
