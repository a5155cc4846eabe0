"""From learned linears to integers: to the nearest, or so that rounding errors make up for each
other.

GPTQ (arXiv 2210.17323) rounds a weight column by column; what a column loses is taken up by those
not rounded yet, in the least-squares sense of the second moments H of real inputs. Scales are fixed
beforehand, so that any order of columns and any group size will do. Tokens may count by their
importance (the input part of a Kronecker-factored Fisher, method note 7.3 B4).
"""

from __future__ import annotations

import torch
from torch import Tensor

from fgq.methods.block import LINEARS, BlockData, MethodOptions, norm_before
from fgq.quant import Grid, QuantizedWeight
from fgq.quant.learnable import LearnableLinear
from fgq.quant.transforms import fold_diagonal
from fgq.vggt.attention import Block

DAMPING = 0.01  # of the mean of H's diagonal
PANEL = 128  # columns whose updates are applied to the rest at once


@torch.no_grad()
def freeze_block(block: Block, data: BlockData, options: MethodOptions) -> None:
    """Put every `LearnableLinear` of a block on its integer grid, in place.

    A diagonal after a norm becomes part of the norm.
    """
    modules = {name: block.get_submodule(name) for name in LINEARS}
    learned = {name: m for name, m in modules.items() if isinstance(m, LearnableLinear)}
    moments = input_moments(block, data) if options.rounding == "gptq" else {}
    for name, linear in learned.items():
        rounded = None
        if name in moments:
            _, weight, _ = linear.transformed(torch.float64)
            scales = linear.searched_scales(weight, moments[name].diagonal())
            rounded = gptq_round(weight, scales, moments[name], linear.grid)
        norm = norm_before(block, name)
        if norm is not None and linear.transform is not None:
            affine, _ = linear.transform.affines(torch.float64)
            if affine.diagonal is not None:
                fold_diagonal(norm, affine.diagonal)
        block.set_submodule(name, linear.freeze(rounded, keep_diagonal=norm is None))


@torch.no_grad()
def input_moments(block: Block, data: BlockData) -> dict[str, Tensor]:
    """Second moments [K, K] in fp64 of what each `LearnableLinear`'s weight is multiplied with.

    Tokens count by `data.token_importance` where it has the linear.
    """
    moments: dict[str, Tensor] = {}

    def visit(name: str, x: Tensor) -> None:
        linear = block.get_submodule(name)
        if not isinstance(linear, LearnableLinear):
            return
        x = linear.quantized_input(x)
        importance = data.token_importance.get(name)
        weighted = x if importance is None else x * importance[:, None]
        # Products in fp32 are exact enough within a clip; their sum over clips is not.
        moment = (weighted.flatten(0, 1).mT @ x.flatten(0, 1)).double()
        moments[name] = moments[name] + moment if name in moments else moment

    data.linear_inputs(block, visit)
    return moments


def gptq_round(weight: Tensor, scales: Tensor, moments: Tensor, grid: Grid) -> QuantizedWeight:
    """Codes of a weight [N, K] on fixed scales [N, groups] for inputs of second moments [K, K].

    The columns with the largest moments are rounded first, when most others are left to help.
    """
    width = weight.shape[1]
    low, high = grid.code_range
    scales = scales.to(grid.scale_type)
    order = moments.diagonal().argsort(descending=True)
    step = scales.double().repeat_interleave(width // scales.shape[1], dim=1)[:, order]
    remaining = weight.double()[:, order].clone()
    inverse = torch.cholesky_inverse(torch.linalg.cholesky(damped(moments[order][:, order])))
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


def damped(moments: Tensor) -> Tensor:
    """Second moments [K, K] that can be inverted, columns without input included."""
    result = moments.clone()
    result.diagonal()[result.diagonal() <= 0] = 1
    result.diagonal().add_(DAMPING * result.diagonal().mean())
    return result
