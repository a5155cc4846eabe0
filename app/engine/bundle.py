"""Reads a model bundle: a folder or zip of `manifest.json` and an ExecuTorch program."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.errors import AppError


class BundleError(AppError):
    """The bundle is missing, damaged or of another kind."""


@dataclass(frozen=True)
class Bundle:
    """A bundle whose files match their hashes.

    path: the folder that holds the files; size: (H, W) of the network's image in pixels;
    methods: number of views -> name of the program's method.
    """

    path: Path
    manifest: dict[str, Any]
    name: str
    precision: str
    size: tuple[int, int]
    methods: dict[int, str]

    @property
    def view_counts(self) -> tuple[int, ...]:
        """Numbers of views that the program takes, ascending."""
        return tuple(sorted(self.methods))

    @property
    def program(self) -> Path:
        """The ExecuTorch file."""
        return self.path / "model.pte"

    @property
    def model_bytes(self) -> int:
        """Size of the ExecuTorch file in bytes."""
        return int(self.manifest["files"]["model.pte"]["bytes"])


def open_bundle(path: str | Path) -> Bundle:
    """Open and check a bundle folder or zip. Raises BundleError."""
    raise NotImplementedError
