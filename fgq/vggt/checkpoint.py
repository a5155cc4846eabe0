"""Checkpoints: a folder of model.safetensors and config.json, or an official state dict.

Official files hold plain keys without a prefix; `VGGT` uses the same names. Files are read with
safetensors or torch.load(weights_only=True): nothing in them is executed.
"""

import json
import logging
import math
import re
import zipfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from .config import HEAD_NAMES, VGGTConfig
from .model import VGGT

WEIGHTS_NAME = "model.safetensors"
CONFIG_NAME = "config.json"
TRACKER_PREFIX = "track_head."

logger = logging.getLogger(__name__)


class CheckpointError(Exception):
    """A checkpoint that cannot be read or written; the message is one line and names the file."""


def load_checkpoint(
    path: str | Path, device: str | torch.device = "cpu", dtype: torch.dtype | None = None
) -> VGGT:
    """Read a network from a folder, a .safetensors or a .pt file, in evaluation mode.

    A config.json of ours beside the weights is used; otherwise `config_from_shapes`. Weights are
    converted to `dtype`, by default to float32 whatever they are stored in. The tensors of the
    file become the parameters, so that memory holds one copy. CheckpointError if the file is not
    what it should be, has a wrong shape, or lacks a key.
    """
    path = Path(path)
    weights_path = path / WEIGHTS_NAME if path.is_dir() else path
    state = _without_tracker(_read_state(weights_path), weights_path)
    config = _read_config(weights_path.with_name(CONFIG_NAME))
    if config is None:
        try:
            config = config_from_shapes({key: tuple(x.shape) for key, x in state.items()})
        except KeyError as error:
            raise CheckpointError(f"{weights_path}: missing key {error}") from error
        except (ValueError, IndexError, ZeroDivisionError) as error:
            raise CheckpointError(f"{weights_path}: not a VGGT checkpoint: {error}") from error
        logger.warning("%s: no config.json, took %s from the shapes", weights_path, config)
    with torch.device("meta"):
        model = VGGT(config)
    _check_state(state, model.state_dict(), weights_path)
    for key in state:
        state[key] = state[key].to(device, dtype or torch.float32)
    model.load_state_dict(state, assign=True)
    return model.eval()


def save_checkpoint(model: VGGT, folder: str | Path, dtype: torch.dtype | None = None) -> None:
    """Write model.safetensors and config.json to a folder, made if need be.

    Both are complete before either gets its name. `dtype` is that of storage (default: as they
    are). CheckpointError if the folder cannot be written.
    """
    folder = Path(folder)
    state = {key: x.detach().to("cpu", dtype).contiguous() for key, x in model.state_dict().items()}
    weights, config = (folder / f".{name}.part" for name in (WEIGHTS_NAME, CONFIG_NAME))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        config.write_text(model.config.to_json())
        save_file(state, weights, metadata={"format": "pt"})
        config.replace(folder / CONFIG_NAME)
        weights.replace(folder / WEIGHTS_NAME)
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"{folder}: cannot write the checkpoint: {error}") from error
    finally:
        for part in (weights, config):
            with suppress(OSError):
                part.unlink()


