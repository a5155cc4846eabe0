"""Verifies that two keyframes see the same place, and from where, by features and depth.

A wrong loop ruins a reconstruction, a missed one costs little. So many features must match, on
most of the picture; one relative camera and scale must explain their pixels and both depth maps;
and with these the whole of one image and depth must fit the other, not only where features are: two
places that share a poster differ around it.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.capture._cv2 import cv2
from app.geometry import Floats, depth_at
from app.reconstruction.keyframe import Keyframe
from app.reconstruction.places import COARSE, Place, match
from app.reconstruction.two_view import RelativePose, relative_pose

_MIN_INLIERS = 30
# Pixels of the network's image; of the first guess, which takes rough depth as exact.
_REPROJECTION = 6.0
_ITERATIONS = 100
# Of the matches, those that one camera explains; of 4x4 parts of the picture, those they are in.
_MIN_SHARE = 0.4
_MIN_PARTS = 4
# The second image drawn from where the first was taken: of its area, the part in sight; of that,
# the part whose depth fits within so much of its logarithm; of square patches in sight, those that
# look alike. Patches are blurred and looked for nearby (in coarse pixels), because depth is rough.
_MIN_IN_SIGHT = 0.3
_DEPTH_FITS = 0.25
_MIN_DEPTH_FIT = 0.5
_PATCH, _NEARBY = 28 // COARSE, 6 // COARSE
# A patch with less contrast (standard deviation of 8-bit gray) says nothing.
_FLAT = 4.0
_ALIKE = 0.5
_MIN_ALIKE = 0.75


@dataclass(frozen=True)
class View:
    """A keyframe with the place it shows."""

    keyframe: Keyframe
    place: Place


def verify_loop(first: View, second: View) -> RelativePose | None:
    """How the second camera stands to the first if both see the same things, else None."""
    a, b = match(first.place, second.place)
    if len(a) < _MIN_INLIERS:
        return None
    guess = _resection(first.keyframe, a, second.keyframe, b)
    if guess is None:
        return None
    found = relative_pose(first.keyframe, second.keyframe, a, b, *guess)
    if found is None:
        return None
    pose, agree = found
    if agree.sum() < max(_MIN_INLIERS, _MIN_SHARE * len(a)):
        return None
    parts = np.floor(4 * b[agree] / second.keyframe.depth.shape[::-1])
    if len(np.unique(parts, axis=0)) < _MIN_PARTS:
        return None
    return pose if _fits(first, second, pose) else None


def _fits(first: View, second: View, loop: RelativePose) -> bool:
    """Whether the second image and depth, seen from the first camera, are those of the first."""
    lens = second.keyframe.intrinsic
    own = first.keyframe.camera_points()[::COARSE, ::COARSE]
    points = (own @ loop.rotation.T + loop.translation) @ lens.T
    z = points[..., 2]
    # What lies beside the camera is very far outside of the picture.
    pixels = points[..., :2] / np.where(z > 0, z, np.inf)[..., None] / COARSE
    u, v = np.moveaxis(np.clip(pixels, -1e6, 1e6).astype(np.float32), -1, 0)
    height, width = second.place.blurred.shape
    in_sight = (z > 0) & (u >= 0) & (u <= width - 1) & (v >= 0) & (v <= height - 1)
    if in_sight.mean() < _MIN_IN_SIGHT:
        return False
    coarse = np.ascontiguousarray(second.keyframe.depth[::COARSE, ::COARSE])
    depth = cv2.remap(coarse, u, v, cv2.INTER_NEAREST)[in_sight]
    off = np.abs(np.log(z[in_sight] / depth) - loop.log_ratio)
    if (off < _DEPTH_FITS).mean() < _MIN_DEPTH_FIT:
        return False
    drawn = cv2.remap(second.place.blurred, u, v, cv2.INTER_LINEAR)
    return _alike(first.place.blurred, drawn, in_sight) >= _MIN_ALIKE


def _alike(
    image: NDArray[np.float32], other: NDArray[np.float32], chosen: NDArray[np.bool_]
) -> float:
    """The part of the patches of a gray image [H,W] that another one has in the same places."""
    height, width = image.shape
    found = []
    for y in range(0, height - _PATCH + 1, _PATCH):
        for x in range(0, width - _PATCH + 1, _PATCH):
            patch = image[y : y + _PATCH, x : x + _PATCH]
            if chosen[y : y + _PATCH, x : x + _PATCH].mean() < 0.9 or patch.std() < _FLAT:
                continue
            top, left = max(0, y - _NEARBY), max(0, x - _NEARBY)
            around = other[top : y + _PATCH + _NEARBY, left : x + _PATCH + _NEARBY]
            likeness = cv2.matchTemplate(around, patch, cv2.TM_CCOEFF_NORMED)
            found.append(around.std() > 1 and likeness.max() > _ALIKE)
    return float(np.mean(found)) if found else 0.0


def _resection(
    first: Keyframe, a: NDArray[np.float32], second: Keyframe, b: NDArray[np.float32]
) -> tuple[Floats, Floats] | None:
    """Rotation and translation of `second` from the first one's points at pixels a [N,2] and its
    own pixels b, as if the depth were exact."""
    rays = np.column_stack([a, np.ones(len(a))]) @ np.linalg.inv(first.intrinsic).T
    points = rays * depth_at(first.depth, a)[:, None]
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
    return cv2.Rodrigues(turn)[0], shift[:, 0]
