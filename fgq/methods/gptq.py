"""GPTQ (arXiv 2210.17323): searched scales, then codes that make up for each other's errors.

The rounding itself is in fgq/methods/rounding.py; "tokens" weighting makes tokens count by their
Fisher information.
"""

from __future__ import annotations

from fgq.methods.block import BlockData, MethodOptions
from fgq.methods.rounding import freeze_block
from fgq.methods.training import learn_linears
from fgq.vggt.attention import Block

DEFAULTS = MethodOptions(rounding="gptq")


def quantize_gptq(block: Block, data: BlockData, options: MethodOptions) -> None:
    """Nothing is learned."""
    learn_linears(block, data, options, lambda name, linear: None, clip_inputs=False)
    freeze_block(block, data, options)
