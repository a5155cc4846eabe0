"""Fisher-Guided Quantization (arXiv 2605.15828), improved.

As published it is FlatQuant trained on a Fisher-weighted error: `quantize_flatquant` with
`PUBLISHED`. The default here differs in what was measured to help (method note 7.3): Fisher weights
per token group, inputs from the quantized predecessors, transformations that start as Hadamard
matrices, clips that start at searched scales, GPTQ rounding whose tokens count by their Fisher
information, and on the device's grid targets that make up for the rounding before.

The transformation is one of
    kronecker   the paper's form, learned; what is left of it runs before every linear. For grids
                with 4-bit inputs.
    foldable    the residual stream is rotated beforehand (fgq/quant/rotation.py), diagonals go into
                its norms, a value rotation for each head into the weights: nothing runs.
    none        only the rounding is guided, and makes up for the rounding before it
                (fgq/methods/compensation.py). On the device's grid, with 8-bit inputs and small
                groups, nothing that is learned was better on the embedded network.
"""

from __future__ import annotations

import copy

import torch
from torch import nn

from fgq.methods.block import BlockData, MethodOptions, Transform, norm_before
from fgq.methods.compensation import freeze_compensated
from fgq.methods.quarot import spreading_matrix
from fgq.methods.rounding import freeze_block
from fgq.methods.training import kronecker_transform, learn_linears, train_block
from fgq.quant.learnable import LearnableLinear, LearnableMatrix, LearnableTransform
from fgq.quant.transforms import smoothing_diagonal
from fgq.vggt.attention import Block

PUBLISHED = MethodOptions(inputs="full", weighting="channels", rounding="nearest")
DEFAULTS = MethodOptions(inputs="quantized", weighting="tokens", rounding="gptq")


def quantize_fgq(block: Block, data: BlockData, options: MethodOptions) -> None:
    """Learn and freeze one block."""
    form = transform_of(options)
    full = copy.deepcopy(block)
    make_learnable(block, data, options, form)
    if form != "none":
        start_clips(block, data)
        train_block(block, data, options)
    if form == "none" and options.rounding == "gptq":
        freeze_compensated(block, full, data)
    else:
        freeze_block(block, data, options)


def transform_of(options: MethodOptions) -> Transform:
    """What is asked for, or the best for the grid."""
    return options.transform or ("kronecker" if options.grid.clipped else "none")


@torch.no_grad()
def start_clips(block: Block, data: BlockData) -> None:
    """Start the weights' clips where rounding to nearest loses least on the transformed inputs."""
    squares: dict[str, torch.Tensor] = {}

    def visit(name: str, x: torch.Tensor) -> None:
        linear = block.get_submodule(name)
        if isinstance(linear, LearnableLinear):
            square = linear.quantized_input(x).square().mean((0, 1))
            squares[name] = squares[name] + square if name in squares else square

    data.linear_inputs(block, visit)
    for name, importance in squares.items():
        linear = block.get_submodule(name)
        assert isinstance(linear, LearnableLinear)
        linear.search_clip(importance)


def make_learnable(block: Block, data: BlockData, options: MethodOptions, form: Transform) -> None:
    """Replace the linears of a block by `LearnableLinear`s, in place."""
    if form == "none":
        learn_linears(block, data, options, lambda name, linear: None, clip_inputs=False)
        return
    generator = torch.Generator().manual_seed(options.seed)
    largest = data.largest_inputs(block)
    heads = block.attn.num_heads
    head_dim = block.attn.proj.in_features // heads
    online = form == "kronecker"

    def matrix(width: int) -> LearnableMatrix:
        return LearnableMatrix(spreading_matrix(width), generator)

    def transform(name: str, linear: nn.Linear) -> LearnableTransform | None:
        if name == "attn.proj":
            return LearnableTransform(left=matrix(heads)) if online else None
        if online:
            return kronecker_transform(linear, largest[name], matrix)
        if norm_before(block, name) is None:
            return None
        return LearnableTransform(smoothing_diagonal(linear.weight.detach(), largest[name]))

    start = spreading_matrix(head_dim) if online else torch.eye(head_dim)
    values = LearnableMatrix(start.repeat(heads, 1, 1), generator)
    learn_linears(block, data, options, transform, values)
