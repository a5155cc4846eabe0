"""QuaRot (arXiv 2404.00456): every input is turned by a Hadamard matrix with random signs, so that
no channel sticks out, and the weight with it; then both are rounded to nearest.

All four turns of a block are made at run time, as Kronecker products of two small matrices: the
LayerNorms in between keep them out of the weights before.
"""

from __future__ import annotations

import torch
from torch import Tensor

from fgq.methods.block import BlockData, MethodOptions, block_linears
from fgq.quant import Affine, AffineTransform, FakeQuantLinear, quantize_weight
from fgq.quant.hadamard import balanced_factors, hadamard, has_hadamard, orthogonal_with_mean
from fgq.vggt.attention import Block


@torch.no_grad()
def quantize_quarot(block: Block, data: BlockData, options: MethodOptions) -> None:
    """Turn and round; of the data nothing is used."""
    generator = torch.Generator().manual_seed(options.seed)
    for name, linear, grid in block_linears(block, data, options):
        affine = random_hadamard(linear.in_features, generator).to(linear.weight.device)
        turned = affine.inverse_transposed().apply(linear.weight.double()).float()
        weight = quantize_weight(turned, grid)
        transform = AffineTransform(affine.to(torch.float32))
        block.set_submodule(name, FakeQuantLinear(weight, linear.bias.detach(), grid, transform))


def random_hadamard(width: int, generator: torch.Generator) -> Affine:
    """An orthogonal transformation in fp64: random signs, then two Kronecker factors."""
    left, right = balanced_factors(width)
    signs = torch.randint(0, 2, (width,), generator=generator).double() * 2 - 1
    return Affine(diagonal=signs, left=spreading_matrix(left), right=spreading_matrix(right))


def spreading_matrix(width: int) -> Tensor:
    """A Hadamard matrix where there is one of this order, else a random orthogonal one."""
    return hadamard(width) if has_hadamard(width) else orthogonal_with_mean(width, seed=0)
