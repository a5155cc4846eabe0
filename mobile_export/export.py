"""From a checkpoint to a verified bundle."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

from fgq.files import file_sha256, replacing_folder
from fgq.methods import quantize_rtn
from fgq.quant import (
    DEVICE_GRID,
    fake_quantized,
    fold_layer_scale,
    is_packed,
    load_packed,
    load_recipe,
    make_recipe,
    weights_file,
)
from fgq.quant.rotation import is_rotated
from fgq.vggt import VGGT, CheckpointError, load_checkpoint
from mobile_export.backends import BACKENDS
from mobile_export.bundle import MANIFEST, PROGRAM, BundleError, make_manifest, write_manifest
from mobile_export.graph import DeviceVGGT
from mobile_export.lower import lower, write_program
from mobile_export.verify import Gate, verify


class VerificationError(Exception):
    """A program that failed gates; no bundle was written."""

    def __init__(self, gates: Sequence[Gate]) -> None:
        super().__init__("; ".join(f"{gate.name}: {gate.finding}" for gate in gates))
        self.gates = list(gates)


def export_bundle(
    checkpoint: Path,
    out: Path,
    *,
    backend: str,
    precision: str,
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

    precision "fp32" takes a floating-point checkpoint; "8da4w" takes a 4-bit one as it is, or
    rounds a floating-point one to nearest. `report` is told what is being done. Raises
    CheckpointError for the checkpoint, ValueError for a head that it lacks, BundleError if the
    bundle cannot be written, and VerificationError with the failed gates; then nothing is written.
    """
    model, quantization = _load(checkpoint, precision)
    with torch.device("meta"):
        parameters = sum(p.numel() for p in VGGT(model.config).parameters())
    target = BACKENDS[backend]
    graph = DeviceVGGT(model, view_counts, size, heads)
    try:
        with replacing_folder(out, MANIFEST) as part:
            program = part / PROGRAM
            report(f"lowering {len(view_counts)} methods, about a minute each")
            write_program(lower(graph, view_counts, target), program)
            report("verifying")
            gates = verify(program, graph, model, view_counts, target)
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
                backend=backend,
                view_counts=view_counts,
                size=size,
                heads=heads,
                gates=gates,
                accuracy=accuracy,
                command=command,
            )
            write_manifest(manifest, part)
    except OSError as error:
        raise BundleError(f"{out}: cannot be written: {error.strerror or error}") from error
    return manifest


def _load(checkpoint: Path, precision: str) -> tuple[VGGT, dict[str, Any]]:
    """The folded network in the arithmetic of the program, and its recipe."""
    if is_packed(checkpoint):
        if precision != "8da4w":
            raise CheckpointError(
                f"{checkpoint}: is in 4 bit and cannot be exported as {precision}"
            )
        model = load_packed(checkpoint)
        _check_runs_on_device(model, checkpoint)
        return model, load_recipe(checkpoint)
    model = load_checkpoint(checkpoint)
    if precision == "fp32":
        fold_layer_scale(model)
        return model, {"name": "fp32"}
    quantize_rtn(model)
    return model, make_recipe(model, {"method": "rtn"})


def _check_runs_on_device(model: VGGT, checkpoint: Path) -> None:
    """CheckpointError for a quantization that has no kernel here."""
    if is_rotated(model):
        raise CheckpointError(f"{checkpoint}: its rotated residual stream cannot be exported yet")
    for name, site in fake_quantized(model).items():
        if site.grid != DEVICE_GRID:
            raise CheckpointError(
                f"{checkpoint}: {name} is on the grid {site.grid.name}; devices run"
                f" {DEVICE_GRID.name} only"
            )
        if site.transform is not None:
            raise CheckpointError(f"{checkpoint}: {name} transforms its input: not exported yet")
