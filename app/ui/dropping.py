"""What is dropped onto the window: a source or a model, if it can be told."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from app.capture.sources import IMAGE_SUFFIXES
from app.ui.texts import tr

VIDEO_SUFFIXES = frozenset({".mp4", ".mov", ".mkv", ".avi", ".webm", ".m4v"})


@dataclass(frozen=True)
class Dropped:
    """kind: "source", "model" or "images" (several, without a folder of their own)."""

    kind: str
    path: Path


def understand(paths: Sequence[Path]) -> Dropped | str:
    """What is dropped, or a line that says why it cannot be used."""
    if len(paths) > 1:
        if all(path.suffix.lower() in IMAGE_SUFFIXES for path in paths):
            return Dropped("images", paths[0].parent)
        return tr("Drop one video, folder or model at a time, or several images.")
    if not paths:
        return tr("This cannot be opened: drop a file or a folder.")
    (path,) = paths
    suffix = path.suffix.lower()
    if path.is_dir():
        if (path / "manifest.json").is_file():
            return Dropped("model", path)
        # What else a folder may be, such as a session, the source itself finds out.
        if any(path.iterdir()):
            return Dropped("source", path)
        return tr("{name} is empty: drop a folder of images.").format(name=path.name)
    if path.name == "manifest.json":
        return Dropped("model", path.parent)
    if suffix == ".zip":
        return Dropped("model", path)
    if suffix in VIDEO_SUFFIXES:
        return Dropped("source", path)
    if suffix in IMAGE_SUFFIXES:
        return Dropped("images", path.parent)
    return tr("{name} is neither a video, an image, a folder nor a model (zip).").format(
        name=path.name
    )


def gather_images(images: Sequence[Path], folder: Path) -> None:
    """Make a folder that holds these images, in this order. Raises OSError."""
    for index, image in enumerate(images):
        place = folder / f"{index:05d}_{image.name}"
        try:
            place.symlink_to(image.resolve())
        except OSError:  # Windows lets few users make links
            shutil.copyfile(image, place)
