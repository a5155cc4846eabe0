"""From Fisher information to the weights of errors that calibration minimises."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from fgq.files import file_sha256
from fgq.fisher import (
    Fisher,
    block_names,
    channel_weights,
    load_fisher,
    token_channel_weights,
)
from fgq.methods.block import LINEARS, MethodOptions, seed_at
from fgq.quant import weights_file
from fgq.vggt import VGGT

FLOOR = 0.01


def load_fisher_of(checkpoint: Path, folder: Path) -> Fisher:
    """Fisher information from a folder. ValueError if it was measured on other weights;
    CheckpointError if it is damaged."""
    fisher = load_fisher(folder)
    source = fisher.manifest.get("checkpoint", {}).get("sha256")
    if source not in (None, file_sha256(weights_file(checkpoint))):
        raise ValueError(f"{folder} is not of {checkpoint}: measure it again with `fgq fisher`")
    return fisher


def check_fisher(fisher: Fisher, model: VGGT) -> None:
    """ValueError if the Fisher information is of a network of another shape."""
    config = model.config
    shapes = [
        ("blocks", fisher.blocks.shape[1], 2 * config.depth),
        ("channels", fisher.blocks.shape[3], config.embed_dim),
        ("registers a view", _registers(fisher), config.num_register_tokens),
    ]
    for name, linear in model.named_modules():
        if isinstance(linear, nn.Linear) and name in fisher.linears:
            found = fisher.linears[name].shape[-1]
            shapes.append((f"outputs at {name}", found, linear.out_features))
    for what, found, expected in shapes:
        if found != expected:
            raise ValueError(
                "the Fisher information is of another network: it has"
                f" {found} {what}, this one has {expected}"
            )


def block_weight(
    fisher: Fisher | None, name: str, options: MethodOptions, tokens: int, width: int
) -> Tensor:
    """Weights of the squared error of a block's output: [C], or [P, C] by token group.

    Their mean is 1 at the image size that the Fisher information was measured at, before small
    ones were raised. Ones where the options ask for none, and for blocks outside the aggregator.
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
    return _permuted(weight, name, options)


def token_importance(
    fisher: Fisher | None, name: str, options: MethodOptions, tokens: int
) -> dict[str, Tensor]:
    """Per linear of a block, the importance [P] of a token's error at its output, with mean 1.

    Empty unless errors are weighted by tokens, and in the camera head, whose tokens are all of one
    group. Every task has the same say over the network.
    """
    if fisher is None or options.weighting != "tokens" or name.startswith("camera_head."):
        return {}
    task_means = fisher.blocks.sum(dim=2).mean(dim=(1, 2)).clamp(min=torch.finfo().tiny)
    importance = {}
    for linear in LINEARS:
        energy = fisher.linears.get(f"{name}.{linear}")
        if energy is not None and energy.any():
            per_group = (energy.sum(-1) / task_means[:, None]).sum(0) / fisher.tokens.clamp(min=1)
            weight = per_group[token_groups(fisher, tokens)]
            weight = (weight / weight.mean()).clamp(min=FLOOR)
            importance[linear] = _permuted(weight, f"{name}.{linear}", options)
    return importance


def _permuted(weight: Tensor, place: str, options: MethodOptions) -> Tensor:
    """In random order if that is what the options ask for."""
    if not options.permuted:
        return weight
    generator = torch.Generator().manual_seed(seed_at(place, options.seed))
    order = torch.randperm(weight.numel(), generator=generator)
    return weight.flatten()[order].view_as(weight)


def token_groups(fisher: Fisher, tokens: int) -> Tensor:
    """Index [P] into TOKEN_GROUPS of every token of a view."""
    groups = torch.full((tokens,), 2)
    groups[: 1 + _registers(fisher)] = 1
    groups[0] = 0
    return groups


def _registers(fisher: Fisher) -> int:
    """Register tokens of a view."""
    views, registers, _ = fisher.tokens.tolist()
    return round(registers / max(views, 1.0))
