"""Frames from image files."""

import io
import re
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from app.capture._cv2 import cv2
from app.capture.frame import MAX_SIDE, Frame, SourceError, to_rgb

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"})

# Time between images, which have no times of their own (seconds).
_STEP = 1.0

# Decoders that make the image smaller as they read it, without ever holding the whole.
_REDUCED = {2: cv2.IMREAD_REDUCED_COLOR_2, 4: cv2.IMREAD_REDUCED_COLOR_4}
_SMALLEST = cv2.IMREAD_REDUCED_COLOR_8

# Above its first limit Pillow warns, above twice that it refuses; only the second concerns us.
warnings.simplefilter("ignore", Image.DecompressionBombWarning)


class ImageSource:
    """Image files, one second apart."""

    is_live = False

    def __init__(self, files: list[Path], warn: Callable[[str], None]) -> None:
        self._files = files
        self._warn = warn
        self._closed = False
        self.length: int | None = len(files)

    def __iter__(self) -> Iterator[Frame]:
        """Skips what cannot be read with a warning. Raises SourceError when that is all of it."""
        readable = 0
        for index, file in enumerate(self._files):
            if self._closed:
                return
            try:
                image = read_image(file)
            except SourceError as error:
                self._warn(f"{error}: skipped")
                continue
            readable += 1
            yield Frame(index, index * _STEP, image, file.name)
        if not readable:
            raise SourceError(f"{self._files[0].parent} holds no readable image")

    def reopen(self) -> None:
        """Nothing to do: files do not go away."""

    def close(self) -> None:
        self._closed = True


def list_images(folder: Path) -> list[Path]:
    """The images of a folder in natural order (2 before 10). Raises SourceError without any."""
    try:
        # A leading dot: macOS leaves such companions beside the images on foreign disks.
        files = [
            file
            for file in folder.iterdir()
            if file.suffix.lower() in IMAGE_SUFFIXES and not file.name.startswith(".")
        ]
    except OSError as error:
        raise SourceError(f"{folder} cannot be read: {error.strerror}") from None
    if not files:
        raise SourceError(f"{folder} holds no images (jpg, png, webp, bmp or tif)")
    return sorted(files, key=lambda file: _natural_key(file.name))


def read_image(file: Path) -> NDArray[np.uint8]:
    """An image file, turned upright, as the image [H,W,3] of a Frame. Raises SourceError."""
    try:
        # Not cv2.imread: it cannot open every path that the system can.
        data = file.read_bytes()
        image = cv2.imdecode(np.frombuffer(data, np.uint8), _how_to_decode(data)) if data else None
    except OSError as error:
        raise SourceError(f"{file} cannot be read: {error.strerror}") from None
    except Image.DecompressionBombError:
        raise SourceError(f"{file} is too large: make it smaller first") from None
    except cv2.error:
        image = None
    if image is None:
        raise SourceError(f"{file} is not a readable image")
    return to_rgb(image)


def _how_to_decode(data: bytes) -> int:
    """OpenCV's flag. Raises DecompressionBombError for an image beyond 179 million pixels."""
    try:
        with Image.open(io.BytesIO(data)) as header:
            longest, is_jpeg = max(header.size), header.format in ("JPEG", "MPO")
    except (OSError, ValueError, SyntaxError):
        return cv2.IMREAD_COLOR
    step = -(-longest // MAX_SIDE)
    # Of other formats OpenCV decodes the whole first, and forgets to turn TIFF upright.
    if step == 1 or not is_jpeg:
        return cv2.IMREAD_COLOR
    return _REDUCED.get(step if step < 3 else 4 if step <= 4 else 8, _SMALLEST)


def _natural_key(name: str) -> list[tuple[int, str]]:
    """Sorts digits by value and the rest by letter."""
    parts = re.split(r"(\d+)", name.lower())
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]
