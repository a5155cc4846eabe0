"""What the methods that learn have in common: linears to be trained, and their training."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn

from fgq.methods.block import BlockData, MethodOptions, block_linears
from fgq.quant.hadamard import balanced_factors
from fgq.quant.learnable import LearnableLinear, LearnableMatrix, LearnableTransform
from fgq.quant.transforms import smoothing_diagonal
from fgq.vggt.attention import Block

WARMUP_STEPS = 16
LOOK_EVERY = 3  # epochs: a look at the loss of all clips costs a quarter of an epoch
FLOOR = 1e-3  # of the learning rate, at the end of the cosine


def learn_linears(
    block: Block,
    data: BlockData,
    options: MethodOptions,
    transform: Callable[[str, nn.Linear], LearnableTransform | None],
    values: LearnableMatrix | None = None,
    clip_inputs: bool = True,
) -> None:
    """Replace the linears of a block by `LearnableLinear`s, each with its transform, in place.

    `values` turns the values of each head, if both linears that this needs go on a grid.
    """
    linears = block_linears(block, data, options)
    if not {"attn.qkv", "attn.proj"} <= {name for name, _, _ in linears}:
        values = None
    for name, linear, grid in linears:
        learned = LearnableLinear(
            linear,
            grid,
            transform(name, linear),
            values_out=values if name == "attn.qkv" else None,
            values_in=values if name == "attn.proj" else None,
            clip_inputs=clip_inputs,
        )
        block.set_submodule(name, learned)


def kronecker_transform(
    linear: nn.Linear, largest: Tensor, matrix: Callable[[int], LearnableMatrix]
) -> LearnableTransform:
    """The papers' transformation of an input with largest magnitudes [K]: a smoothing diagonal,
    then two factors, which start as `matrix` makes them of their width."""
    left, right = balanced_factors(linear.in_features)
    diagonal = smoothing_diagonal(linear.weight.detach(), largest)
    return LearnableTransform(diagonal, matrix(left), matrix(right))


def train_block(block: Block, data: BlockData, options: MethodOptions) -> tuple[float, float]:
    """Train the `LearnableLinear`s of a block by its reconstruction loss, in place.

    AdamW without weight decay (which would pull clips and diagonals away from their starts),
    linear warm-up, cosine; the best of the start and of every third epoch's end is kept.
    Returns the loss at the start and of what is kept. Raises ValueError if the loss is not finite:
    the inputs or the weights are damaged.
    """
    linears = [m for m in block.modules() if isinstance(m, LearnableLinear)]
    first = best = data.mean_loss(block)
    if not math.isfinite(first):
        raise ValueError(f"{data.name}: the calibration loss is not finite")
    if not linears or first == 0:
        return first, best
    clips = [p for linear in linears for p in linear.clips()]
    known = {id(p) for p in clips}
    others = _unique(p for m in linears for p in m.parameters() if id(p) not in known)
    groups = [{"params": clips, "lr": options.clip_lr}, {"params": others, "lr": options.lr}]
    optimizer = torch.optim.AdamW(
        [g for g in groups if g["params"]], weight_decay=0.0, betas=(0.9, 0.999)
    )
    rates = [group["lr"] for group in optimizer.param_groups]
    generator = torch.Generator().manual_seed(options.seed)
    count = len(data.inputs)
    per_epoch = math.ceil(count / options.batch)
    total = options.epochs * per_epoch
    best_state = copy.deepcopy(block.state_dict())
    step = 0
    for epoch in range(options.epochs):
        order = torch.randperm(count, generator=generator).tolist()
        for start in range(0, count, options.batch):
            chosen = order[start : start + options.batch]
            for group, rate in zip(optimizer.param_groups, rates, strict=True):
                group["lr"] = rate * learning_rate(step, total)
            optimizer.zero_grad(set_to_none=True)
            (data.loss(block, chosen) / first).backward()
            optimizer.step()
            step += 1
        left = options.epochs - epoch - 1
        if left % LOOK_EVERY == 0:
            loss = data.mean_loss(block)
            if loss < best:
                best, best_state = loss, copy.deepcopy(block.state_dict())
        data.progress((epoch + 1) / (options.epochs + 1), best)  # rounding is left
    block.load_state_dict(best_state)
    return first, best


def learning_rate(step: int, total: int) -> float:
    """Share of the full rate: linear warm-up, then a cosine to FLOOR."""
    warm = min(1.0, 0.01 + 0.99 * step / WARMUP_STEPS)
    return warm * (FLOOR + (1 - FLOOR) * 0.5 * (1 + math.cos(math.pi * step / total)))


def _unique(parameters: Iterable[nn.Parameter]) -> list[nn.Parameter]:
    """Shared matrices appear in two linears."""
    return list({id(p): p for p in parameters}.values())
