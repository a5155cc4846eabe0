"""From a checkpoint to a verified bundle."""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from fgq.files import file_sha256, replacing_folder
from fgq.methods import quantize_rtn
from fgq.quant import (
    DEVICE_GRID,
    WIDE_GRID,
    fake_quantized,
    fold_layer_scale,
    is_packed,
    load_packed,
    load_recipe,
    make_recipe,
    quantized_convolutions,
    weights_file,
)
from fgq.vggt import VGGT, CheckpointError, load_checkpoint
from mobile_export.backends import Backend
from mobile_export.bundle import MANIFEST, PROGRAM, BundleError, make_manifest, write_manifest
from mobile_export.gate import Gate
from mobile_export.graph import DeviceVGGT
from mobile_export.lower import lower, write_program
from mobile_export.verify import verify

# Linears of integer weights, and inputs of 8 bit rounded token by token at run time.
# In 4w the inputs stay as they are.
GRID_OF_PRECISION = {
    "8da4w": DEVICE_GRID,
    "8da8w": WIDE_GRID,
    "4w": replace(DEVICE_GRID, name="4w-g32", activation_bits=None),
}


class VerificationError(Exception):
    """A program that failed gates; no bundle was written."""

    def __init__(self, gates: Sequence[Gate]) -> None:
        super().__init__("; ".join(f"{gate.name}: {gate.finding}" for gate in gates))
        self.gates = list(gates)


def export_bundle(
    checkpoint: Path,
    out: Path,
    *,
    backend: Backend,
    precision: str | None,
    view_counts: Sequence[int],
    size: tuple[int, int],
    heads: Sequence[str],
    name: str,
    license_name: str,
    accuracy: dict[str, Any],
    command: str,
    report: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """Write a bundle folder and return its manifest; the same inputs give the same bytes.

    precision: "fp32" of a floating-point checkpoint, or "8da4w", "8da8w" or "4w", to which it is
    rounded to nearest; a quantized one goes in as it is (None, or its own), or in 4w with its
    codes of 8da4w. `report` is told what is being done. Raises CheckpointError for the checkpoint,
    ValueError for a head that it lacks or what the backend does not compute, BundleError if the
    bundle cannot be written, and VerificationError with the failed gates; then nothing is written.
    """
    model, quantization = _load(checkpoint, precision, backend)
    with torch.device("meta"):
        parameters = sum(p.numel() for p in VGGT(model.config).parameters())
    if backend.gpu:  # their kernels for convolutions are in floating point
        for site in quantized_convolutions(model).values():
            site.grid = replace(site.grid, activation_bits=None)
    graph = DeviceVGGT(model, view_counts, size, heads, backend.gpu)
    try:
        with replacing_folder(out, MANIFEST) as part:
            program = part / PROGRAM
            report(f"lowering {len(view_counts)} methods, about a minute each")
            write_program(lower(graph, view_counts, backend), program)
            gc.collect()  # the compiler's nodes hold the weights and each other
            report("verifying")
            gates = verify(program, graph, model, view_counts, backend)
            if failed := [gate for gate in gates if not gate.passed]:
                raise VerificationError(failed)
            manifest = make_manifest(
                program,
                model={
                    "name": name,
                    "parameters": parameters,
                    "weights_sha256": file_sha256(weights_file(checkpoint)),
                    "license": license_name,
                },
                config=model.config,
                quantization=quantization,
                backend=backend.name,
                view_counts=view_counts,
                size=size,
                heads=heads,
                gates=gates,
                accuracy=accuracy,
                command=command,
            )
            write_manifest(manifest, part)
    except OSError as error:
        raise BundleError(str(error)) from error
    return manifest


def _load(checkpoint: Path, precision: str | None, backend: Backend) -> tuple[VGGT, dict[str, Any]]:
    """The folded network in the arithmetic of the program, and its recipe."""
    if is_packed(checkpoint):
        model, recipe = load_packed(checkpoint), load_recipe(checkpoint)
        own = _precision_of(model, checkpoint)
        if precision == "4w" and own == "8da4w":
            _check_backend(precision, backend)
            return _without_rounded_inputs(model, recipe)
        if precision not in (None, own):
            raise CheckpointError(
                f"{checkpoint}: is in {own} and cannot be exported as {precision}"
            )
        _check_backend(own, backend)
        return model, recipe
    if precision is None:
        raise ValueError(f"{checkpoint} is in floating point: give --precision")
    _check_backend(precision, backend)
    model = load_checkpoint(checkpoint)
    if precision == "fp32":
        fold_layer_scale(model)
        return model, {"name": "fp32"}
    quantize_rtn(model, GRID_OF_PRECISION[precision])
    return model, make_recipe(model, {"method": "rtn"})


def _without_rounded_inputs(model: VGGT, recipe: dict[str, Any]) -> tuple[VGGT, dict[str, Any]]:
    """The same codes in 4w. CheckpointError for linears of 8 bit, which need rounded inputs."""
    grid = GRID_OF_PRECISION["4w"]
    for name, site in fake_quantized(model).items():
        if site.grid != DEVICE_GRID:
            raise CheckpointError(f"{name} is in 8 bit, which 4w programs have no kernel for")
        site.grid = grid
    return model, {**recipe, "name": grid.name}


def _check_backend(precision: str, backend: Backend) -> None:
    if precision not in backend.precisions:
        known = ", ".join(backend.precisions)
        raise ValueError(f"{backend.name} has no {precision} linears: it takes {known}")


def _precision_of(model: VGGT, checkpoint: Path) -> str:
    """That of most sites. CheckpointError for a grid that no device computes."""
    names = {grid: name for name, grid in GRID_OF_PRECISION.items()}
    found: Counter[str] = Counter()
    for name, site in fake_quantized(model).items():
        if site.grid not in names:
            known = " and ".join(grid.name for grid in names)
            raise CheckpointError(
                f"{checkpoint}: {name} is on the grid {site.grid.name}, for which devices have no"
                f" kernel: calibrate on {known}"
            )
        found[names[site.grid]] += 1
    return found.most_common(1)[0][0] if found else "fp32"
