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

BULK = 0.01
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
    to look at the scene is a unit cube about the origin.
    """
    axes = _axes(np.asarray(forward, np.float64))
    seen = np.concatenate([_without_strays(points @ axes.T), centers @ axes.T])
    if not len(seen):
        seen = np.array([[-0.5, -0.5, -0.5], [0.5, 0.5, 0.5]])
    low, high = seen.min(axis=0), seen.max(axis=0)
    radius = max(float(np.linalg.norm(high - low)) / 2, 1e-3)
    tangent = math.tan(math.radians(FIELD_OF_VIEW / 2))
    tangents = tangent * np.array([max(aspect, 1.0), max(1 / aspect, 1.0)])
    # A viewer at (x, y, z) has a point in view when |its x - x| < tangent * (z - its z): the
    # points that touch two edges of the view give x and z, and the same for y.
    before = (seen[:, :2] + tangents * seen[:, 2:]).max(axis=0)
    behind = (seen[:, :2] - tangents * seen[:, 2:]).min(axis=0)
    middle, needed = (before + behind) / 2, (before - behind) / 2 / tangents
    depth = (low[2] + high[2]) / 2
    distance = MARGIN * max(float(needed.max()) - depth, 0.5 * radius)
    # From farther away than an axis needs, other points are outermost: balance them again.
    for _ in range(3):
        on_screen = (seen[:, :2] - middle) / (depth + distance - seen[:, 2:])
        middle = middle + distance * (on_screen.min(axis=0) + on_screen.max(axis=0)) / 2
    target = np.append(middle, depth) @ axes
    return Viewpoint(target + distance * axes[2], target, radius)


def _axes(forward: NDArray[np.float64]) -> NDArray[np.float64]:
    """Right, up and towards the viewer [3,3] of a view from behind and above a first camera."""
    level = -(forward - forward @ UP * UP)
    if np.linalg.norm(level) < 0.1:
        level = np.array([0.0, 0.0, -1.0])
    level /= np.linalg.norm(level)
    level = math.cos(AZIMUTH) * level + math.sin(AZIMUTH) * np.cross(level, UP)
    back = math.cos(ELEVATION) * level + math.sin(ELEVATION) * UP
    right = np.cross(UP, back) / np.linalg.norm(np.cross(UP, back))
    return np.stack([right, np.cross(back, right), back])


def _without_strays(points: NDArray[np.floating]) -> NDArray[np.floating]:
    if not len(points):
        return points
    low, high = np.quantile(points, [BULK, 1 - BULK], axis=0)
    return points[((points >= low) & (points <= high)).all(axis=1)]
