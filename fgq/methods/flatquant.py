"""FlatQuant (arXiv 2410.09426) for a VGGT block: learned Kronecker transformations of the inputs
of qkv, fc1 and fc2, head mixing before the output projection, a value transformation, diagonals,
and learned clipping of weights and inputs, trained on the block's output.

q, k and v share one transformation and one clip, so that their products stay one product.
"""

from __future__ import annotations

import torch
from torch import nn

from fgq.methods.block import BlockData, MethodOptions
from fgq.methods.rounding import freeze_block
from fgq.methods.training import kronecker_transform, learn_linears, train_block
from fgq.quant.learnable import LearnableMatrix, LearnableTransform
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

    def matrix(width: int) -> LearnableMatrix:
        return LearnableMatrix(torch.eye(width), generator, MIXING / width**0.5)

    def transform(name: str, linear: nn.Linear) -> LearnableTransform:
        if name == "attn.proj":
            return LearnableTransform(left=matrix(heads))
        return kronecker_transform(linear, largest[name], matrix)

    values = matrix(block.attn.proj.in_features // heads)
    learn_linears(block, data, options, transform, values)
