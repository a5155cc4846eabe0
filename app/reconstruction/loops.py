"""Verifies that two keyframes see the same place, and from where, by features and depth."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.capture._cv2 import cv2
from app.geometry import Floats, nearest_rotation, rotation_angle
from app.reconstruction.keyframe import Keyframe
from app.reconstruction.places import Place, match

_MIN_INLIERS = 30
# Pixels of the network's image.
_REPROJECTION = 4.0
_ITERATIONS = 300
# Both ways round must agree.
_MAX_TURN = np.radians(8)
_MAX_LOG_SCALE = 0.25
# Spread (MAD) of the logarithm of the depth ratio over the matches.
_MAX_SPREAD = 0.15


@dataclass(frozen=True)
class View:
    """A keyframe with the place it shows."""

    keyframe: Keyframe
    place: Place


@dataclass(frozen=True)
class Loop:
    """x_second = rotation x_first + translation, in the first keyframe's lengths; `log_ratio`
    takes the second keyframe's depth to the first one's; inliers: matches that agree."""

    rotation: Floats
    translation: Floats
    log_ratio: float
    inliers: int


def verify_loop(first: View, second: View) -> Loop | None:
    """How the second camera stands to the first if both see the same things, else None."""
    a, b = match(first.place, second.place)
    if len(a) < _MIN_INLIERS:
        return None
    there = _resection(first.keyframe, a, second.keyframe, b)
    back = _resection(second.keyframe, b, first.keyframe, a)
    if there is None or back is None:
        return None
    turn = rotation_angle(there.rotation @ back.rotation)
    if turn > _MAX_TURN or abs(there.log_ratio + back.log_ratio) > _MAX_LOG_SCALE:
        return None
    log_ratio = (there.log_ratio - back.log_ratio) / 2
    rotation = nearest_rotation(there.rotation + back.rotation.T)
    returned = -back.rotation.T @ back.translation * np.exp(log_ratio)
    return Loop(
        rotation,
        (there.translation + returned) / 2,
        log_ratio,
        min(there.inliers, back.inliers),
    )


def _resection(
    first: Keyframe, a: NDArray[np.float32], second: Keyframe, b: NDArray[np.float32]
) -> Loop | None:
    """Camera of `second` from the first one's points at pixels a [N,2] and its own pixels b."""
    points = first.camera_points()[_pixel(a)].astype(np.float64)
    lens: Any = second.intrinsic.astype(np.float64)
    found, turn, shift, chosen = cv2.solvePnPRansac(
        points,
        b.astype(np.float64),
        lens,
        None,
        iterationsCount=_ITERATIONS,
        reprojectionError=_REPROJECTION,
        flags=cv2.SOLVEPNP_EPNP,
    )
    if not found or chosen is None or len(chosen) < _MIN_INLIERS:
        return None
    points, b = points[chosen[:, 0]], b[chosen[:, 0]]
    turn, shift = cv2.solvePnPRefineLM(points, b.astype(np.float64), lens, None, turn, shift)
    rotation, translation = cv2.Rodrigues(turn)[0], shift[:, 0]
    z = (points @ rotation.T + translation)[:, 2]
    if (z <= 0).any():
        return None
    # Depth of the first, as the second camera should see it, against its own.
    ratio = np.log(z / second.depth[_pixel(b)])
    log_ratio = float(np.median(ratio))
    if np.median(np.abs(ratio - log_ratio)) > _MAX_SPREAD:
        return None
    return Loop(rotation, translation, log_ratio, len(chosen))


def _pixel(pixels: NDArray[np.float32]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    x, y = np.rint(pixels).astype(np.int64).T
    return y, x
