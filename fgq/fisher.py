"""Fisher information of a network's activations: its form, its file and what is derived from it.

F_k[l, g, c] is the mean over calibration clips of the sum over the tokens of group g of the squared
gradient of task k at channel c of block l's output (arXiv 2605.15828, equation 8, with token
groups). `fgq.fisher_estimate` measures it.

The folder on disk: fisher.safetensors with `blocks`, `linears.<name>`, `per_clip` and `tokens`, and
fisher.json with how they came about.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from fgq.files import replacing_folder
from fgq.vggt import CheckpointError

TASKS = ("camera", "depth", "points")
TOKEN_GROUPS = ("camera", "register", "patch")
FORMAT = "pocket-vggt-fisher"
FORMAT_VERSION = 1
TENSORS_NAME = "fisher.safetensors"
MANIFEST_NAME = "fisher.json"
LINEAR_PREFIX = "linears."
RESAMPLES = 1000


@dataclass(frozen=True)
class Fisher:
    """T tasks, L blocks in the order of `block_names`, G token groups, C channels, N outputs.

    A task without a head in the network is zero throughout.
    """

    blocks: Tensor  # float32 [T, L, G, C]: at the output of every block of the aggregator
    linears: dict[str, Tensor]  # module name -> float32 [T, G, N]: at the output of every linear
    per_clip: Tensor  # float32 [clips, T, L, G]: `blocks` of each clip, summed over channels
    tokens: Tensor  # float32 [G]: tokens of a group in a clip of `blocks`, mean over clips
    manifest: dict[str, Any]  # estimator, probes, seed, clips, checkpoint, versions


def block_names(depth: int) -> list[str]:
    """Module names of the aggregator's 2 `depth` blocks in the order of computation."""
    kinds = ("frame_blocks", "global_blocks")
    return [f"aggregator.{kind}.{i}" for i in range(depth) for kind in kinds]


def channel_weights(blocks: Tensor, floor: float = 0.01) -> Tensor:
    """blocks [T, L, G, C] -> weights [L, C] of squared errors in a block (equations 12 to 15).

    Every task has the same say over the whole network; the mean over the channels of a block is 1
    before small weights are raised to `floor`. A block that no task depends on gets ones.
    ValueError if all is zero.
    """
    score = _balanced(blocks).sum(dim=1)
    return _unit_mean(score, torch.ones(()), dims=(1,)).clamp(min=floor)


def token_channel_weights(blocks: Tensor, tokens: Tensor, floor: float = 0.01) -> Tensor:
    """blocks [T, L, G, C], tokens [G] -> weights [L, G, C] of one token's squared error.

    As `channel_weights`, per token group: the Fisher of a group is shared by its tokens, and the
    mean over all tokens and channels of a block is 1 before the floor.
    """
    count = tokens[:, None].to(blocks.dtype)
    score = _balanced(blocks) / count.clamp(min=1)
    return _unit_mean(score, count / count.mean(), dims=(1, 2)).clamp(min=floor)


def _balanced(blocks: Tensor) -> Tensor:
    """Sum over tasks, each divided by its mean over the network: [T, L, G, C] -> [L, G, C]."""
    mean = blocks.sum(dim=2).mean(dim=(1, 2))
    if not (mean > 0).any():
        raise ValueError("the Fisher information is zero for every task")
    counts = mean > 0
    return (blocks[counts] / mean[counts].view(-1, 1, 1, 1)).sum(dim=0)


def _unit_mean(score: Tensor, share: Tensor, dims: tuple[int, ...]) -> Tensor:
    """Divide scores by their mean, weighted by `share`, over `dims`; all-zero ones become 1."""
    mean = (score * share).mean(dim=dims, keepdim=True)
    return torch.where(mean > 0, score / mean.clamp(min=torch.finfo(mean.dtype).tiny), 1.0)


def predicted_loss(fisher: Tensor, error: Tensor) -> Tensor:
    """Loss that an error of activations should cause, in the units of `fgq.task_loss` [...].

    fisher [..., G, C], for example `blocks` or an entry of `linears`; error [..., G, C] is the
    squared error of a channel, averaged over the tokens of a group and over clips. It is half the
    sum over groups and channels of their product (equation 9): F sums over tokens, and tokens of a
    group are taken to be equally wrong. Errors of different channels and tokens are taken to be
    independent; where they are not, the loss can be larger or smaller.
    """
    return 0.5 * (fisher * error).sum(dim=(-2, -1))


