"""FlatQuant (arXiv 2410.09426) for a VGGT block: learned Kronecker transformations of the inputs
of qkv, fc1 and fc2, head mixing before the output projection, a value transformation, diagonals,
and learned clipping of weights and inputs, trained on the block's output.

q, k and v share one transformation and one clip, so that their products stay one product.
"""

from __future__ import annotations

import torch

from fgq.methods.block import BlockData, MethodOptions, block_linears, values_turn
from fgq.methods.rounding import freeze_block
from fgq.methods.training import train_block
from fgq.quant.hadamard import balanced_factors
from fgq.quant.learnable import LearnableLinear, LearnableMatrix, LearnableTransform
from fgq.quant.transforms import smoothing_diagonal
from fgq.vggt.attention import Block

DEFAULTS = MethodOptions(inputs="full", weighting="none", rounding="nearest")
# Spread of the Cayley parameters times the root of the width: starts as a moderately mixing
# rotation, U V^T with a mean diagonal of 0.4, as the published code does.
MIXING = 0.5


def quantize_flatquant(block: Block, data: BlockData, options: MethodOptions) -> None:
    """Learn and freeze; with a Fisher weighting this is FGQ as published."""
    make_learnable(block, data, options)
    train_block(block, data, options)
    freeze_block(block, data, options)


def make_learnable(block: Block, data: BlockData, options: MethodOptions) -> None:
    """Replace the linears of a block by `LearnableLinear`s in the paper's form, in place."""
    generator = torch.Generator().manual_seed(options.seed)
    largest = data.largest_inputs(block)
    heads = block.attn.num_heads
    head_dim = block.attn.proj.in_features // heads
    values = _matrix(head_dim, generator)
    turn = values_turn(block, data, options)
    for name, linear, grid in block_linears(block, data, options):
        if name == "attn.proj":
            transform = LearnableTransform(left=_matrix(heads, generator))
        else:
            left, right = balanced_factors(linear.in_features)
            diagonal = smoothing_diagonal(linear.weight.detach(), largest[name])
            transform = LearnableTransform(
                diagonal, _matrix(left, generator), _matrix(right, generator)
            )
        block.set_submodule(
            name,
            LearnableLinear(
                linear,
                grid,
                transform,
                values_out=values if turn and name == "attn.qkv" else None,
                values_in=values if turn and name == "attn.proj" else None,
            ),
        )


def _matrix(width: int, generator: torch.Generator) -> LearnableMatrix:
    return LearnableMatrix(torch.eye(width), generator, MIXING / width**0.5)
