"""Where to put the camera so that a scene fills the view."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FIELD_OF_VIEW = 50.0
"""Degrees, along the shorter side of the view."""

UP = np.array([0.0, -1.0, 0.0])
"""The world is the first camera's frame, whose y axis points down."""

ELEVATION, AZIMUTH = math.radians(22), math.radians(18)
"""Seen from the scene, the viewer is above and beside the line to the first camera."""

BULK = 0.02
"""Share of the points on either side of an axis that may be strays and do not count."""


MARGIN = 1.18
"""How much farther away than needed the viewer is."""


@dataclass(frozen=True)
class Viewpoint:
    """position and target [3] in the world; radius of the scene about the target."""

    position: NDArray[np.float64]
    target: NDArray[np.float64]
    radius: float


def viewpoint(
    points: NDArray[np.floating],
    centers: NDArray[np.floating],
    forward: NDArray[np.floating],
    aspect: float,
) -> Viewpoint:
    """Look at points [N,3] and camera centres [S,3] from behind and above the first camera.

    forward: where the first camera looks [3]; aspect: width / height of the view. With nothing
    to look at the scene is the unit sphere about the origin.
    """
    corners = [centers]
    if len(points):
        corners.append(np.quantile(points, [BULK, 1 - BULK], axis=0))
    box = np.concatenate(corners)
    if not len(box):
        box = np.array([[-0.5, -0.5, -0.5], [0.5, 0.5, 0.5]])
    low, high = box.min(axis=0), box.max(axis=0)
    target = (low + high) / 2
    radius = max(float(np.linalg.norm(high - low)) / 2, 1e-3)
    back = _back(np.asarray(forward, np.float64))
    distance = 0.5 * radius
    for seen, share in ((points, 1 - BULK), (centers, 1.0)):
        if len(seen):
            distance = max(distance, float(np.quantile(_fit(seen - target, back, aspect), share)))
    return Viewpoint(target + MARGIN * distance * back, target, radius)


def _back(forward: NDArray[np.float64]) -> NDArray[np.float64]:
    """Unit direction from the scene to the viewer."""
    level = -(forward - forward @ UP * UP)
    if np.linalg.norm(level) < 0.1:
        level = np.array([0.0, 0.0, -1.0])
    level /= np.linalg.norm(level)
    side = np.cross(level, UP)
    level = math.cos(AZIMUTH) * level + math.sin(AZIMUTH) * side
    return math.cos(ELEVATION) * level + math.sin(ELEVATION) * UP


def _fit(
    offsets: NDArray[np.floating], back: NDArray[np.float64], aspect: float
) -> NDArray[np.floating]:
    """Distance [N] from the target at which each of offsets [N,3] from it comes into view."""
    right = np.cross(UP, back)
    right /= np.linalg.norm(right)
    up = np.cross(back, right)
    tangent = math.tan(math.radians(FIELD_OF_VIEW / 2))
    tan_x, tan_y = tangent * max(aspect, 1.0), tangent * max(1 / aspect, 1.0)
    needed = np.maximum(np.abs(offsets @ right) / tan_x, np.abs(offsets @ up) / tan_y)
    return needed + offsets @ back
