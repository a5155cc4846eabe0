"""The bundle: a folder of `manifest.json` and `model.pte` that the app loads."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from fgq.files import file_sha256
from fgq.vggt import VGGTConfig
from mobile_export.gate import Gate
from mobile_export.graph import method_names
from mobile_export.outputs import output_names

FORMAT = "pocket-vggt-bundle"
FORMAT_VERSION = 1
MANIFEST = "manifest.json"
PROGRAM = "model.pte"


class BundleError(Exception):
    """A bundle that is missing or damaged; one line says which and how."""


def make_manifest(
    program: Path,
    *,
    model: dict[str, Any],
    config: VGGTConfig,
    quantization: dict[str, Any],
    backend: str,
    view_counts: Sequence[int],
    size: tuple[int, int],
    heads: Sequence[str],
    gates: Sequence[Gate],
    accuracy: dict[str, Any],
    command: str,
) -> dict[str, Any]:
    """What the app and its users have to know of a program; the same for the same inputs."""
    packages = ("torch", "torchao", "executorch")
    return {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "model": {**model, "config": asdict(config)},
        "quantization": quantization,
        "backend": backend,
        "input": {"height": size[0], "width": size[1], "range": [0, 1]},
        "methods": {str(views): name for views, name in method_names(view_counts).items()},
        "outputs": output_names(heads),
        "files": {PROGRAM: {"sha256": file_sha256(program), "bytes": program.stat().st_size}},
        "runtime": {"executorch": version("executorch")},
        "created_with": {"command": command, **{name: version(name) for name in packages}},
        "verification": {gate.name: gate.finding for gate in gates},
        "accuracy": accuracy,
    }


def write_manifest(manifest: dict[str, Any], folder: Path) -> None:
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n")


def input_size(manifest: dict[str, Any]) -> tuple[int, int]:
    """(H, W) of the images, in pixels."""
    return int(manifest["input"]["height"]), int(manifest["input"]["width"])


def read_bundle(folder: Path) -> dict[str, Any]:
    """The manifest of a bundle folder whose files match their hashes; BundleError otherwise."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text())
        if manifest["format"] != FORMAT or manifest["format_version"] != FORMAT_VERSION:
            raise ValueError("another format or version")
        for name, entry in manifest["files"].items():
            if file_sha256(folder / name) != entry["sha256"]:
                raise ValueError(f"{name} does not match its hash")
    except OSError as error:
        raise BundleError(f"{error.filename}: cannot be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BundleError(f"{folder}: not a usable bundle: {error}") from error
    return dict(manifest)
