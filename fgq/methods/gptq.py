"""GPTQ (arXiv 2210.17323): codes that make up for each other's rounding errors on real inputs.

Weight rows are rounded column by column; what a column loses is taken up by those not rounded yet,
in the least-squares sense of the inputs' second moments H. Scales are fixed beforehand, so that any
order of columns and any group size will do. Tokens may be weighted by their importance in H (the
input part of a Kronecker-factored Fisher, method note 7.3 B4).
"""

from __future__ import annotations

import torch
from torch import Tensor

from fgq.methods.block import BlockData, MethodOptions, block_linears
from fgq.quant import FakeQuantLinear, Grid, QuantizedWeight, fake_quantize_tokens, quantize_weight
from fgq.quant.grids import SEARCH_STEPS
from fgq.quant.learnable import LearnableLinear
from fgq.vggt.attention import Block

DAMPING = 0.01  # of the mean of H's diagonal
PANEL = 128  # columns whose updates are applied to the rest at once


def quantize_gptq(block: Block, data: BlockData, options: MethodOptions) -> None:
    """Searched scales, then GPTQ rounding of every linear; inputs rounded as the grid says."""
    hessians = input_hessians(block, data, options.grid)
    for name, linear, grid in block_linears(block, data, options):
        weight = linear.weight.detach()
        importance = hessians[name].diagonal().float()
        scales = quantize_weight(weight, grid, SEARCH_STEPS, importance).scales
        rounded = gptq_round(weight, scales, hessians[name], grid)
        block.set_submodule(name, FakeQuantLinear(rounded, linear.bias.detach(), grid))


@torch.no_grad()
def input_hessians(block: Block, data: BlockData, grid: Grid | None = None) -> dict[str, Tensor]:
    """Second moments [K, K] in fp64 of what each linear's weight is multiplied with.

    `grid` rounds the inputs of plain linears; learned ones transform and round by themselves.
    Tokens count by `data.token_importance` where it has the linear.
    """
    hessians: dict[str, Tensor] = {}

    def visit(name: str, x: Tensor) -> None:
        linear = block.get_submodule(name)
        if isinstance(linear, LearnableLinear):
            x = linear.quantized_input(x)
        elif grid is not None:
            x = fake_quantize_tokens(x, grid)
        importance = data.token_importance.get(name)
        weighted = x if importance is None else x * importance[:, None]
        # The products in fp32 are exact enough per clip; their sum is not.
        moment = (weighted.flatten(0, 1).mT @ x.flatten(0, 1)).double()
        hessians[name] = hessians[name] + moment if name in hessians else moment

    data.linear_inputs(block, visit)
    return hessians


def gptq_round(weight: Tensor, scales: Tensor, hessian: Tensor, grid: Grid) -> QuantizedWeight:
    """Codes of a weight [N, K] on fixed scales [N, groups] for inputs of second moments [K, K].

    The columns with the largest moments are rounded first, when most others are left to help.
    """
    width = weight.shape[1]
    low, high = grid.code_range
    step = scales.double().repeat_interleave(width // scales.shape[1], dim=1)
    order = hessian.diagonal().argsort(descending=True)
    remaining = weight.double()[:, order].clone()
    step = step[:, order]
    damped = hessian[order][:, order].clone()
    dead = damped.diagonal() == 0
    damped.diagonal()[dead] = 1
    damped.diagonal().add_(DAMPING * damped.diagonal().mean())
    inverse = torch.cholesky_inverse(torch.linalg.cholesky(damped))
    factor = torch.linalg.cholesky(inverse, upper=True)
    codes = torch.zeros_like(remaining)
    for start in range(0, width, PANEL):
        end = min(start + PANEL, width)
        panel = remaining[:, start:end]
        errors = torch.zeros_like(panel)
        inner = factor[start:end, start:end]
        for j in range(end - start):
            column = panel[:, j]
            code = torch.round(column / step[:, start + j]).clamp_(low, high)
            codes[:, start + j] = code
            errors[:, j] = (column - code * step[:, start + j]) / inner[j, j]
            panel[:, j + 1 :] -= errors[:, j, None] * inner[j, j + 1 :]
        remaining[:, end:] -= errors @ factor[start:end, end:]
    unordered = torch.empty_like(codes)
    unordered[:, order] = codes
    return QuantizedWeight(unordered.to(torch.int8), scales)
