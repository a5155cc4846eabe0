"""The quantized checkpoint on disk: real 4-bit storage, exact to the bit.

A folder of
    model.safetensors   per site `<name>.codes` (4 bit: uint8 [N, K / 2], the even column in the low
                        half; 8 bit: int8 [N, K]) and `<name>.scales`; its transformation, if any,
                        as `<name>.transform.*`; convolutions likewise; every other tensor of the
                        folded network under its own name
    config.json         the network's configuration
    quantization.json   grid, method and its options, the form of every site, layers kept and why
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save, save_file
from torch import Tensor, nn

from fgq.files import file_sha256, replacing_folder, write_file
from fgq.quant.convolution import (
    FakeQuantConv2d,
    convolution_sites,
    quantized_convolutions,
)
from fgq.quant.grids import GRIDS, Grid, QuantizedWeight
from fgq.quant.linear import FakeQuantLinear
from fgq.quant.rotation import insert_rotation, is_rotated
from fgq.quant.sites import Scope, fake_quantized, kept_layers
from fgq.quant.transforms import Affine, AffineTransform
from fgq.vggt import VGGT, CheckpointError, VGGTConfig

FORMAT = "pocket-vggt-packed"
FORMAT_VERSION = 3
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


def checkpoint_source(checkpoint: Path) -> dict[str, str]:
    """What a result says of the checkpoint that it was made from."""
    return {"name": checkpoint.name, "sha256": file_sha256(weights_file(checkpoint))}


def require_full_precision(checkpoint: Path) -> None:
    """CheckpointError for a quantized checkpoint."""
    if is_packed(checkpoint):
        raise CheckpointError(
            f"{checkpoint}: is quantized already, to 4 bit or 8 bit; give one in full precision"
        )


def is_packed(path: str | Path) -> bool:
    """Whether a path is a folder with a quantized checkpoint."""
    return (Path(path) / RECIPE_NAME).is_file()


def make_recipe(model: VGGT, how: Mapping[str, Any], scope: Scope = "all") -> dict[str, Any]:
    """What quantization.json says of a network with `FakeQuantLinear` at its sites.

    `how` says how it came about: method, its options, source, versions.
    """
    sites = fake_quantized(model)
    grids = [site.grid for site in sites.values()]
    grid = max(grids, key=grids.count)
    convolutions = list(quantized_convolutions(model))
    kept = {n: why for n, why in kept_layers(model, grid, scope).items() if n not in sites}
    for name, module in model.named_modules():
        if isinstance(module, nn.Linear) and name not in kept:
            kept[name] = "given 16 bits"
    return {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "name": grid.name,
        "grid": asdict(grid),
        "rotated": is_rotated(model),
        **how,
        "sites": site_forms(model, grid),
        "convolutions": convolutions,
        "kept": kept,
    }


def site_forms(module: nn.Module, grid: Grid) -> dict[str, dict[str, Any]]:
    """What a loader must know of each site beside its shape, for `insert_sites`."""
    return {name: _site_form(site, grid) for name, site in fake_quantized(module).items()}


def _site_form(site: FakeQuantLinear, grid: Grid) -> dict[str, Any]:
    """Only what is not as usual."""
    form: dict[str, Any] = {}
    if site.grid != grid:
        form["grid"] = asdict(site.grid)
    if site.transform is not None:
        parts = site.transform.affine._asdict()
        form["transform"] = {n: list(p.shape) for n, p in parts.items() if p is not None}
    if site.activation_clip is not None:
        form["activation_clip"] = True
    return form


def save_packed(
    model: VGGT, folder: str | Path, how: Mapping[str, Any], scope: Scope = "all"
) -> None:
    """Write a network with `FakeQuantLinear` at its sites; `how` as in `make_recipe`.

    Raises CheckpointError if the folder cannot be written or holds something else.
    """
    folder = Path(folder)
    state = {key: x.detach().contiguous() for key, x in model.state_dict().items()}
    for name, site in fake_quantized(model).items():
        if site.grid.weight_bits == 4:
            state[f"{name}.codes"] = pack_codes(state[f"{name}.codes"])
    recipe = make_recipe(model, how, scope)
    try:
        with replacing_folder(folder, RECIPE_NAME) as part:
            save_file(state, part / WEIGHTS_NAME, metadata={"format": "pt"})
            (part / "config.json").write_text(model.config.to_json())
            (part / RECIPE_NAME).write_text(json.dumps(recipe, indent=2) + "\n")
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"{folder}: cannot write the checkpoint: {error}") from error


def load_recipe(folder: str | Path) -> dict[str, Any]:
    """The content of quantization.json; CheckpointError if it is not ours."""
    path = Path(folder) / RECIPE_NAME
    try:
        recipe = json.loads(path.read_text())
        if recipe["format"] != FORMAT or recipe["format_version"] != FORMAT_VERSION:
            raise ValueError("another format or version; quantize the checkpoint again")
        if recipe["name"] not in GRIDS or not isinstance(recipe["sites"], dict):
            raise ValueError(f"the grid is none of {', '.join(GRIDS)}")
        for form in ({"grid": recipe["grid"]}, *recipe["sites"].values()):
            if "grid" in form:
                Grid(**form["grid"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{path}: cannot be read as a quantization: {error}") from error
    return dict(recipe)


def load_packed(folder: str | Path) -> VGGT:
    """The network of a quantized checkpoint, with a `FakeQuantLinear` at every site.

    In evaluation mode, on the CPU, and as calibration leaves it without gradients, which decide
    how torch computes some products. Raises CheckpointError if a file or a tensor is missing,
    damaged or of the wrong shape.
    """
    folder = Path(folder)
    recipe = load_recipe(folder)
    weights = folder / WEIGHTS_NAME
    try:
        config = VGGTConfig.from_json((folder / "config.json").read_text())
        state = {key: x.clone() for key, x in load_file(weights).items()}  # see `load_sites`
    except (OSError, ValueError, TypeError, SafetensorError) as error:
        raise CheckpointError(f"{folder}: cannot be read: {error}") from error
    try:
        with torch.device("meta"):
            model = VGGT(config)
            if recipe["rotated"]:
                insert_rotation(model)
            insert_sites(model, recipe["sites"], Grid(**recipe["grid"]), folder)
            _insert_convolutions(model, recipe["convolutions"], folder)
    except (AttributeError, KeyError, RuntimeError, TypeError, ValueError) as error:
        reason = f"{folder / RECIPE_NAME}: cannot be read as a quantization: {error}"
        raise CheckpointError(reason) from error
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
    return model.requires_grad_(False).eval()


def save_sites(module: nn.Module, path: Path, usual: Grid) -> None:
    """Write a part of a network with its sites, for `load_sites`. Raises OSError."""
    forms = {"sites": json.dumps(site_forms(module, usual))}
    state = {key: x.detach().cpu().contiguous() for key, x in module.state_dict().items()}
    write_file(path, save(state, metadata=forms))


def load_sites(module: nn.Module, path: Path, usual: Grid) -> None:
    """Bring a part of a network that is not quantized yet into the state that was saved, in place.

    Raises CheckpointError if the file is damaged or of another network.
    """
    device = next(module.parameters()).device
    try:
        with safe_open(path, "pt") as file:
            forms = json.loads(file.metadata()["sites"])
            # Copied, since a product's last bit can depend on how its operands lie in memory:
            # within the file they are not aligned.
            keys = file.keys()
            state = {key: file.get_tensor(key).to(device, copy=True) for key in keys}
        insert_sites(module, forms, usual, path)
        module.load_state_dict(state, assign=True)
    except (OSError, SafetensorError, RuntimeError, ValueError, KeyError, TypeError) as error:
        reason = " ".join(str(error).split())
        raise CheckpointError(f"{path}: cannot be read: {reason}") from error


def insert_sites(
    module: nn.Module, forms: Mapping[str, Mapping[str, Any]], usual: Grid, source: Path
) -> None:
    """Put an empty `FakeQuantLinear` at every site, in place, to load a state into.

    Raises CheckpointError, which names the source, if the module has no such linear.
    """
    for name, form in forms.items():
        grid = Grid(**form["grid"]) if "grid" in form else usual
        linear = dict(module.named_modules()).get(name)
        if not isinstance(linear, nn.Linear) or not grid.fits(linear.in_features):
            raise CheckpointError(f"{source}: the network has no linear to quantize at {name!r}")
        rows, width = linear.weight.shape
        groups = width // (grid.group_size or width)
        weight = QuantizedWeight(
            torch.empty(rows, width, dtype=torch.int8),
            torch.empty(rows, groups, dtype=grid.scale_type),
        )
        transform = None
        if "transform" in form:
            parts = {part: torch.empty(shape) for part, shape in form["transform"].items()}
            transform = AffineTransform(Affine(**parts))
        clip = torch.empty(2) if form.get("activation_clip") else None
        module.set_submodule(name, FakeQuantLinear(weight, linear.bias, grid, transform, clip))


def _insert_convolutions(model: VGGT, names: Sequence[str], source: Path) -> None:
    """Put an empty `FakeQuantConv2d` at every place, in place."""
    places = convolution_sites(model)
    for name in names:
        if name not in places:
            raise CheckpointError(f"{source}: no convolution to quantize at {name!r}")
        rows = len(places[name].weight)
        codes = torch.empty(places[name].weight.shape, dtype=torch.int8)
        weight = QuantizedWeight(codes, torch.empty(rows, 1))
        model.set_submodule(name, FakeQuantConv2d(weight, places[name]))