def block_intervals(per_clip: Tensor, seed: int, level: float = 0.95) -> tuple[Tensor, Tensor]:
    """Bootstrap interval of the energy of every block: per_clip [clips, T, L, G] -> low, high
    [T, L].

    The energy is summed over token groups and averaged over clips; clips are drawn with
    replacement `RESAMPLES` times, and low and high are percentiles.
    """
    return _percentiles(_resampled(per_clip, seed), level)


def share_intervals(per_clip: Tensor, seed: int, level: float = 0.95) -> tuple[Tensor, Tensor]:
    """As `block_intervals`, of each block's share [T, L] of the energy of its task."""
    return _percentiles(block_shares(_resampled(per_clip, seed)), level)


def block_shares(energies: Tensor) -> Tensor:
    """energies [..., L] -> shares that add up to 1; zeros stay zeros."""
    total = energies.sum(dim=-1, keepdim=True)
    return energies / total.where(total > 0, 1.0)


def _resampled(per_clip: Tensor, seed: int) -> Tensor:
    """Mean energies of samples of clips, drawn with replacement: [RESAMPLES, T, L]."""
    clips = len(per_clip)
    drawn = np.random.default_rng(seed).integers(clips, size=(RESAMPLES, clips))
    energies = per_clip.sum(dim=-1).double()
    counts = torch.from_numpy((drawn[:, :, None] == np.arange(clips)).sum(1)).double()
    return torch.einsum("rn,ntl->rtl", counts / clips, energies)


def _percentiles(samples: Tensor, level: float) -> tuple[Tensor, Tensor]:
    tail = (1 - level) / 2
    low, high = samples.quantile(torch.tensor([tail, 1 - tail], dtype=samples.dtype), dim=0)
    return low, high


def save_fisher(fisher: Fisher, folder: str | Path) -> None:
    """Write fisher.safetensors and fisher.json. Raises OSError if the folder cannot be written,
    FileExistsError if it holds something else."""
    tensors = {"blocks": fisher.blocks, "per_clip": fisher.per_clip, "tokens": fisher.tokens}
    tensors |= {LINEAR_PREFIX + name: x for name, x in fisher.linears.items()}
    manifest = {"format": FORMAT, "format_version": FORMAT_VERSION, **fisher.manifest}
    with replacing_folder(Path(folder), MANIFEST_NAME) as part:
        save_file({name: x.contiguous() for name, x in tensors.items()}, part / TENSORS_NAME)
        (part / MANIFEST_NAME).write_text(json.dumps(manifest, indent=2) + "\n")


def load_fisher(folder: str | Path) -> Fisher:
    """Inverse of `save_fisher`; CheckpointError if a file is missing, damaged or not ours."""
    folder = Path(folder)
    try:
        manifest = json.loads((folder / MANIFEST_NAME).read_text())
        if (manifest["format"], manifest["format_version"]) != (FORMAT, FORMAT_VERSION):
            raise ValueError("another format or version")
        tensors = load_file(folder / TENSORS_NAME)
        blocks, per_clip, tokens = (tensors.pop(x) for x in ("blocks", "per_clip", "tokens"))
        linears = {name.removeprefix(LINEAR_PREFIX): x for name, x in tensors.items()}
        _check_shapes(blocks, per_clip, tokens, linears)
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
        raise CheckpointError(f"{folder}: cannot be read as Fisher information: {error}") from error
    manifest = {key: x for key, x in manifest.items() if not key.startswith("format")}
    return Fisher(blocks, linears, per_clip, tokens, manifest)


def _check_shapes(
    blocks: Tensor, per_clip: Tensor, tokens: Tensor, linears: dict[str, Tensor]
) -> None:
    groups = len(TOKEN_GROUPS)
    fits = (
        blocks.dim() == 4
        and (blocks.shape[0], blocks.shape[2]) == (len(TASKS), groups)
        and per_clip.dim() == 4
        and per_clip.shape[1:] == blocks.shape[:3]
        and tokens.shape == (groups,)
        and all(x.dim() == 3 and x.shape[:2] == (len(TASKS), groups) for x in linears.values())
    )
    if not fits:
        raise ValueError("its tensors do not fit together")
    for x in (blocks, per_clip, tokens, *linears.values()):
        if not (x.isfinite().all() and (x >= 0).all()):
            raise ValueError("it holds numbers that are not finite or negative")
