"""QuantVGGT (arXiv 2509.21302): inputs turned by a random Hadamard matrix, then scaled channel by
channel; the scales start as SmoothQuant's on the turned input and are learned with the clips.
"""

from __future__ import annotations

import torch
from torch import nn

from fgq.methods.block import BlockData, MethodOptions, block_linears
from fgq.methods.quarot import random_hadamard
from fgq.methods.rounding import freeze_block
from fgq.methods.training import learn_linears, train_block
from fgq.quant.learnable import LearnableTransform
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
    largest = data.largest_inputs(
        block, lambda name, x: turns[name].to(x.dtype).apply(x) if name in turns else x
    )

    def transform(name: str, linear: nn.Linear) -> LearnableTransform:
        turned = turns[name].inverse_transposed().apply(linear.weight.detach().double())
        scale = smoothing_diagonal(turned, largest[name]).float()
        return LearnableTransform(scale=scale, fixed=turns[name].to(torch.float32))

    learn_linears(block, data, options, transform)
    train_block(block, data, options)
    freeze_block(block, data, options)
