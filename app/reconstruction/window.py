"""Runs the network over overlapping windows of keyframes and joins them into one frame."""

from dataclasses import dataclass

from app.capture.sources import Frame
from app.engine import Engine
from app.reconstruction.keyframe import Keyframe


@dataclass(frozen=True)
class WindowUpdate:
    """What one window changed: positions in `Reconstructor.keyframes`, and the time it took."""

    new: list[int]
    changed: list[int]
    seconds_inference: float
    seconds_align: float


class Reconstructor:
    """Turns a stream of keyframe images into keyframes with cameras and depth."""

    def __init__(self, engine: Engine, views: int = 4, overlap: int = 2) -> None:
        """views: keyframes in a window; overlap: of these, shared with the window before."""
        self.engine = engine
        self.keyframes: list[Keyframe] = []
        raise NotImplementedError

    def add(self, frame: Frame) -> WindowUpdate | None:
        """Take a keyframe image; returns an update when a window became full and was run."""
        raise NotImplementedError

    def finish(self) -> WindowUpdate | None:
        """Run what is left, a window that is not full."""
        raise NotImplementedError
