"""What each quantized block does by itself: its error, what Fisher information says that it costs,
and what it does cost.

Every block gets what its full-precision predecessors put out. Its error is that of its output; its
*measured* loss is that of the full-precision network in which it alone is quantized. Fisher
information is to predict the latter from the former (arXiv 2605.15828, equation 9; figure 3c
compares the two).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from fgq.fisher import (
    TASKS,
    Fisher,
    block_names,
    channel_weights,
    predicted_loss,
    token_channel_weights,
)
from fgq.fisher_estimate import token_layouts
from fgq.quant.rotation import is_rotated, rotation_of
from fgq.task_loss import task_losses
from fgq.vggt import VGGT

EMBEDDER = "aggregator.patch_embed"
LEAST_POINTS = 3  # of a correlation


@dataclass(frozen=True)
class BlockErrors:
    """Means over clips; T tasks, L blocks in the order of `block_names`, G token groups."""

    error: Tensor  # float64 [L, G, C]: squared error of the output, mean over a group's tokens
    measured: Tensor  # float64 [T, L]: `task_losses` with this block alone quantized; 0: no head
    tokens: Tensor  # float64 [G]: tokens of a group in a clip


class Correlation(NamedTuple):
    """Of the logarithms of `pairs` pairs of positive numbers; Spearman's is that of their ranks.

    None where fewer than three are left, or one side does not vary.
    """

    pearson: float | None
    spearman: float | None
    pairs: int


@torch.inference_mode()
def measure_blocks(reference: VGGT, quantized: VGGT, clips: Iterable[Tensor]) -> BlockErrors:
    """Run every block of a quantized network inside its full-precision original.

    clips: images [1, S, 3, H, W] each. ValueError if there are none, the networks are not of one
    shape, the reference is rotated, or a number is not finite.
    """
    if quantized.config != reference.config or is_rotated(reference):
        raise ValueError("block losses need the full-precision original of a quantized network")
    measured = [_measure_clip(reference, quantized, images) for images in clips]
    if not measured:
        raise ValueError("block losses need at least one clip")
    mean = BlockErrors(
        *(torch.stack(x).mean(0) for x in zip(*(vars(m).values() for m in measured), strict=True))
    )
    for losses in (mean.error.sum((1, 2)), mean.measured.sum(0)):
        if not losses.isfinite().all():
            bad = block_names(reference.config.depth)[int(losses.isfinite().int().argmin())]
            raise ValueError(f"{bad}: what the quantized block puts out is not finite")
    return mean


def _measure_clip(reference: VGGT, quantized: VGGT, images: Tensor) -> BlockErrors:
    names = block_names(reference.config.depth)
    layout = token_layouts(reference, images)[names[0]]
    calls: dict[str, tuple[tuple[Any, ...], Tensor]] = {}
    with _recording(reference, (EMBEDDER, *names), calls):
        expected = reference(images, views_per_chunk=1)
    rotation = rotation_of(quantized)
    errors, measured = [], torch.zeros(len(TASKS), len(names), dtype=torch.float64)
    known = {EMBEDDER: calls[EMBEDDER][1]}
    for index, name in enumerate(names):
        (x, rope), target = calls[name]
        block = quantized.get_submodule(name)
        y = block(x, rope) if rotation is None else block(x @ rotation, rope) @ rotation.mT
        errors.append(layout.group_means((y - target).double().square()))
        with _answering(reference, {**known, name: y}):
            losses = task_losses(reference(images, views_per_chunk=1), expected)
        for task, loss in losses.items():
            measured[TASKS.index(task), index] = loss.item()
        known[name] = target
    tokens = torch.tensor(layout.counts, dtype=torch.float64) * images.shape[1]
    return BlockErrors(torch.stack(errors), measured, tokens)


@contextmanager
def _recording(
    model: VGGT, names: Iterable[str], calls: dict[str, tuple[tuple[Any, ...], Tensor]]
) -> Iterator[None]:
    """Keep the arguments and the output of modules."""

    def keep(name: str, module: nn.Module, args: tuple[Any, ...], output: Tensor) -> None:
        calls[name] = (args, output)

    hooks = [model.get_submodule(n).register_forward_hook(partial(keep, n)) for n in names]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


@contextmanager
def _answering(model: VGGT, outputs: Mapping[str, Tensor]) -> Iterator[None]:
    """Let modules put out what is given for them, without computing anything."""
    modules = {model.get_submodule(name): output for name, output in outputs.items()}
    try:
        for module, output in modules.items():
            module.forward = partial(_constant, output)
        yield
    finally:
        for module in modules:
            del module.forward


def _constant(output: Tensor, *_: Any) -> Tensor:
    return output


def block_losses(errors: BlockErrors, fisher: Fisher) -> dict[str, Any]:
    """Losses by block as plain numbers, in the order of `block_names`:

        mse         mean over all tokens and channels of the squared error of the output
        channels    the same, weighted by Fisher information of channels (equation 15)
        tokens      the same, weighted by that of token groups and channels
        predicted   by Fisher information, per task of TASKS: the loss that the error should cause
        measured    per task, the loss of the network in which this block alone is quantized

    ValueError if the Fisher information is of a network of another shape. That of clips of another
    size serves as well: losses are means over pixels and views, so what all tokens of a group
    together matter hardly depends on how many they are.
    """
    if fisher.blocks.shape[1:] != errors.error.shape:
        shapes = f"{tuple(fisher.blocks.shape[1:])}, not {tuple(errors.error.shape)}"
        raise ValueError(f"the Fisher information is of another network: blocks {shapes}")
    share = errors.tokens / errors.tokens.sum()
    blocks = fisher.blocks.double()
    by_channel = channel_weights(blocks)[:, None]
    by_token = token_channel_weights(blocks, fisher.tokens.double())
    weighted = {
        name: ((weights * errors.error).mean(-1) @ share).tolist()
        for name, weights in (
            ("mse", torch.ones(1)),
            ("channels", by_channel),
            ("tokens", by_token),
        )
    }
    predicted = predicted_loss(blocks, errors.error)
    return {**weighted, "predicted": predicted.tolist(), "measured": errors.measured.tolist()}


def log_correlation(predicted: Iterable[float], measured: Iterable[float]) -> Correlation:
    """How well losses are predicted, over orders of magnitude; pairs with a zero are left out."""
    pairs = [p for p in zip(predicted, measured, strict=True) if min(p) > 0]
    if len(pairs) < LEAST_POINTS:
        return Correlation(None, None, len(pairs))
    logs = torch.tensor(pairs, dtype=torch.float64).log().T
    # The rank of a number: how many are smaller, and half of those that are equal.
    larger, equal = logs[:, :, None] > logs[:, None], logs[:, :, None] == logs[:, None]
    ranks = larger.double().sum(-1) + 0.5 * equal.double().sum(-1)
    return Correlation(_pearson(logs), _pearson(ranks), len(pairs))


def _pearson(values: Tensor) -> float | None:
    """Of two rows [2, N]; None if one is constant."""
    centred = values - values.mean(1, keepdim=True)
    norms = centred.norm(dim=1)
    product = (norms[0] * norms[1]).item()
    if not product > 0 or not math.isfinite(product):
        return None
    return (centred[0] @ centred[1]).item() / product
