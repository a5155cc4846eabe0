"""GPTQ (arXiv 2210.17323): searched scales, then codes that make up for each other's errors.

The rounding itself is in fgq/methods/rounding.py; "tokens" weighting makes tokens count by their
Fisher information.
"""

from __future__ import annotations

from fgq.methods.block import BlockData, MethodOptions, block_linears
from fgq.methods.rounding import freeze_block
from fgq.quant.learnable import LearnableLinear
from fgq.vggt.attention import Block

DEFAULTS = MethodOptions(rounding="gptq")


def quantize_gptq(block: Block, data: BlockData, options: MethodOptions) -> None:
    """Nothing is learned."""
    for name, linear, grid in block_linears(block, data, options):
        block.set_submodule(name, LearnableLinear(linear, grid, clip_inputs=False))
    freeze_block(block, data, options)
