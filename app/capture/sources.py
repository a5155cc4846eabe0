"""Where frames come from: a video file, a folder of images or a camera."""

import re
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from app.capture._cv2 import cv2
from app.errors import AppError

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"})

# Time between the images of a folder, which have no times of their own (seconds).
_FOLDER_STEP = 1.0


class SourceError(AppError):
    """The source cannot be opened or read."""


class SourceInterrupted(SourceError):
    """A camera stopped delivering; `reopen` of the source may bring it back."""


@dataclass(frozen=True)
class Frame:
    """One image of a source: uint8 [H,W,3] RGB, index from 0, time in seconds from the start."""

    index: int
    time: float
    image: NDArray[np.uint8]
    name: str


class FrameSource(Protocol):
    """An iterable of frames. `length` is None where it is not known (a camera)."""

    is_live: bool
    length: int | None

    def __iter__(self) -> Iterator[Frame]: ...

    def close(self) -> None:
        """Release the device or file; may be called twice and from any thread.

        Ends a running iteration, after the frame that is just being read.
        """


def open_source(spec: str, warn: Callable[[str], None] = lambda text: None) -> FrameSource:
    """Open a video file, a folder of images, or a camera by its index ("0").

    warn: receives a line about what is skipped on the way, such as an unreadable image.
    Raises SourceError with one clear line when there is nothing to read.
    """
    path = Path(spec)
    if (path / "session.log").is_file():
        from app.sessions import SessionSource, open_session

        return SessionSource(open_session(path), warn)
    if path.is_dir():
        return FolderSource(path, warn)
    if path.is_file():
        return VideoSource(path, warn)
    if spec.isdecimal():
        return CameraSource(int(spec))
    raise SourceError(f"{spec}: no such file, folder or camera index")


class FolderSource:
    """The images of a folder in natural order (2 before 10)."""

    is_live = False

    def __init__(self, folder: Path, warn: Callable[[str], None]) -> None:
        self._warn = warn
        self._closed = False
        try:
            files = [file for file in folder.iterdir() if file.suffix.lower() in IMAGE_SUFFIXES]
        except OSError as error:
            raise SourceError(f"{folder} cannot be read: {error.strerror}") from None
        if not files:
            raise SourceError(f"{folder} holds no images (jpg, png, webp, bmp or tif)")
        self._files = sorted(files, key=lambda file: _natural_key(file.name))
        self._folder = folder
        self.length: int | None = len(files)

    def __iter__(self) -> Iterator[Frame]:
        """Raises SourceError when not one image could be read."""
        readable = 0
        for index, file in enumerate(self._files):
            if self._closed:
                return
            image = read_image(file)
            if image is None:
                self._warn(f"{file} is not a readable image: skipped")
                continue
            readable += 1
            yield Frame(index, index * _FOLDER_STEP, image, file.name)
        if not readable:
            raise SourceError(f"{self._folder} holds no readable image")

    def close(self) -> None:
        self._closed = True


class VideoSource:
    """The frames of a video file, at their own times."""

    is_live = False

    def __init__(self, file: Path, warn: Callable[[str], None]) -> None:
        self._file = file
        self._warn = warn
        self._capture = _Capture(str(file))
        self._count = int(self._capture.get(cv2.CAP_PROP_FRAME_COUNT))
        if not self._capture.is_open:
            raise SourceError(f"{file} is not a video that can be read")
        self.length: int | None = self._count if self._count > 0 else None
        self._rate = self._capture.get(cv2.CAP_PROP_FPS) or 30.0

    def __iter__(self) -> Iterator[Frame]:
        """Raises SourceError when the first frame cannot be decoded."""
        index = 0
        while (image := self._capture.read()) is not None:
            yield Frame(index, index / self._rate, image, f"{index:06d}")
            index += 1
        if not self._capture.is_open:
            return
        if index == 0:
            raise SourceError(f"{self._file} holds no frame that can be decoded")
        # The count in the header is often off by a few.
        if index < 0.95 * self._count:
            self._warn(f"{self._file} ends after {index} of {self._count} frames: damaged?")

    def close(self) -> None:
        self._capture.close()


class CameraSource:
    """Frames of a camera as they come."""

    is_live = True
    length: int | None = None

    def __init__(self, index: int) -> None:
        self._index = index
        self._capture = _Capture(index)
        if not self._capture.is_open:
            raise SourceError(f"camera {index} cannot be opened: none there, or in use")

    def __iter__(self) -> Iterator[Frame]:
        """Raises SourceError when the camera stops delivering."""
        start = time.monotonic()
        index = 0
        while (image := self._capture.read()) is not None:
            yield Frame(index, time.monotonic() - start, image, f"{index:06d}")
            index += 1
        if self._capture.is_open:
            raise SourceError(f"camera {self._index} stopped delivering images")

    def close(self) -> None:
        self._capture.close()


class _Capture:
    """cv2.VideoCapture that may be closed by another thread than the one that reads."""

    def __init__(self, target: str | int) -> None:
        self._lock = threading.Lock()
        try:
            self._capture = cv2.VideoCapture(target)
        except cv2.error:
            self._capture = cv2.VideoCapture()
        self.is_open = bool(self._capture.isOpened())

    def get(self, prop: int) -> float:
        return float(self._capture.get(prop))

    def read(self) -> NDArray[np.uint8] | None:
        """The next image in RGB; None at the end and after `close`."""
        with self._lock:
            image = self._capture.read()[1] if self.is_open else None
        return None if image is None else _to_rgb(image)

    def close(self) -> None:
        self.is_open = False
        with self._lock:
            self._capture.release()


def read_image(file: Path) -> NDArray[np.uint8] | None:
    """An image file as uint8 [H,W,3] RGB; None when it cannot be decoded."""
    try:
        # Not cv2.imread: it cannot open every path that the system can.
        data = np.frombuffer(file.read_bytes(), np.uint8)
        image = cv2.imdecode(data, cv2.IMREAD_COLOR)
    except (OSError, cv2.error):
        return None
    return None if image is None else _to_rgb(image)


def _to_rgb(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    converted: NDArray[np.uint8] = cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
    return converted


def _natural_key(name: str) -> list[tuple[int, str]]:
    """Sorts digits by value and the rest by letter."""
    parts = re.split(r"(\d+)", name.lower())
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]
