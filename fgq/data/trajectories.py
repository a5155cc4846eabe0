"""Hand-held camera paths through a room.

Cameras have OpenCV axes (x right, y down, z forward). Candidate views are judged on a coarse grid
of rays: nothing too near, something to see, enough overlap with the view before.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import cos, dist, exp, hypot, sin

import numpy as np
from numpy.typing import NDArray

from fgq.data.raytrace import Raytracer
from fgq.data.rooms import Room
from fgq.data.shapes import Floats

GRID = (18, 24)  # rows, columns of the probing rays
CLEARANCE = 0.22  # metres from the camera to anything
MIN_OVERLAP = 0.36
MAX_TURN = np.deg2rad(11)  # between views of a hand-held path
MAX_PACE = 4.0  # half of the paths take longer strides and turns, as keyframes of a walk do


@dataclass(frozen=True)
class View:
    """rotation [3, 3] world from camera, position [3] in metres, grid depth [R, C], and the
    number of distinct things in sight and the largest share of the view that one thing takes."""

    rotation: Floats
    position: Floats
    depth: Floats
    things: int
    largest: float


@dataclass(frozen=True)
class Lens:
    """focal length in pixels of an image of size (height, width) with a central principal point."""

    focal: float
    size: tuple[int, int]

    def directions(self, rows: int, columns: int) -> Floats:
        """Directions [rows * columns, 3] of a grid of pixel centres, of length 1 along z."""
        height, width = self.size
        y, x = np.meshgrid(
            ((np.arange(rows) + 0.5) / rows - 0.5) * height / self.focal,
            ((np.arange(columns) + 0.5) / columns - 0.5) * width / self.focal,
            indexing="ij",
        )
        return np.stack([x, y, np.ones_like(x)], -1).reshape(-1, 3).astype(np.float32)

    def matrix(self) -> Floats:
        height, width = self.size
        f = self.focal
        return np.array([[f, 0, width / 2], [0, f, height / 2], [0, 0, 1]], np.float32)


def sample_lens(rng: np.random.Generator, size: tuple[int, int]) -> Lens:
    """48 to 75 degrees across the longer side."""
    angle = np.deg2rad(rng.uniform(48, 75))
    return Lens(float(max(size) / 2 / np.tan(angle / 2)), size)


def sample_path(
    rng: np.random.Generator, room: Room, tracer: Raytracer, lens: Lens, views: int
) -> list[View] | None:
    """A path of co-visible views; None if the room offers none."""
    for _ in range(80):
        path = _walk(rng, room, tracer, lens, views)
        if len(path) == views:
            return path
    return None


def _walk(
    rng: np.random.Generator, room: Room, tracer: Raytracer, lens: Lens, views: int
) -> list[View]:
    start = _first_view(rng, room, tracer, lens)
    if start is None:
        return []
    view, goal = start
    path = [view]
    pace = float(np.exp(rng.uniform(0.4, np.log(MAX_PACE)))) if rng.random() < 0.5 else 1.0
    stride = pace * float(np.exp(rng.uniform(np.log(0.05), np.log(0.4))))
    min_overlap = MIN_OVERLAP - 0.05 * (pace - 1)
    heading = _unit(rng.normal(0, 1, 3) * (1, 1, 0.35))
    roll, wander = rng.normal(0, 0.05), pace * rng.uniform(0, 0.25)
    while len(path) < views:
        view = path[-1]
        reach = min(0.4 * pace, 0.4 * pace**0.5 * _median(view.depth))
        distance = dist(goal.tolist(), view.position.tolist())
        for attempt in range(14):
            step = min(max(stride * exp(rng.normal(0, 0.35)), 0.04), reach) * 0.85**attempt
            turned = _unit(heading + rng.normal(0, 0.35 + 0.1 * attempt, 3) * (1, 1, 0.4))
            position = view.position + (max(step, 0.04) * turned).astype(np.float32)
            aim = goal + rng.normal(0, wander * distance * 0.5**attempt + 0.01, 3)
            tilt = roll + rng.normal(0, 0.02)
            if not is_clear(room, position):
                continue
            rotation = look_at(position, aim, tilt)
            if _cosine(rotation, view.rotation) < np.cos(pace * MAX_TURN):
                continue
            if tracer.blocked(view.position[None], position[None])[0]:
                continue
            candidate = probe(tracer, lens, rotation, position)
            if not _worth_seeing(candidate):
                continue
            if overlap_matrix(lens, [view, candidate]).min() >= min_overlap:
                path.append(candidate)
                heading, goal = turned, 0.7 * goal + 0.3 * aim
                break
        else:
            return path
    return path


def _first_view(
    rng: np.random.Generator, room: Room, tracer: Raytracer, lens: Lens
) -> tuple[View, Floats] | None:
    index = int(rng.integers(len(room.targets)))
    target, scale = room.targets[index], float(room.target_scales[index])
    style = rng.random()
    if style < 0.35:  # a close look at what lies on it
        distance, tilt = rng.uniform(0.45, 1.3), rng.uniform(0.15, 0.9)
    elif style < 0.75:  # the whole thing
        distance, tilt = scale * rng.uniform(0.8, 1.8) + 0.3, rng.uniform(-0.05, 0.5)
    else:  # across the room
        distance, tilt = rng.uniform(1.5, float(room.size[:2].max())), rng.uniform(-0.1, 0.35)
    azimuth = rng.uniform(0, 2 * np.pi)
    offset = distance * np.array(
        [np.cos(azimuth) * np.cos(tilt), np.sin(azimuth) * np.cos(tilt), np.sin(tilt)]
    )
    position = (target + offset).astype(np.float32)
    position[2] = np.clip(position[2], rng.uniform(0.4, 1.2), min(2.0, float(room.size[2]) - 0.3))
    if not is_clear(room, position):
        return None
    goal = (target + rng.normal(0, 0.12 * distance, 3)).astype(np.float32)
    view = probe(tracer, lens, look_at(position, goal, rng.normal(0, 0.06)), position)
    return (view, goal) if _worth_seeing(view) else None


def is_clear(room: Room, position: Floats) -> bool:
    """Whether the camera keeps its distance from all parts and from the walls."""
    sides = zip(position.tolist(), room.size.tolist(), strict=True)
    if not all(CLEARANCE <= place <= side - CLEARANCE for place, side in sides):
        return False
    lower, upper = room.mesh.bounds
    gap = np.maximum(lower - position, position - upper)
    np.maximum(gap, 0, out=gap)
    return bool(np.einsum("ij,ij->i", gap, gap).min() > CLEARANCE**2)


def _worth_seeing(view: View) -> bool:
    if view.things < 9 or view.largest >= 0.6:
        return False
    depth = np.sort(view.depth, axis=None)
    return bool(depth[len(depth) // 50] > CLEARANCE and depth[len(depth) // 2] > 0.4)


@lru_cache(maxsize=4)
def _grid_directions(lens: Lens) -> Floats:
    return lens.directions(*GRID)


def probe(tracer: Raytracer, lens: Lens, rotation: Floats, position: Floats) -> View:
    rays = np.empty((GRID[0] * GRID[1], 6), np.float32)
    rays[:, :3], rays[:, 3:] = position, _grid_directions(lens) @ rotation.T
    depth, part = tracer.hit(rays)
    counts = np.bincount(part + 1)
    largest = float(counts.max() / len(part))
    return View(rotation, position, depth.reshape(GRID), int(np.count_nonzero(counts)), largest)


def overlap_matrix(lens: Lens, views: list[View]) -> Floats:
    """[S, S]: share of view i's grid points that view j sees unoccluded."""
    rows, columns = GRID
    height, width = lens.size
    turns = np.stack([view.rotation for view in views])
    positions = np.stack([view.position for view in views])[..., None]
    depth = np.stack([view.depth.ravel() for view in views])
    world = turns @ (_grid_directions(lens).T * depth[:, None]) + positions
    back = turns.transpose(0, 2, 1)
    x, y, z = np.moveaxis(back @ world[:, None] - back @ positions, 2, 0)
    scale = lens.focal / np.maximum(z, np.float32(0.05))
    x, y = x * (scale / width) + 0.5, y * (scale / height) + 0.5
    inside = (z > 0.05) & (x >= 0) & (x < 1) & (y >= 0) & (y < 1)
    cell = (y * rows).astype(np.int32) * columns + (x * columns).astype(np.int32)
    cell += np.arange(len(views), dtype=np.int32)[:, None] * (rows * columns)
    there = depth.take(np.where(inside, cell, 0))
    return np.mean(inside & (z < 1.08 * there + 0.03), 2, dtype=np.float32)


def _median(depth: Floats) -> float:
    """Of an even number of values; np.median takes several times as long."""
    middle = np.sort(depth, axis=None)[depth.size // 2 - 1 : depth.size // 2 + 1]
    return float(middle.mean())


def _unit(vector: NDArray[np.float64]) -> NDArray[np.float64]:
    return vector / (hypot(*vector.tolist()) + 1e-12)


def look_at(position: Floats, goal: NDArray[np.floating], roll: float) -> Floats:
    """Rotation [3, 3], world from camera, that looks from position to goal with up near the top."""
    x, y, z = _unit(np.asarray(goal, np.float64) - position).tolist()
    level = hypot(x, y) + 1e-12
    right = (y / level, -x / level, 0.0)
    down = (x * z / level, y * z / level, -level)
    c, s = cos(roll), sin(roll)
    rolled = [(c * r + s * d, c * d - s * r) for r, d in zip(right, down, strict=True)]
    return np.array([(*rd, f) for rd, f in zip(rolled, (x, y, z), strict=True)], np.float32)


def _cosine(a: Floats, b: Floats) -> float:
    """Of the angle between two rotations [3, 3]."""
    return (float(np.vdot(a, b)) - 1) / 2
