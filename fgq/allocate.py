"""Bits per linear under a size budget: measured error times Fisher information (method note B3).

For every linear and every choice of bits the squared error of its output is measured on clips,
with full-precision inputs. Times the Fisher information at that output it predicts the loss of each
task (FGQ, equation 9); tasks count equally. Starting from 4 bit everywhere, the upgrade that saves
most predicted loss a byte is taken until the budget is spent.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from fgq.data.calibration import CalibrationClip, clip_images
from fgq.fisher import Fisher, predicted_loss
from fgq.fisher_estimate import token_layouts
from fgq.importance import check_fisher
from fgq.quant import (
    DEVICE_GRID,
    WIDE_GRID,
    FakeQuantLinear,
    Scope,
    quantize_weight,
    quantized_sites,
)
from fgq.vggt import VGGT

Score = Literal["fisher", "magnitude"]
CHOICES = (DEVICE_GRID.weight_bits, WIDE_GRID.weight_bits, 16)


@dataclass(frozen=True)
class Site:
    """bytes and cost of a linear for each of CHOICES; cost is the predicted loss, summed over
    tasks that are each scaled to 1 for 4 bit everywhere."""

    name: str
    bytes: tuple[int, ...]
    cost: tuple[float, ...]


def allocate(sites: Sequence[Site], budget: int) -> dict[str, int]:
    """Bits of every site that gets more than 4, such that all take at most `budget` bytes.

    Greedy by saved cost a byte, where an upgrade may skip a choice. Raises ValueError if 4 bit
    everywhere is more than the budget already.
    """
    chosen = dict.fromkeys((site.name for site in sites), 0)
    left = budget - sum(site.bytes[0] for site in sites)
    if left < 0:
        raise ValueError(
            f"a budget of {budget} bytes is {-left} less than {CHOICES[0]} bit everywhere takes"
        )
    while True:
        best: tuple[float, Site, int] | None = None
        for site in sites:
            now = chosen[site.name]
            for choice in range(now + 1, len(CHOICES)):
                more = site.bytes[choice] - site.bytes[now]
                gain = (site.cost[now] - site.cost[choice]) / more
                if more <= left and gain > 0 and (best is None or gain > best[0]):
                    best = gain, site, choice
        if best is None:
            return {name: CHOICES[choice] for name, choice in chosen.items() if choice}
        _, site, choice = best
        left -= site.bytes[choice] - site.bytes[chosen[site.name]]
        chosen[site.name] = choice


@torch.no_grad()
def measure_sites(
    model: VGGT,
    clips: Sequence[CalibrationClip],
    fisher: Fisher,
    scope: Scope = "aggregator",
    score: Score = "fisher",
) -> list[Site]:
    """Cost of every choice for every linear of a full-precision model with folded LayerScale.

    score "magnitude" is a control: the squared error of the weight itself, relative to the weight,
    which asks neither data nor tasks. Raises ValueError if the Fisher information is of another
    network.
    """
    linears = quantized_sites(model, DEVICE_GRID, scope)
    rounded = {name: _rounded(linear) for name, linear in linears.items()}
    if score == "magnitude":
        costs = {
            name: (*(_weight_error(linear, choice) for choice in rounded[name]), 0.0)
            for name, linear in linears.items()
        }
    else:
        check_fisher(fisher, model)
        errors = _output_errors(model, linears, rounded, clips)
        losses = {
            name: torch.stack([predicted_loss(fisher.linears[name], e) for e in errors[name]])
            for name in linears
        }  # [choices, T]
        scale = torch.stack([loss[0] for loss in losses.values()]).sum(0)
        used = scale > 0
        costs = {
            name: (*((loss / scale)[:, used].sum(-1).tolist()), 0.0)
            for name, loss in losses.items()
        }
    return [
        Site(name, (*map(_bytes, rounded[name]), 4 * linear.weight.numel()), costs[name])
        for name, linear in linears.items()
    ]


def _rounded(linear: nn.Linear) -> list[FakeQuantLinear]:
    """The linear in 4 and in 8 bit."""
    return [
        FakeQuantLinear(quantize_weight(linear.weight, grid), linear.bias, grid)
        for grid in (DEVICE_GRID, WIDE_GRID)
    ]


def _bytes(rounded: FakeQuantLinear) -> int:
    """Of the codes and scales; biases are the same for all."""
    return rounded.codes.numel() * rounded.grid.weight_bits // 8 + rounded.scales.nbytes


def _weight_error(linear: nn.Linear, rounded: FakeQuantLinear) -> float:
    error = rounded.quantized_weight.dequantize() - linear.weight
    return float(error.square().sum() / linear.weight.square().sum())


def _output_errors(
    model: VGGT,
    linears: dict[str, nn.Linear],
    rounded: dict[str, list[FakeQuantLinear]],
    clips: Sequence[CalibrationClip],
) -> dict[str, list[Tensor]]:
    """Per linear, for 4 and for 8 bit, the squared error [G, N] of its output: mean over the
    tokens of a group and over clips, in the form that `predicted_loss` takes."""
    errors = {name: [torch.zeros(())] * len(choices) for name, choices in rounded.items()}
    calls = dict.fromkeys(linears, 0)
    layouts = token_layouts(model, clip_images(clips[0]))

    def watch(name: str) -> Callable[[nn.Module, tuple[Tensor], Tensor], None]:
        def see(_: nn.Module, inputs: tuple[Tensor], output: Tensor) -> None:
            calls[name] += 1
            for i, choice in enumerate(rounded[name]):
                square = (choice(inputs[0]) - output).square()
                errors[name][i] = errors[name][i] + layouts[name].group_means(square)

        return see

    hooks = [linear.register_forward_hook(watch(name)) for name, linear in linears.items()]
    for clip in clips:
        model(clip_images(clip), views_per_chunk=1)
    for hook in hooks:
        hook.remove()
    return {name: [e / calls[name] for e in choices] for name, choices in errors.items()}
