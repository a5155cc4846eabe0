"""From Fisher information to the weights of errors that calibration minimises."""

from __future__ import annotations

import torch
from torch import Tensor

from fgq.fisher import Fisher, block_names, channel_weights, token_channel_weights
from fgq.methods.block import LINEARS, MethodOptions

FLOOR = 0.01


def block_weight(
    fisher: Fisher | None, name: str, options: MethodOptions, tokens: int, width: int
) -> Tensor:
    """Weights of the squared error of a block's output: [C], or [P, C] by token group; mean 1.

    Ones where the options ask for none, and for blocks outside the aggregator.
    """
    names = [] if fisher is None else block_names(fisher.blocks.shape[1] // 2)
    if fisher is None or options.weighting == "none" or name not in names:
        return torch.ones(width)
    index = names.index(name)
    if options.weighting == "channels":
        weight = channel_weights(fisher.blocks, FLOOR)[index]
    else:
        groups = token_channel_weights(fisher.blocks, fisher.tokens, FLOOR)[index]
        weight = groups[token_groups(fisher, tokens)]
    if options.permuted:
        generator = torch.Generator().manual_seed(options.seed + index)
        order = torch.randperm(weight.numel(), generator=generator)
        weight = weight.flatten()[order].view_as(weight)
    return weight


def token_importance(
    fisher: Fisher | None, name: str, options: MethodOptions, tokens: int
) -> dict[str, Tensor]:
    """Per linear of a block, the importance [P] of a token's error at its output, with mean 1.

    Empty unless errors are weighted by tokens. Every task has the same say over the network.
    """
    if fisher is None or options.weighting != "tokens":
        return {}
    task_means = fisher.blocks.sum(dim=2).mean(dim=(1, 2)).clamp(min=torch.finfo().tiny)
    importance = {}
    for linear in LINEARS:
        energy = fisher.linears.get(f"{name}.{linear}")
        if energy is not None and energy.any():
            per_group = (energy.sum(-1) / task_means[:, None]).sum(0) / fisher.tokens.clamp(min=1)
            weight = per_group[token_groups(fisher, tokens)]
            importance[linear] = (weight / weight.mean()).clamp(min=FLOOR)
    return importance


def token_groups(fisher: Fisher, tokens: int) -> Tensor:
    """Index [P] into TOKEN_GROUPS of every token of a view."""
    camera, register, _ = (round(float(n)) for n in fisher.tokens)
    special = 1 + register // max(1, camera)
    groups = torch.full((tokens,), 2)
    groups[:special] = 1
    groups[0] = 0
    return groups
