"""QuantVGGT (arXiv 2509.21302): inputs turned by a random Hadamard matrix, then scaled channel by
channel; the scales start as SmoothQuant's on the turned input and are learned with the clips.
"""

from __future__ import annotations

import torch

from fgq.methods.block import BlockData, MethodOptions, block_linears
from fgq.methods.quarot import random_hadamard
from fgq.methods.rounding import freeze_block
from fgq.methods.training import train_block
from fgq.quant import Affine
from fgq.quant.learnable import LearnableLinear, LearnableTransform
from fgq.quant.transforms import smoothing_diagonal
from fgq.vggt.attention import Block

DEFAULTS = MethodOptions(lr=1e-3, clip_lr=1e-2)


def quantize_quantvggt(block: Block, data: BlockData, options: MethodOptions) -> None:
    """Learn and freeze."""
    generator = torch.Generator().manual_seed(options.seed)
    turns = {
        name: random_hadamard(linear.in_features, generator).to(linear.weight.device)
        for name, linear, _ in block_linears(block, data, options)
    }
    largest = _largest_turned_inputs(block, data, turns)
    for name, linear, grid in block_linears(block, data, options):
        turned = turns[name].inverse_transposed().apply(linear.weight.detach().double())
        scale = smoothing_diagonal(turned, largest[name]).float()
        transform = LearnableTransform(scale=scale, fixed=turns[name].to(torch.float32))
        block.set_submodule(name, LearnableLinear(linear, grid, transform))
    train_block(block, data, options)
    freeze_block(block, data, options)


def _largest_turned_inputs(
    block: Block, data: BlockData, turns: dict[str, Affine]
) -> dict[str, torch.Tensor]:
    """Largest magnitude [K] of every channel of the turned input of each of LINEARS."""
    largest: dict[str, torch.Tensor] = {}

    def visit(name: str, x: torch.Tensor) -> None:
        if name not in turns:
            return
        seen = turns[name].to(x.dtype).apply(x).abs().amax((0, 1))
        largest[name] = torch.maximum(largest[name], seen) if name in largest else seen

    data.linear_inputs(block, visit)
    return largest
