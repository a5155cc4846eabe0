"""From learned linears to integers: to the nearest, or so that rounding errors make up for each
other.

GPTQ (arXiv 2210.17323) rounds a weight column by column; what a column loses is taken up by those
not rounded yet, in the least-squares sense of the second moments H of real inputs. Scales are fixed
beforehand, so that any order of columns and any group size will do. Tokens may count by their
importance (the input part of a Kronecker-factored Fisher, method note 7.3 B4).

"compensated" goes further. The linears of a block are rounded one after the other on the inputs
that quantized predecessors really give. Before it is rounded, a weight moves to where its output is
closest to full precision for these inputs (least squares, as in GPTAQ, arXiv 2504.02692), and the
two linears that write to the residual stream aim at the stream's full precision, which makes up for
errors of earlier blocks as well.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from fgq.methods.block import LINEARS, BlockData, MethodOptions, norm_before
from fgq.quant import Grid, QuantizedWeight
from fgq.quant.learnable import LearnableLinear
from fgq.quant.transforms import fold_diagonal
from fgq.vggt.attention import Block

DAMPING = 0.01  # of the mean of H's diagonal
PANEL = 128  # columns whose updates are applied to the rest at once


@torch.no_grad()
def freeze_block(block: Block, full: Block, data: BlockData, options: MethodOptions) -> None:
    """Put every `LearnableLinear` of a block on its integer grid, in place.

    `full` is the block in full precision. A diagonal after a norm becomes part of the norm.
    """
    for name in LINEARS:
        linear = block.get_submodule(name)
        if not isinstance(linear, LearnableLinear):
            continue
        rounded = None
        if options.rounding != "nearest":
            moments = error_moments(block, full, name, data)
            rounded = _round(linear, moments, options.rounding == "compensated")
        norm = norm_before(block, name)
        if norm is not None and linear.transform is not None:
            affine, _ = linear.transform.affines(torch.float64)
            if affine.diagonal is not None:
                fold_diagonal(norm, affine.diagonal)
        block.set_submodule(name, linear.freeze(rounded, keep_diagonal=norm is None))


@dataclass
class Moments:
    """Sums over tokens in fp64: of what a weight is multiplied with, x [K], and of how far its
    exact output is from the aim, e [N]. Only `weighted` counts tokens by importance: a fit to the
    few important ones would not hold for other clips."""

    total: Tensor  # []
    x: Tensor  # [K]
    e: Tensor  # [N]
    xx: Tensor  # [K, K]
    xe: Tensor  # [K, N]
    weighted: Tensor  # [K, K], of x x^T


def _round(
    linear: LearnableLinear, moments: Moments, compensated: bool
) -> tuple[QuantizedWeight, Tensor]:
    """Codes and bias."""
    _, weight, bias = linear.transformed(torch.float64)
    if compensated:
        mean_x, mean_e = moments.x / moments.total, moments.e / moments.total
        centred = moments.xx - moments.total * torch.outer(mean_x, mean_x)
        with_error = moments.xe - moments.total * torch.outer(mean_x, mean_e)
        change = torch.linalg.solve(damped(centred), with_error).mT
        weight = weight + change
        bias = bias + mean_e - change @ mean_x
    scales = linear.searched_scales(weight, moments.weighted.diagonal())
    return gptq_round(weight, scales, moments.weighted, linear.grid), bias


def error_moments(block: Block, full: Block, name: str, data: BlockData) -> Moments:
    """Moments of a `LearnableLinear` of a block whose linears before it are frozen already."""
    linear = block.get_submodule(name)
    assert isinstance(linear, LearnableLinear)
    _, weight, _ = linear.transformed()
    importance = data.token_importance.get(name)
    sums: list[Tensor] = []
    for quantized, exact in zip(data.inputs, data.full_inputs, strict=True):
        x, stream = _input_and_stream(block, name, data, quantized)
        aim, full_stream = _input_and_stream(full, name, data, exact)
        x = linear.quantized_input(x)
        error = (linear.exact_input(aim) - x) @ weight.mT
        if stream is not None and full_stream is not None:
            error += full_stream - stream
        rows, errors = x.flatten(0, 1), error.flatten(0, 1)
        square = rows.mT @ rows
        parts = [
            x.new_tensor(float(len(rows))),
            rows.sum(0),
            errors.sum(0),
            square,
            rows.mT @ errors,
            square if importance is None else (x * importance[:, None]).flatten(0, 1).mT @ rows,
        ]
        # Products in fp32 are exact enough within a clip; their sum over clips is not.
        doubles = [part.double() for part in parts]
        sums = [a + b for a, b in zip(sums, doubles, strict=True)] if sums else doubles
    return Moments(*sums)


def _input_and_stream(
    block: Block, name: str, data: BlockData, x: Tensor
) -> tuple[Tensor, Tensor | None]:
    """What a linear of a block gets from tokens x [S, P, C], and the residual stream that its
    output is added to, if it is."""
    seen: dict[str, Tensor] = {}

    def keep(key: str) -> Callable[[nn.Module, tuple[Tensor]], None]:
        return lambda _, args: seen.__setitem__(key, args[0].reshape(*x.shape[:2], -1))

    hooks = [
        block.get_submodule(name).register_forward_pre_hook(keep("input")),
        block.norm2.register_forward_pre_hook(keep("middle")),
    ]
    data.forward(block, x[None])
    for hook in hooks:
        hook.remove()
    return seen["input"], {"attn.proj": x, "mlp.fc2": seen["middle"]}.get(name)


def damped(moments: Tensor) -> Tensor:
    """Second moments [K, K] that can be inverted, columns without input included."""
    result = moments.clone()
    dead = result.diagonal() <= 0
    result.diagonal()[dead] = 1
    result.diagonal().add_(DAMPING * result.diagonal().mean())
    return result


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
