"""Frames from video files."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.capture._cv2 import cv2
from app.capture.frame import Frame, SourceError, to_rgb

# Frames in a row that may be damaged; after the last frame of a file all reads fail.
_DAMAGED = 100


class VideoSource:
    """The frames of a video file, upright, at their own times."""

    is_live = False

    def __init__(self, file: Path, warn: Callable[[str], None]) -> None:
        if file.stat().st_size == 0:
            raise SourceError(f"{file} is empty")
        self._file = file
        self._warn = warn
        self._lock = threading.Lock()
        self._closed = False
        try:
            self._capture = cv2.VideoCapture(str(file))
        except cv2.error:
            self._capture = cv2.VideoCapture()
        if not self._capture.isOpened():
            raise SourceError(f"{file} is not a video that can be read")
        # A phone stores how it was held.
        self._capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, 1)
        self._count = int(self._capture.get(cv2.CAP_PROP_FRAME_COUNT))
        rate = self._capture.get(cv2.CAP_PROP_FPS)
        self._step = 1 / rate if 0 < rate < 1e4 else 1 / 30
        self.length: int | None = self._count if self._count > 0 else None

    def __iter__(self) -> Iterator[Frame]:
        """Frames that cannot be decoded are left out, and their indices with them; a warning says
        so. Raises SourceError when there is no other.
        """
        index, last, delivered, damaged = 0, -self._step, 0, 0
        while (found := self._read()) is not None:
            skipped, image, time = found
            index += skipped
            damaged += skipped
            # Some files have no times, or times that run backwards.
            last = time if time > last else last + (skipped + 1) * self._step
            yield Frame(index, last, image, f"{index:06d}")
            index += 1
            delivered += 1
        if self._closed:
            return
        if delivered == 0:
            raise SourceError(f"{self._file} holds no frame that can be decoded")
        if damaged:
            self._warn(f"{self._file}: {damaged} damaged frames were skipped")
        # The count in the header is often off by a few.
        if index < 0.95 * self._count:
            self._warn(f"{self._file} ends after {index} of {self._count} frames: damaged?")

    def reopen(self) -> None:
        """Nothing to do: files do not go away."""

    def close(self) -> None:
        self._closed = True
        with self._lock:
            self._capture.release()

    def _read(self) -> tuple[int, NDArray[np.uint8], float] | None:
        """How many frames were damaged before it, the next image, and its time in seconds; None
        at the end and after `close`.
        """
        for skipped in range(_DAMAGED):
            with self._lock:
                if self._closed:
                    return None
                try:
                    ok, image = self._capture.read()
                except cv2.error:
                    ok = False
                if ok:
                    return skipped, to_rgb(image), self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
        return None
