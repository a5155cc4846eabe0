"""The 4-bit checkpoint on disk: two codes a byte and bfloat16 scales, exact to the bit.

A folder of
    model.safetensors   per quantized site `<name>.codes` uint8 [N, K / 2] (the even column in the
                        low half) and `<name>.scales` bfloat16 [N, K / 32]; every other tensor of
                        the folded network under its own name
    config.json         the network's configuration
    quantization.json   grid, method and its options, quantized sites, layers kept and why
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from fgq.files import replacing_folder
from fgq.quant.grids import GRID_NAME, GROUP_SIZE, FakeQuantLinear, QuantizedWeight
from fgq.quant.sites import kept_layers
from fgq.vggt import VGGT, CheckpointError, VGGTConfig

FORMAT = "pocket-vggt-packed"
FORMAT_VERSION = 1
RECIPE_NAME = "quantization.json"
WEIGHTS_NAME = "model.safetensors"


def pack_codes(codes: Tensor) -> Tensor:
    """int8 codes [N, K] in [-8, 7] -> uint8 [N, K / 2]."""
    nibbles = (codes & 0x0F).to(torch.uint8)
    return nibbles[:, ::2] | (nibbles[:, 1::2] << 4)


def unpack_codes(packed: Tensor) -> Tensor:
    """Inverse of `pack_codes`."""
    nibbles = torch.stack((packed & 0x0F, packed >> 4), dim=-1).flatten(-2).to(torch.int8)
    return torch.where(nibbles > 7, nibbles - 16, nibbles)


def weights_file(checkpoint: str | Path) -> Path:
    """The file with the weights of a checkpoint, which is a folder or that file itself."""
    path = Path(checkpoint)
    return path / WEIGHTS_NAME if path.is_dir() else path


def is_packed(path: str | Path) -> bool:
    """Whether a path is a folder with a 4-bit checkpoint."""
    return (Path(path) / RECIPE_NAME).is_file()


def make_recipe(model: VGGT, how: Mapping[str, Any]) -> dict[str, Any]:
    """What quantization.json says of a network whose quantized sites are `FakeQuantLinear`.

    `how` says how it came about: method, its options, source, versions.
    """
    return {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "name": GRID_NAME,
        "weights": {"bits": 4, "symmetric": True, "group_size": GROUP_SIZE, "scales": "bfloat16"},
        "activations": {"bits": 8, "symmetric": False, "granularity": "token", "dynamic": True},
        **how,
        "sites": _quantized_names(model),
        "kept": kept_layers(model),
    }


def save_packed(model: VGGT, folder: str | Path, how: Mapping[str, Any]) -> None:
    """Write a network whose quantized sites are `FakeQuantLinear`; `how` as in `make_recipe`.

    Raises CheckpointError if the folder cannot be written or holds something else.
    """
    folder = Path(folder)
    state = {key: x.detach().contiguous() for key, x in model.state_dict().items()}
    for name in _quantized_names(model):
        state[f"{name}.codes"] = pack_codes(state[f"{name}.codes"])
    recipe = make_recipe(model, how)
    try:
        with replacing_folder(folder, RECIPE_NAME) as part:
            save_file(state, part / WEIGHTS_NAME, metadata={"format": "pt"})
            (part / "config.json").write_text(model.config.to_json())
            (part / RECIPE_NAME).write_text(json.dumps(recipe, indent=2) + "\n")
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"{folder}: cannot write the checkpoint: {error}") from error


def _quantized_names(model: VGGT) -> list[str]:
    return [n for n, module in model.named_modules() if isinstance(module, FakeQuantLinear)]


def load_recipe(folder: str | Path) -> dict[str, Any]:
    """The content of quantization.json; CheckpointError if it is not ours."""
    path = Path(folder) / RECIPE_NAME
    try:
        recipe = json.loads(path.read_text())
        if recipe["format"] != FORMAT or recipe["format_version"] != FORMAT_VERSION:
            raise ValueError("another format or version")
        if recipe["name"] != GRID_NAME or not isinstance(recipe["sites"], list):
            raise ValueError(f"the grid is not {GRID_NAME}")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{path}: cannot be read as a quantization: {error}") from error
    return dict(recipe)


def load_packed(folder: str | Path) -> VGGT:
    """The network of a 4-bit checkpoint, with a `FakeQuantLinear` at every quantized site.

    In evaluation mode, on the CPU. Raises CheckpointError if a file or a tensor is missing,
    damaged or of the wrong shape.
    """
    folder = Path(folder)
    recipe = load_recipe(folder)
    weights = folder / WEIGHTS_NAME
    try:
        config = VGGTConfig.from_json((folder / "config.json").read_text())
        state = load_file(weights)
    except (OSError, ValueError, TypeError, SafetensorError) as error:
        raise CheckpointError(f"{folder}: cannot be read: {error}") from error
    with torch.device("meta"):
        model = VGGT(config)
        for name in recipe["sites"]:
            _insert_empty(model, name, folder)
    for name in recipe["sites"]:
        packed = state.get(f"{name}.codes")
        if packed is not None and packed.dtype == torch.uint8 and packed.dim() == 2:
            state[f"{name}.codes"] = unpack_codes(packed)
    expected = model.state_dict()
    if keys := expected.keys() ^ state.keys():
        kind = "missing" if min(keys) in expected else "unexpected"
        raise CheckpointError(f"{weights}: {kind} key {min(keys)!r}")
    for key, x in state.items():
        if x.shape != expected[key].shape or x.dtype != expected[key].dtype:
            raise CheckpointError(f"{weights}: {key!r} has shape {tuple(x.shape)} and {x.dtype}")
    model.load_state_dict(state, assign=True)
    return model.eval()


def _insert_empty(model: VGGT, name: str, folder: Path) -> None:
    linear = dict(model.named_modules()).get(name)
    if not isinstance(linear, nn.Linear) or linear.in_features % GROUP_SIZE:
        raise CheckpointError(f"{folder}: the network has no linear to quantize at {name!r}")
    rows, width = linear.weight.shape
    weight = QuantizedWeight(
        torch.empty(rows, width, dtype=torch.int8),
        torch.empty(rows, width // GROUP_SIZE, dtype=torch.bfloat16),
    )
    model.set_submodule(name, FakeQuantLinear(weight, linear.bias))
