"""Finds what of a scene is at a place on the screen, by projecting it.

Asking the adapter would tell only what its passes have drawn so far, and wait for it.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.ui.scene import Scene

REACH = 5.0
"""Logical pixels between a click and a point that it means."""

END_ON = 12.0
"""Logical pixels between the ends of a line that is seen from its end."""

QUICK = 300_000
"""Points of the whole scene that are looked through first; a few milliseconds."""


@dataclass(frozen=True)
class Pick:
    """What was clicked: a keyframe by its position, and where it was one of its points, that
    point [3] in the frame of the keyframe's camera, as it was packed, and its rank.
    """

    position: int
    point: NDArray[np.float32] | None = None
    rank: int | None = None


def to_screen(
    points: NDArray[np.floating], clip_from_world: NDArray[np.floating], size: tuple[float, float]
) -> NDArray[np.floating]:
    """Pixels and depth [N,3] of world points [N,3] on a screen of size (width, height)."""
    clip = points @ clip_from_world[:, :3].T + clip_from_world[:, 3]
    with np.errstate(divide="ignore", invalid="ignore"):
        place = (clip[:, :2] / clip[:, 3:] * np.array([0.5, -0.5]) + 0.5) * np.array(size)
    return np.column_stack([place, clip[:, 3]])


def pick(
    scene: Scene,
    cameras: Mapping[int, NDArray[np.floating]],
    clip_from_world: NDArray[np.floating],
    size: tuple[float, float],
    place: tuple[float, float],
) -> Pick | None:
    """The nearest point or camera that is shown at a place (x, y) of the screen, if there is one.

    cameras: tip and base [5,3] in the world of the pyramids that are drawn, by position.
    """
    found = _pick_camera(cameras, clip_from_world, size, place)
    count = max(1, sum(len(scene.keyframes[p].packed) for p in scene.shown_positions))
    for share in (min(1.0, QUICK / count), 1.0):
        hit = _pick_point(scene, share, clip_from_world, size, place)
        if hit:
            return hit[1] if found is None or hit[0] < found[0] else found[1]
        if found or share == 1:
            break
    return found[1] if found else None


def _pick_point(
    scene: Scene,
    share: float,
    clip_from_world: NDArray[np.floating],
    size: tuple[float, float],
    place: tuple[float, float],
) -> tuple[float, Pick] | None:
    nearest: tuple[float, Pick] | None = None
    for position in scene.shown_positions:
        keyframe = scene.keyframes[position]
        matrix = (clip_from_world @ keyframe.world_from_points).astype(np.float32)
        packed = keyframe.packed[: round(share * len(keyframe.packed))]
        points = packed[:, :3].view(np.float32)
        screen = to_screen(points, matrix, size)
        near = (np.abs(screen[:, :2] - place).max(axis=1) <= REACH) & (screen[:, 2] > 0)
        indices = np.flatnonzero(near)
        indices = indices[scene.shows(keyframe, packed[indices])]
        if not len(indices):
            continue
        best = indices[np.argmin(screen[indices, 2])]
        depth = float(screen[best, 2])
        if nearest is None or depth < nearest[0]:
            rank = int(packed[best, 3] >> 24)
            nearest = depth, Pick(position, points[best].copy(), rank)
    return nearest


def _pick_camera(
    cameras: Mapping[int, NDArray[np.floating]],
    clip_from_world: NDArray[np.floating],
    size: tuple[float, float],
    place: tuple[float, float],
) -> tuple[float, Pick] | None:
    nearest: tuple[float, Pick] | None = None
    for position, corners in cameras.items():
        screen = to_screen(corners, clip_from_world, size)
        depth = float(screen[1:, 2].mean())
        if (screen[:, 2] <= 0).any() or (nearest and depth >= nearest[0]):
            continue
        tip, *base = screen[:, :2]
        faces = [base] + [[tip, base[i], base[(i + 1) % 4]] for i in range(4)]
        if any(_is_inside(np.array(face), np.array(place)) for face in faces):
            nearest = depth, Pick(position)
    return nearest


def _is_inside(polygon: NDArray[np.floating], place: NDArray[np.floating]) -> bool:
    """Whether a place lies in a convex polygon [N,2], or within two pixels of it."""
    edges = np.roll(polygon, -1, axis=0) - polygon
    lengths = np.maximum(np.linalg.norm(edges, axis=1), 1e-9)
    away = place - polygon
    side = (edges[:, 0] * away[:, 1] - edges[:, 1] * away[:, 0]) / lengths
    return bool((side >= -2).all() or (side <= 2).all())


def along(
    begin: NDArray[np.floating], end: NDArray[np.floating], place: tuple[float, float]
) -> float | None:
    """Where on the line through two points it is seen nearest to a place: 0 at begin, 1 at end.

    begin, end: as `to_screen` has them, [3]. None where that is behind the viewer, or where the
    line is seen from its end, so that a pixel would mean any length.
    """
    # In homogeneous pixels (x w, y w, w) a step along the line is the same everywhere.
    first, last = (np.append(p[:2] * p[2], p[2]) for p in (begin, end))
    step = last - first
    direction = end[:2] - begin[:2]
    length = float(np.linalg.norm(direction))
    if min(begin[2], end[2]) <= 0 or length < END_ON:
        return None
    direction = direction / length
    start, wanted = begin[:2] @ direction, np.array(place) @ direction
    rate = step[:2] @ direction - wanted * step[2]
    if abs(rate) < 1e-9:
        return None
    share = float((wanted - start) * first[2] / rate)
    return share if first[2] + share * step[2] > 0 else None
