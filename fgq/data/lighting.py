"""Light that reaches points of a room.

Lambert terms of a few point lights, the first of which casts shadows, a patch of sun behind a
window, and a sky-and-ground ambient term that darkens towards edges. Points and normals are rows
of length N: one operation on a long row costs less than three on short ones.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fgq.data.rooms import Room
from fgq.data.shadows import Mask, Strategy, of_any
from fgq.data.templates import Floats
from fgq.data.walls import Sun

Blocked = Callable[[Floats], Mask]  # of rays [6, N] whose directions end at the light
START = np.float32(0.004)  # metres from a surface to where its shadow rays begin
DIM = np.float32(0.12)  # of the first lamp's light also reaches its shadows


@dataclass(frozen=True)
class Light:
    """color [3, N] of the diffuse light; lamp, sun [N]: whether the first lamp and the sun reach
    the point."""

    color: Floats
    lamp: Mask
    sun: Mask


class Lighting:
    """The lights of a room. `blocked` is the ray tracer's test."""

    def __init__(self, room: Room, blocked: Blocked) -> None:
        self._blocked, self._sun, self._size = blocked, room.sun, room.size
        self.positions = room.light_positions
        self._squares = (self.positions * self.positions).sum(1)
        below, above = room.ambient
        colors = [below, above - below, *room.light_colors]
        if room.sun is not None:
            colors.append(room.sun.color)
            self._window = _window(room.sun)
        self._colors = np.stack(colors, 1).astype(np.float32)

    def at(self, point: Floats, normal: Floats, shadows: Strategy) -> Light:
        """point, normal [3, N]."""
        terms = np.empty((self._colors.shape[1], point.shape[1]), np.float32)
        self._openness(point, normal, terms[0])
        np.multiply(terms[0], np.float32(0.5) + np.float32(0.5) * normal[2], out=terms[1])
        lamps = terms[2 : 2 + len(self.positions)]
        self._lambert(point, normal, lamps)
        lamp = shadows(lamps[0] > 0.01, self._lamp_test(point, normal))
        lamps[0] *= DIM + (1 - DIM) * lamp
        sun = np.zeros(len(lamp), bool)
        if self._sun is not None:
            cosine = self._sun.direction @ normal
            travel, across, up = self._window[:, :3] @ point
            travel += self._window[0, 3]
            wanted = _sunlit(
                self._sun, travel, across + self._window[1, 3], up + self._window[2, 3]
            )
            wanted &= cosine > 0
            sun = of_any(wanted, self._sun_test(self._sun, point, normal, travel))
            np.multiply(cosine, sun, out=terms[-1])
        return Light(self._colors @ terms, lamp, sun)

    def _lambert(self, point: Floats, normal: Floats, out: Floats) -> None:
        """Cosine over distance squared [L, N] of all lamps, without shadows."""
        plane, square = dot(point, normal), dot(point, point)
        cosines, distances = self.positions @ normal, (-2 * self.positions) @ point
        for row, cosine, distance, own in zip(out, cosines, distances, self._squares, strict=True):
            distance += square
            distance += own
            np.maximum(distance, np.float32(1e-4), out=distance)  # rounding may make it negative
            np.subtract(cosine, plane, out=row)
            np.maximum(row, 0, out=row)
            row *= 4
            row /= np.sqrt(distance)
            distance += 1
            row /= distance

    def lobe(self, point: Floats, normal: Floats, direction: Floats) -> Floats:
        """Blinn-Phong's cosine [N] for the first lamp; all [3, N]; direction: of the view."""
        half = self.positions[0][:, None] - point
        half /= np.sqrt(dot(half, half))
        half -= direction / np.sqrt(dot(direction, direction))
        return dot(normal, half) / np.sqrt(dot(half, half) + np.float32(1e-9))

    def _openness(self, point: Floats, normal: Floats, out: Floats) -> None:
        """1 in the middle of the room and less in its edges: every wall takes its share."""
        near = np.minimum(point, self._size[:, None] - point)
        np.maximum(near, 0, out=near)
        near *= np.float32(-1 / 0.35)
        np.exp(near, out=near)
        share = np.abs(normal)
        share -= 1
        share *= np.float32(0.45)
        near *= share
        near += 1
        np.multiply(near[0], near[1], out=out)
        out *= near[2]

    def _lamp_test(self, point: Floats, normal: Floats) -> Callable[[NDArray[np.intp]], Mask]:
        def test(index: NDArray[np.intp]) -> Mask:
            rays = _starts(point, normal, index)
            np.subtract(self.positions[0][:, None], rays[:3], out=rays[3:])
            return ~self._blocked(rays)

        return test

    def _sun_test(
        self, sun: Sun, point: Floats, normal: Floats, travel: Floats
    ) -> Callable[[NDArray[np.intp]], Mask]:
        def test(index: NDArray[np.intp]) -> Mask:
            rays = _starts(point, normal, index)
            way = np.float32(0.97) * travel.take(index)
            np.multiply(sun.direction[:, None], way, out=rays[3:])
            return ~self._blocked(rays)

        return test


def dot(a: Floats, b: Floats) -> Floats:
    """Of the columns of [3, N]: faster than a sum over the first axis."""
    out = a[0] * b[0]
    out += a[1] * b[1]
    out += a[2] * b[2]
    return out


def _starts(point: Floats, normal: Floats, index: NDArray[np.intp]) -> Floats:
    """Shadow rays [6, M] whose directions are still to be filled in."""
    rays = np.empty((6, len(index)), np.float32)
    for axis in range(3):
        np.multiply(normal[axis].take(index), START, out=rays[axis])
        rays[axis] += point[axis].take(index)
    return rays


def _sunlit(sun: Sun, travel: Floats, across: Floats, up: Floats) -> Mask:
    """Where [N] the way to the sun goes through a pane of its window."""
    lit = (travel > 0.02) & (np.abs(across) < 0.5) & (np.abs(up) < 0.5)
    inside = np.flatnonzero(lit)
    for place, panes in ((across, sun.panes[0]), (up, sun.panes[1])):
        pane = (place[inside] + np.float32(0.5)) * panes
        lit[inside] &= np.abs(pane - np.floor(pane) - 0.5) < 0.47
    return lit


def _window(sun: Sun) -> Floats:
    """Rows [3, 4] that turn a point (x, y, z, 1) into the way to the window's plane along the sun's
    direction, and where the way ends: across and up in parts of the window from its middle."""
    way = -sun.normal / (sun.normal @ sun.direction)
    end = np.eye(3) + np.outer(sun.direction, way)
    up = np.array([0, 0, 0.5 / sun.half[1]])
    rows = np.stack([way, (sun.right / (2 * sun.half[0])) @ end, up @ end])
    return np.concatenate([rows, -(rows @ sun.center)[:, None]], 1).astype(np.float32)
