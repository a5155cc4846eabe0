"""SmoothQuant (arXiv 2211.10438): outliers of the inputs moved into the weights.

The diagonals go into the norms and, for the attention's output, into the value rows of qkv. The
input of fc2 has no linear before it: GELU does not commute with a scale.
"""

from __future__ import annotations

import torch

from fgq.methods.block import BlockData, MethodOptions, block_linears, norm_before
from fgq.methods.rtn import quantize_block_rtn
from fgq.quant.transforms import fold_diagonal, smoothing_diagonal
from fgq.vggt.attention import Block


@torch.no_grad()
def quantize_smoothquant(block: Block, data: BlockData, options: MethodOptions) -> None:
    """Smooth with alpha = 0.5, then round to nearest."""
    largest = data.largest_inputs(block)
    for name, linear, _ in block_linears(block, data, options):
        norm = norm_before(block, name)
        if norm is None:
            continue
        diagonal = smoothing_diagonal(linear.weight, largest[name])
        fold_diagonal(norm, diagonal)
        linear.weight.div_(diagonal)
    diagonal = smoothing_diagonal(block.attn.proj.weight, largest["attn.proj"])
    values = slice(2 * len(diagonal), None)
    block.attn.qkv.weight[values] *= diagonal[:, None]
    block.attn.qkv.bias[values] *= diagonal
    block.attn.proj.weight.div_(diagonal)
    quantize_block_rtn(block, data, options)
