"""Light that reaches points of a room.

Lambert terms of a few point lights, the first of which casts shadows, a patch of sun behind a
window, and a sky-and-ground ambient term that darkens towards edges. Points and normals are
[3, N]: one operation on a long row costs less than three on short ones.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from fgq.data.rooms import Room
from fgq.data.templates import Floats
from fgq.data.walls import Sun

Shape = tuple[int, int]
Blocked = Callable[[Floats], NDArray[np.bool_]]  # of rays [N, 6] whose directions end at the light
UNLIT = 2  # state of a pixel that light cannot reach anyway; 0 is in shadow, 1 lit


@dataclass(frozen=True)
class Light:
    """color [3, N] of the diffuse light; lamp, sun [N]: whether the first lamp and the sun reach
    the point."""

    color: Floats
    lamp: NDArray[np.bool_]
    sun: NDArray[np.bool_]


class Lighting:
    """The lights of a room. `blocked` is the ray tracer's test."""

    def __init__(self, room: Room, blocked: Blocked) -> None:
        self._blocked, self._sun = blocked, room.sun
        self._size = room.size[:, None]
        self.positions = room.light_positions
        below, above = room.ambient
        colors = [below, above - below, *room.light_colors]
        if room.sun is not None:
            colors.append(room.sun.color)
            self._window = _window(room.sun)
        self._colors = np.stack(colors, 1).astype(np.float32)

    def at(self, point: Floats, normal: Floats, face: Floats, shape: Shape | None) -> Light:
        """face [N]: the number of the surface. shape: (H, W) if the points are an image's pixels:
        then shadow rays are cast for a part of them (see `_lit`)."""
        lambert, lamp = self._lamps(point, normal, face, shape)
        openness = self._openness(point, normal)
        terms = [openness, openness * (0.5 + 0.5 * normal[2]), *lambert]
        sun = np.zeros(len(face), bool)
        if self._sun is not None:
            cosine = self._sun.direction @ normal
            sun = self._sunlit(self._sun, cosine, point, normal, face, shape)
            terms.append(cosine * sun)
        return Light(self._colors @ np.stack(terms), lamp, sun)

    def _lamps(
        self, point: Floats, normal: Floats, face: Floats, shape: Shape | None
    ) -> tuple[Floats, NDArray[np.bool_]]:
        """Lambert terms [L, N], and which points [N] the first lamp reaches."""
        lambert = self.positions @ normal - (point * normal).sum(0)
        square = (point * point).sum(0) - 2 * self.positions @ point
        square += (self.positions * self.positions).sum(1)[:, None]
        np.maximum(lambert, 0, out=lambert)
        np.maximum(square, np.float32(1e-4), out=square)  # rounding may make it negative
        lambert *= 4 / (np.sqrt(square) * (square + 1))
        toward = self.positions[0][:, None] - point
        lit = self._lit(lambert[0] > 0.01, point, normal, toward, face, shape)
        lambert[0] *= np.float32(0.12) + np.float32(0.88) * lit
        return lambert, lit

    def lobe(self, point: Floats, normal: Floats, direction: Floats) -> Floats:
        """Blinn-Phong's cosine [N] for the first lamp; direction [3, N]: of the view, length 1."""
        toward = self.positions[0][:, None] - point
        half = toward / np.sqrt((toward * toward).sum(0)) - direction
        return (normal * half).sum(0) / np.sqrt((half * half).sum(0) + 1e-9)

    def _openness(self, point: Floats, normal: Floats) -> Floats:
        """1 in the middle of the room and less in its edges: every wall takes its share."""
        near = np.minimum(point, self._size - point)
        near = np.exp(np.maximum(near, 0) * np.float32(-1 / 0.35))
        near *= np.float32(0.45) * np.abs(normal) - np.float32(0.45)
        near += 1
        return near[0] * near[1] * near[2]

    def _sunlit(
        self,
        sun: Sun,
        cosine: Floats,
        point: Floats,
        normal: Floats,
        face: Floats,
        shape: Shape | None,
    ) -> NDArray[np.bool_]:
        """Where [N] the sun reaches through its window; cosine [N] to the sun's direction."""
        travel, across, up = self._window[:, :3] @ point + self._window[:, 3:]
        lit = (cosine > 0) & (travel > 0.02) & (np.abs(across) < 0.5) & (np.abs(up) < 0.5)
        inside = np.flatnonzero(lit)
        for place, panes in ((across, sun.panes[0]), (up, sun.panes[1])):
            pane = (place[inside] + np.float32(0.5)) * panes
            lit[inside] &= np.abs(pane - np.floor(pane) - 0.5) < 0.47
        toward = np.float32(0.97) * sun.direction[:, None] * travel
        return self._lit(lit, point, normal, toward, face, shape)

    def _lit(
        self,
        wanted: NDArray[np.bool_],
        point: Floats,
        normal: Floats,
        toward: Floats,
        face: Floats,
        shape: Shape | None,
    ) -> NDArray[np.bool_]:
        """Which of the wanted points [N] see the light at point + toward.

        In an image, every second pixel of every second row is tested. Where these agree in a
        neighbourhood of 3 x 3, the pixels between them that lie on the same face take their answer;
        the others, along the shadows' outlines, are tested too.
        """
        lit = np.zeros(len(wanted), bool)

        def test(index: NDArray[np.intp]) -> None:
            rays = np.empty((len(index), 6), np.float32)
            for axis in range(3):
                start = point[axis].take(index) + np.float32(0.004) * normal[axis].take(index)
                rays[:, axis], rays[:, 3 + axis] = start, toward[axis].take(index)
            lit[index] = ~self._blocked(rays)

        if shape is None:
            test(np.flatnonzero(wanted))
            return lit
        image, surface = wanted.reshape(shape), face.reshape(shape)
        tested = np.zeros(shape, bool)
        tested[::2, ::2] = image[::2, ::2]
        test(np.flatnonzero(tested))
        state = np.where(image[::2, ::2], lit.reshape(shape)[::2, ::2], UNLIT).astype(np.uint8)
        same = (cv2.erode(state, _SQUARE) == cv2.dilate(state, _SQUARE)) & (state != UNLIT)
        settled = image & ~tested & _enlarged(same, shape)
        settled &= surface == _enlarged(surface[::2, ::2], shape)
        lit |= (settled & _enlarged(state == 1, shape)).ravel()
        test(np.flatnonzero(image & ~tested & ~settled))
        return lit


_SQUARE = np.ones((3, 3), np.uint8)


def _enlarged(coarse: NDArray[Any], shape: Shape) -> NDArray[Any]:
    return coarse.repeat(2, 0).repeat(2, 1)[: shape[0], : shape[1]]


def _window(sun: Sun) -> Floats:
    """Rows [3, 4] that turn a point (x, y, z, 1) into the way to the window's plane along the sun's
    direction, and where the way ends: across and up in parts of the window from its middle."""
    way = -sun.normal / (sun.normal @ sun.direction)
    end = np.eye(3) + np.outer(sun.direction, way)
    up = np.array([0, 0, 0.5 / sun.half[1]])
    rows = np.stack([way, (sun.right / (2 * sun.half[0])) @ end, up @ end])
    return np.concatenate([rows, -(rows @ sun.center)[:, None]], 1).astype(np.float32)
