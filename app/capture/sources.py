"""Where frames come from: a video file, a folder of images or a camera."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from app.errors import AppError


class SourceError(AppError):
    """The source cannot be opened or read."""


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
        """Release the device or file; may be called twice, ends a running iteration."""


def open_source(spec: str) -> FrameSource:
    """Open a video file, a folder of images, or a camera by its index ("0").

    Raises SourceError with one clear line when there is nothing to read.
    """
    raise NotImplementedError
