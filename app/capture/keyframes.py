"""Chooses the frames that are worth a place in the reconstruction."""

from dataclasses import dataclass

from app.capture.sources import Frame


@dataclass(frozen=True)
class Decision:
    """Whether a frame becomes a keyframe, and why, in words for the user."""

    accepted: bool
    reason: str


class KeyframeSelector:
    """Accepts sharp frames that moved enough since the last accepted one."""

    def __init__(self, min_motion: float = 0.06, every: int = 1) -> None:
        """min_motion: median image motion as a fraction of the image width (0 takes every frame);
        every: looks only at each n-th frame.
        """
        raise NotImplementedError

    def consider(self, frame: Frame) -> Decision:
        """Decide on the next frame of the stream."""
        raise NotImplementedError
