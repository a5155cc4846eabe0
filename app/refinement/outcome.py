"""What refinement tells of itself. Nothing here needs pycolmap: the window waits without it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from app.reconstruction.keyframe import Keyframe


@dataclass(frozen=True)
class FrameReport:
    """What refinement did with one keyframe.

    changed: whether its camera comes from geometry; reason: why or why not, in one line;
    held_out: matches with other frames that were set apart; error_before, error_after: median
    distance in pixels from the epipolar line of those that the refined cameras explain, NaN if
    there are none; points: triangulated ones that it sees, by so many frames in the mean
    (track_length); depth_changed: whether its depth was moved.
    """

    changed: bool
    reason: str
    held_out: int = 0
    error_before: float = np.nan
    error_after: float = np.nan
    points: int = 0
    track_length: float = np.nan
    depth_changed: bool = False


@dataclass(frozen=True)
class Refinement:
    """keyframes: new ones in the order of the old, in the same global frame and scale; frames:
    a report of each; reason: what was done, in one line."""

    keyframes: list[Keyframe]
    frames: list[FrameReport]
    reason: str


def known_median(values: Sequence[float]) -> float:
    """Median of those values that are not NaN; NaN of none."""
    known = [value for value in values if not np.isnan(value)]
    return float(np.median(known)) if known else np.nan


def kept(keyframes: Sequence[Keyframe], reason: str) -> Refinement:
    """The network's result as it is, for one reason."""
    return Refinement(list(keyframes), [FrameReport(False, reason) for _ in keyframes], reason)
