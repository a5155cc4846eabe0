"""Frames from a camera as they come, through unplugging and stalls."""

import queue
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.capture._cv2 import cv2
from app.capture.devices import find_camera, why_not_opened
from app.capture.frame import Frame, SourceError, SourceInterrupted, to_rgb

STALL_SECONDS = 2.0
"""A camera that delivers nothing for so long is interrupted."""

# Some cameras take long to wake up.
_OPEN_SECONDS = 15.0
_FIRST_SECONDS = 10.0


@dataclass(frozen=True)
class CameraSettings:
    """What a camera is asked for: pixels and frames a second; None leaves the choice to it."""

    width: int | None = None
    height: int | None = None
    rate: float | None = None


class CameraSource:
    """Frames of a camera, one after the other, numbered and timed from the first one on."""

    is_live = True
    length: int | None = None

    def __init__(
        self,
        spec: str,
        warn: Callable[[str], None],
        settings: CameraSettings,
        open_capture: Callable[[int], cv2.VideoCapture] = cv2.VideoCapture,
        stall_seconds: float = STALL_SECONDS,
    ) -> None:
        """spec: "camera:NAME" or an index. Raises SourceError when it cannot be opened."""
        self._warn = warn
        self._settings = settings
        self._open_capture = open_capture
        self._stall_seconds = stall_seconds
        self._spec = spec
        self._index = 0
        self._start: float | None = None
        self._closed = False
        self._interruption = ""
        self._reader = self._connect()

    def __iter__(self) -> Iterator[Frame]:
        """Raises SourceInterrupted when the camera is unplugged, stalls or changes its size."""
        if self._interruption:
            raise SourceInterrupted(self._interruption)
        shape = None
        while not self._closed:
            try:
                image = self._reader.read(_FIRST_SECONDS if shape is None else self._stall_seconds)
            except _NoImage as reason:
                if self._closed:
                    return
                raise self._interrupted(str(reason)) from None
            if shape is not None and image.shape != shape:
                before, now = (f"{width}x{height}" for height, width, _ in (shape, image.shape))
                raise self._interrupted(f"changed its size from {before} to {now}")
            if self._start is None:
                self._start = time.monotonic()
                self._compare(image.shape)
            shape = image.shape
            index = self._index
            self._index += 1
            yield Frame(index, time.monotonic() - self._start, to_rgb(image), f"{index:06d}")

    def reopen(self) -> None:
        """Find the camera again, where it is known by name at whatever index it now has.

        Raises SourceError while it cannot be opened.
        """
        self._reader.close()
        self._reader = self._connect()
        self._interruption = ""
        if self._closed:
            self._reader.close()

    def close(self) -> None:
        self._closed = True
        self._reader.close()

    def _connect(self) -> "_Reader":
        device = find_camera(self._spec)
        self.name = device.name
        reader = _Reader(lambda: self._open(device.index))
        if not reader.opened:
            reader.close()
            raise SourceError(f"{device.name} cannot be opened: {why_not_opened(device)}")
        return reader

    def _open(self, index: int) -> cv2.VideoCapture:
        capture = self._open_capture(index)
        wanted = self._settings
        if wanted.width and wanted.height:
            # Uncompressed, USB 2 has room for few frames a second above this size.
            if wanted.width * wanted.height > 640 * 480:
                capture.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*"MJPG"))
            capture.set(cv2.CAP_PROP_FRAME_WIDTH, wanted.width)
            capture.set(cv2.CAP_PROP_FRAME_HEIGHT, wanted.height)
        if wanted.rate:
            capture.set(cv2.CAP_PROP_FPS, wanted.rate)
        return capture

    def _compare(self, shape: tuple[int, ...]) -> None:
        wanted = (self._settings.height, self._settings.width)
        if all(wanted) and shape[:2] != wanted:
            self._warn(f"{self.name} gives {shape[1]}x{shape[0]}, not {wanted[1]}x{wanted[0]}")

    def _interrupted(self, reason: str) -> SourceInterrupted:
        self._reader.close()
        self._interruption = f"{self.name} {reason}"
        return SourceInterrupted(self._interruption)


class _NoImage(Exception):
    """No image came in time; the text says what the camera did instead."""


class _Reader:
    """A capture in a thread of its own: OpenCV may block in any call, for as long as it likes."""

    def __init__(self, open_capture: Callable[[], cv2.VideoCapture]) -> None:
        self._open_capture = open_capture
        self._wanted: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self._images: queue.SimpleQueue[NDArray[np.uint8] | None] = queue.SimpleQueue()
        self._ready = threading.Event()
        self._is_open = False
        self._thread = threading.Thread(target=self._serve, name="camera", daemon=True)
        self._thread.start()

    @property
    def opened(self) -> bool:
        """Whether the capture opened, after waiting for it."""
        self._ready.wait(_OPEN_SECONDS)
        return self._is_open

    def read(self, seconds: float) -> NDArray[np.uint8]:
        """The next image [h,w,3] as OpenCV delivers it. Raises _NoImage."""
        deadline = time.monotonic() + seconds
        # A single image may be damaged on its way, which OpenCV tells like a camera that is gone.
        while (left := deadline - time.monotonic()) > 0:
            self._wanted.put(True)
            try:
                image = self._images.get(timeout=left)
            except queue.Empty:
                raise _NoImage(f"stalled: no image for {seconds:.0f} s") from None
            if image is not None:
                return image
            if not self._is_open:
                break
            time.sleep(0.01)
        raise _NoImage("stopped delivering images: unplugged?")

    def close(self) -> None:
        """Release the camera, at the latest when its running call returns."""
        self._is_open = False
        self._wanted.put(False)
        self._thread.join(timeout=1)

    def _serve(self) -> None:
        capture = cv2.VideoCapture()
        try:
            capture = self._open_capture()
            self._is_open = capture.isOpened()
            self._ready.set()
            while self._wanted.get() and self._is_open:
                self._images.put(_next_image(capture))
                self._is_open = self._is_open and capture.isOpened()
        except cv2.error:
            pass
        finally:
            self._is_open = False
            self._ready.set()
            self._images.put(None)
            capture.release()


def _next_image(capture: cv2.VideoCapture) -> NDArray[np.uint8] | None:
    try:
        ok, image = capture.read()
    except cv2.error:
        return None
    # Anything but colour would be a mistake of the driver.
    return image if ok and image is not None and image.ndim == 3 else None
