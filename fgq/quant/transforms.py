"""Invertible affine transformations of a linear's input, and exact changes of the weights.

A linear computes x W^T. With an invertible T it is (x T)(W T^-T)^T: the same function, but x T and
W T^-T may be easier to round (FlatQuant, arXiv 2410.09426, section 3; FGQ, arXiv 2605.15828).
T is a diagonal, then a Kronecker product of two small matrices, then another diagonal; each may
be missing.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from fgq.vggt.attention import Block


class Affine(NamedTuple):
    """diagonal [K], left [n1, n1], right [n2, n2], scale [K] with K = n1 n2; None = identity.

    Row vectors: x T = ((x * diagonal) (left kron right)) * scale.
    """

    diagonal: Tensor | None = None
    left: Tensor | None = None
    right: Tensor | None = None
    scale: Tensor | None = None

    def apply(self, x: Tensor) -> Tensor:
        """x [..., K] -> x T [..., K]."""
        if self.diagonal is not None:
            x = x * self.diagonal
        if self.right is not None:
            x = (x.unflatten(-1, (-1, len(self.right))) @ self.right).flatten(-2)
        if self.left is not None:  # as one product of all tokens: faster than one for each
            x = (x.unflatten(-1, (len(self.left), -1)).mT @ self.left).mT.flatten(-2)
        if self.scale is not None:
            x = x * self.scale
        return x

    def inverse_transposed(self) -> Affine:
        """T^-T in fp64, which is what the weight's rows are multiplied with."""
        return Affine(
            None if self.diagonal is None else 1 / self.diagonal.double(),
            None if self.left is None else torch.linalg.inv(self.left.double()).mT,
            None if self.right is None else torch.linalg.inv(self.right.double()).mT,
            None if self.scale is None else 1 / self.scale.double(),
        )

    def to(self, target: torch.dtype | torch.device) -> Affine:
        return Affine(*(None if part is None else part.to(target) for part in self))

    @property
    def is_identity(self) -> bool:
        return all(part is None for part in self)


class AffineTransform(nn.Module):
    """An `Affine` as a fixed part of a network."""

    def __init__(self, affine: Affine) -> None:
        super().__init__()
        for name, part in affine._asdict().items():
            self.register_buffer(name, None if part is None else part.contiguous())

    @property
    def affine(self) -> Affine:
        return Affine(*(getattr(self, name) for name in Affine._fields))

    def forward(self, x: Tensor) -> Tensor:
        return self.affine.apply(x)


def smoothing_diagonal(weight: Tensor, largest_input: Tensor, alpha: float = 0.5) -> Tensor:
    """Diagonal [K] that evens out a weight [N, K] and its input's largest magnitudes [K].

    Multiplies the input: (max |w|)^(1 - alpha) / (max |x|)^alpha (SmoothQuant, arXiv 2211.10438,
    equation 4, as its inverse).
    """
    largest_weight = weight.abs().amax(0).clamp(min=1e-5)
    return largest_weight ** (1 - alpha) / largest_input.clamp(min=1e-5) ** alpha


@torch.no_grad()
def fold_diagonal(norm: nn.Module, diagonal: Tensor) -> None:
    """Multiply the output of a LayerNorm by a diagonal [C], in place."""
    for parameter in (norm.weight, getattr(norm, "bias", None)):
        if isinstance(parameter, Tensor):
            parameter.copy_(parameter.double() * diagonal.double())


@torch.no_grad()
def fold_layer_scale(model: nn.Module) -> None:
    """Multiply every LayerScale into the linear before it and set its gain to 1, in place.

    The device then needs no multiplication for it. Quantization always acts on the folded
    network, so that codes and scales belong to the weights that the device holds.
    """
    for block in model.modules():
        if isinstance(block, Block):
            for linear, scale in ((block.attn.proj, block.ls1), (block.mlp.fc2, block.ls2)):
                linear.weight.mul_(scale.gamma[:, None])
                linear.bias.mul_(scale.gamma)
                scale.gamma.fill_(1.0)
