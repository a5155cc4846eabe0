"""What every source delivers, and how it fails."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from app.capture._cv2 import cv2
from app.errors import AppError

# The network sees a few hundred pixels; the rest is for the eye, and memory should not grow with
# the camera that somebody owns.
MAX_SIDE = 2048


class SourceError(AppError):
    """The source cannot be opened or read."""


class SourceInterrupted(SourceError):
    """A live source stopped for now: `FrameSource.reopen`, then iterate again to go on."""


@dataclass(frozen=True)
class Frame:
    """One image of a source: uint8 [H,W,3] RGB, neither side longer than 2048 pixels; index from
    0, time in seconds from the start.
    """

    index: int
    time: float
    image: NDArray[np.uint8]
    name: str


class FrameSource(Protocol):
    """An iterable of frames. `length` is None where it is not known (a camera)."""

    is_live: bool
    length: int | None

    def __iter__(self) -> Iterator[Frame]:
        """Raises SourceError; a live source SourceInterrupted when it can be reopened."""

    def reopen(self) -> None:
        """After SourceInterrupted: find the device again; the next iteration goes on.

        Raises SourceError with the reason while the device is still gone. Only live sources are
        ever interrupted; others do nothing.
        """

    def close(self) -> None:
        """Release the device or file; may be called twice and from any thread.

        Ends a running iteration, after the frame that is just being read.
        """


def to_rgb(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """An image [h,w,3] as OpenCV decodes it (BGR), as the image [H,W,3] of a Frame."""
    step = -(-max(image.shape[:2]) // MAX_SIDE)
    if step > 1:
        size = (max(1, image.shape[1] // step), max(1, image.shape[0] // step))
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    converted: NDArray[np.uint8] = cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
    return converted
