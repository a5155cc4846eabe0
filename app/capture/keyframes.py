"""Chooses the frames that are worth a place in the reconstruction."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.capture._cv2 import cv2
from app.capture.frame import Frame, FrameSource
from app.capture.images import ImageSource

# Frames are judged at about the network's resolution: finer blur does not reach it.
_WIDTH = 224
_CORNERS = 120
_MIN_CORNERS = 12
# Of the corners that must be found again for a motion to be read off them.
_MIN_TRACKED = 0.3
# Grey levels between frames that are too bare to track.
_MIN_CHANGE = 10.0
_BRIGHTNESS = (16.0, 242.0)
# Sharpness against the median of the frames around it (about half a second of video).
_MIN_SHARPNESS = 0.5
_RECENT = 15
# Turning shows no depth, but its keyframes keep the path connected: they are so many times farther
# apart.
_MAX_TURN = 2.0
# Pixels within which a corner is where a homography sends it.
_EXPLAINED = 1.5

Gray = NDArray[np.uint8]


@dataclass(frozen=True)
class Decision:
    """Whether a frame becomes a keyframe, and why, in words for the user."""

    accepted: bool
    reason: str


class KeyframeSelector:
    """Accepts well exposed, sharp frames that moved enough since the last accepted one, and twice
    that where the camera only turned.
    """

    def __init__(
        self,
        min_motion: float = 0.07,
        every: int = 1,
        min_parallax: float = 0.2,
    ) -> None:
        """min_motion: median motion of the image as a fraction of its width; 0 takes every frame,
        whatever it shows; every: looks only at each n-th frame; min_parallax: share of the image's
        corners that turning alone would not bring where they are; with less, keyframes are half
        as dense.
        """
        self._min_motion = min_motion
        self._every = every
        self._min_parallax = min_parallax
        self._count = 0
        self._sharpness: deque[float] = deque(maxlen=_RECENT)
        self._last: Gray | None = None
        self._corners: NDArray[Any] | None = None

    def consider(self, frame: Frame) -> Decision:
        """Decide on the next frame of the stream."""
        self._count += 1
        if (self._count - 1) % self._every:
            return Decision(False, "between the frames looked at")
        if self._min_motion == 0:
            return Decision(True, "every frame is taken")
        gray = _shrink(frame.image)
        decision = self._judge(gray)
        if decision.accepted:
            self._last = gray
            self._corners = cv2.goodFeaturesToTrack(gray, _CORNERS, 0.01, 5)
        return decision

    def _judge(self, gray: Gray) -> Decision:
        brightness = float(gray.mean())
        if brightness < _BRIGHTNESS[0]:
            return Decision(False, "too dark")
        if brightness > _BRIGHTNESS[1]:
            return Decision(False, "too bright")
        sharpness = float(cv2.Laplacian(gray, cv2.CV_32F).var())
        self._sharpness.append(sharpness)
        if sharpness < _MIN_SHARPNESS * float(np.median(self._sharpness)):
            return Decision(False, "blurred")
        if self._last is None:
            return Decision(True, "first")
        return self._judge_motion(self._last, gray)

    def _judge_motion(self, last: Gray, gray: Gray) -> Decision:
        if last.shape != gray.shape:
            return Decision(True, "image size changed")
        if self._corners is None or len(self._corners) < _MIN_CORNERS:
            change = float(cv2.absdiff(last, gray).mean())
            return Decision(change >= _MIN_CHANGE, f"bare view, {change:.0f} grey levels changed")
        moved, found, _ = cv2.calcOpticalFlowPyrLK(last, gray, self._corners, None)
        back, found_back, _ = cv2.calcOpticalFlowPyrLK(gray, last, moved, None)
        returned = np.linalg.norm(back - self._corners, axis=-1) < 1
        tracked = returned & (found == 1) & (found_back == 1)
        if tracked.mean() < _MIN_TRACKED:
            return Decision(True, "view changed")
        before, after = self._corners[tracked], moved[tracked]
        motion = float(np.median(np.linalg.norm(after - before, axis=-1)))
        if motion < self._min_motion * gray.shape[1]:
            return Decision(False, f"too similar ({motion:.0f} px motion)")
        if _parallax(before, after) < self._min_parallax:
            if motion < _MAX_TURN * self._min_motion * gray.shape[1]:
                return Decision(False, "turning only, or a flat view: move sideways too")
            return Decision(True, f"turned {motion:.0f} px: move sideways too")
        return Decision(True, f"moved {motion:.0f} px")


def default_selector(source: FrameSource, every: int = 1) -> KeyframeSelector:
    """The selector that fits a source: of a folder it takes every image, somebody chose them; a
    session has one of its own.
    """
    own: Callable[[int], KeyframeSelector] | None = getattr(source, "make_selector", None)
    if own:
        return own(every)
    if isinstance(source, ImageSource):
        return KeyframeSelector(min_motion=0, every=every)
    return KeyframeSelector(every=every)


def _parallax(before: NDArray[Any], after: NDArray[Any]) -> float:
    """Share of corners [N,2] whose motion no homography explains, that is, neither turning the
    camera nor moving before a flat view.
    """
    if len(before) < _MIN_CORNERS:
        return 1.0
    inliers = cv2.findHomography(before, after, cv2.RANSAC, _EXPLAINED)[1]
    return 1.0 if inliers is None else 1 - float(inliers.mean())


def _shrink(image: NDArray[np.uint8]) -> Gray:
    # A strip of an image would grow out of all bounds at its other side.
    height = min(max(1, round(image.shape[0] * _WIDTH / image.shape[1])), 2 * _WIDTH)
    small = cv2.resize(image, (_WIDTH, height), interpolation=cv2.INTER_AREA)
    gray: Gray = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
    return gray
