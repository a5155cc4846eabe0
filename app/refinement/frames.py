"""The frames of keyframes, read once more from their source."""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from app.capture import Frame, FrameSource, open_source
from app.errors import AppError
from app.reconstruction.keyframe import Keyframe


class SourceFrames:
    """The frames of keyframes that are asked for in their order."""

    def __init__(self, source: str | None, warn: Callable[[str], None]) -> None:
        """source: None where they cannot be read again, so that the network's images serve; warn:
        receives a line where that turns out only now.
        """
        self._source: FrameSource | None = None
        self._frames: Iterator[Frame] = iter(())
        self._next: Frame | None = None
        self._warn = warn
        if source is not None:
            try:
                self._source = open_source(source)
                self._frames = iter(self._source)
            except AppError as error:
                warn(f"{error}: refined with the network's images")
        self._advance()

    def read(self, keyframe: Keyframe) -> NDArray[np.uint8]:
        """The frame [h,w,3] of a keyframe; its image where the frame is not there any more."""
        while self._next is not None and self._next.index < keyframe.index:
            self._advance()
        found = self._next
        if found is None or (found.index, found.name) != (keyframe.index, keyframe.name):
            return keyframe.image
        return found.image

    def _advance(self) -> None:
        try:
            self._next = next(self._frames, None)
        except AppError as error:
            self._warn(f"{error}: the rest is refined with the network's images")
            self._next = None

    def close(self) -> None:
        """Let go of the source."""
        if self._source:
            self._source.close()
