"""What is dropped onto the window: a source or a model, if it can be told."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from app.capture.sources import IMAGE_SUFFIXES
from app.errors import AppError
from app.sessions import is_session
from app.ui.choices import Choice
from app.ui.texts import tr

VIDEO_SUFFIXES = frozenset({".mp4", ".mov", ".mkv", ".avi", ".webm", ".m4v"})


@dataclass(frozen=True)
class Dropped:
    """kind: "source", "session", "model" or "images" (several, without a folder of their own)."""

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
        if is_session(path):
            return Dropped("session", path)
        if (path / "manifest.json").is_file():
            return Dropped("model", path)
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


class GatheredImages:
    """A source of several images, in their order; its folder of links goes when this does."""

    def __init__(self, images: Sequence[Path]) -> None:
        """Raises AppError when the images cannot be gathered."""
        self._folder = tempfile.TemporaryDirectory(prefix="pocket-vggt-images-")
        try:
            for index, image in enumerate(images):
                _link(image, Path(self._folder.name) / f"{index:05d}_{image.name}")
        except OSError as error:
            raise AppError(f"{images[0].parent} cannot be opened: {error.strerror}") from None
        words = tr("{count} images of {folder}")
        label = words.format(count=len(images), folder=images[0].parent.name)
        self.choice = Choice(label, self._folder.name)


def _link(image: Path, place: Path) -> None:
    try:
        place.symlink_to(image.resolve())
    except OSError:  # Windows lets few users make links
        shutil.copyfile(image, place)