def config_from_shapes(shapes: Mapping[str, tuple[int, ...]]) -> VGGTConfig:
    """Configuration of a state dict {key: shape}.

    Shapes do not show the heads of the patch embedder and of the camera trunk, nor the layers
    that the dense heads read: the former are taken to be as many as in the aggregator, the latter
    those of the release at its depth and the last four at any other. KeyError names a missing key.
    """
    embedder = "aggregator.patch_embed."
    is_conv = f"{embedder}proj.weight" in shapes
    patch_weight = shapes[
        f"{embedder}proj.weight" if is_conv else f"{embedder}patch_embed.proj.weight"
    ]
    embed_dim, patch_size = patch_weight[0], patch_weight[-1]
    depth = _count(shapes, "aggregator.frame_blocks")
    num_heads = embed_dim // shapes["aggregator.frame_blocks.0.attn.q_norm.weight"][0]
    fields: dict[str, Any] = {}
    if not is_conv:
        grid = math.isqrt(shapes[f"{embedder}pos_embed"][1] - 1)
        fields["img_size"] = grid * patch_size
        fields["patch_embed_depth"] = _count(shapes, f"{embedder}blocks")
    heads = tuple(name for name in HEAD_NAMES if any(k.startswith(f"{name}_head.") for k in shapes))
    if "camera" in heads:
        fields["camera_trunk_depth"] = _count(shapes, "camera_head.trunk")
    for name in set(heads) & {"depth", "point"}:
        prefix = f"{name}_head."
        fields["dpt_features"] = shapes[f"{prefix}scratch.output_conv1.weight"][1]
        fields["dpt_out_channels"] = tuple(
            shapes[f"{prefix}projects.{i}.weight"][0] for i in range(4)
        )
    return VGGTConfig(
        embed_dim=embed_dim,
        depth=depth,
        num_heads=num_heads,
        patch_size=patch_size,
        num_register_tokens=shapes["aggregator.register_token"][2],
        mlp_ratio=shapes["aggregator.frame_blocks.0.mlp.fc1.weight"][0] / embed_dim,
        patch_embed="conv" if is_conv else "dinov2",
        patch_embed_heads=num_heads,
        camera_trunk_heads=num_heads,
        dpt_layers=(4, 11, 17, 23) if depth == 24 else tuple(range(depth - 4, depth)),
        heads=heads,
        **fields,
    )


def _count(shapes: Mapping[str, tuple[int, ...]], prefix: str) -> int:
    """Length of the module list at a prefix; at least 1, so that an absent one is missed later."""
    pattern = re.compile(re.escape(prefix) + r"\.(\d+)\.")
    found = [int(match[1]) for key in shapes if (match := pattern.match(key))]
    return max(found, default=0) + 1


def _read_state(path: Path) -> dict[str, Tensor]:
    """The tensors of a file by name, mapped from the disk where its form allows it."""
    if not path.is_file():
        raise CheckpointError(f"{path}: no such file")
    if path.suffix == ".safetensors":
        try:
            return load_file(path)
        except (OSError, SafetensorError) as error:
            raise CheckpointError(f"{path}: cannot be read: {error}") from error
    if path.suffix != ".pt":
        raise CheckpointError(f"{path}: expected a folder, a .safetensors or a .pt file")
    try:
        mmap = zipfile.is_zipfile(path)
        state = torch.load(path, map_location="cpu", weights_only=True, mmap=mmap)
    except Exception as error:  # almost any kind, and its message is of no help to a reader
        reason = "damaged, not a PyTorch file, or with more than tensors in it"
        raise CheckpointError(f"{path}: cannot be read: {reason}") from error
    if not isinstance(state, dict) or not all(isinstance(x, Tensor) for x in state.values()):
        raise CheckpointError(f"{path}: not a state dict of tensors")
    return state


def _without_tracker(state: dict[str, Tensor], path: Path) -> dict[str, Tensor]:
    kept = {key: x for key, x in state.items() if not key.startswith(TRACKER_PREFIX)}
    if len(kept) < len(state):
        logger.warning("%s: left out %d tensors of the tracker", path, len(state) - len(kept))
    return kept


def _read_config(path: Path) -> VGGTConfig | None:
    """Our configuration at a path; None if there is no file or it belongs to something else."""
    if not path.is_file():
        return None
    try:
        text = path.read_text()
        return VGGTConfig.from_json(text) if "dpt_layers" in json.loads(text) else None
    except (OSError, ValueError, TypeError) as error:
        raise CheckpointError(f"{path}: cannot be read as a configuration: {error}") from error


def _check_state(state: Mapping[str, Tensor], expected: Mapping[str, Tensor], path: Path) -> None:
    for title, keys in (
        ("missing", expected.keys() - state.keys()),
        ("unexpected", state.keys() - expected.keys()),
    ):
        if keys:
            more = f" and {len(keys) - 1} more" if len(keys) > 1 else ""
            raise CheckpointError(f"{path}: {title} key {min(keys)!r}{more}")
    for key, x in state.items():
        if x.shape != expected[key].shape:
            shapes = f"{tuple(x.shape)}, expected {tuple(expected[key].shape)}"
            raise CheckpointError(f"{path}: {key!r} has shape {shapes}")
        if not x.is_floating_point():
            raise CheckpointError(f"{path}: {key!r} holds {x.dtype}, expected floating point")
