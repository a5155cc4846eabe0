"""Casts rays into a room and shades what they hit.

Lambert and Blinn-Phong under a few point lights with one shadow ray to the first, a patch of
sun, and a sky-and-ground ambient term that darkens towards edges. Textures are sampled trilinearly
at the level that the ray's footprint asks for.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import open3d as o3d
from numpy.typing import NDArray

from fgq.data.drawing import TEXTURE_SIZE
from fgq.data.rooms import Room
from fgq.data.shapes import Floats
from fgq.data.textures import LEVELS, texture_bank
from fgq.data.walls import Sun

CHUNK = 32_768  # rays shaded at a time: the temporaries stay in the processor's cache
MISS = np.uint32(0xFFFFFFFF)


class Raytracer:
    """Holds one room's acceleration structure and its per-triangle and per-part tables."""

    def __init__(self, room: Room) -> None:
        mesh = room.mesh
        self.room, self.bank = room, texture_bank()
        self._scene = o3d.t.geometry.RaycastingScene(nthreads=1)
        vertices = np.ascontiguousarray(mesh.positions.reshape(-1, 3))
        triangles = np.arange(len(vertices), dtype=np.uint32).reshape(-1, 3)
        self._scene.add_triangles(_tensor(vertices), _tensor(triangles))
        shift = np.array([0.618, 0.382], np.float32) * mesh.part[:, None]
        normal, uv = mesh.normals, mesh.uv
        repeats = np.array([m.repeats for m in mesh.materials], np.float32)[mesh.part]
        corner = uv[:, 0] + np.where(repeats[:, None] > 0, shift % 1, 0)
        columns = (
            normal[:, 0], normal[:, 1] - normal[:, 0], normal[:, 2] - normal[:, 0],
            corner, uv[:, 1] - uv[:, 0], uv[:, 2] - uv[:, 0],
            np.log2(TEXTURE_SIZE * mesh.copies_per_metre)[:, None],
        )  # fmt: skip
        self._rows = np.ascontiguousarray(np.concatenate(columns, 1).T)
        texture = np.array([m.texture for m in mesh.materials])
        table = (
            np.array([m.tint for m in mesh.materials]),
            np.array([(m.specular, m.shininess, m.glow) for m in mesh.materials]),
            self.bank.origin[texture],
        )
        self._table = np.ascontiguousarray(np.concatenate(table, 1).T.astype(np.float32))
        self._part = mesh.part

    def hit(self, rays: Floats) -> tuple[Floats, NDArray[np.int32]]:
        """rays [N, 6]: origin and direction. Returns t [N] and part [N]; 0 and -1 where missed."""
        cast = self._scene.cast_rays(_tensor(rays), nthreads=1)
        triangle = cast["primitive_ids"].numpy()
        missed = triangle == MISS
        part = np.where(missed, -1, self._part[np.where(missed, 0, triangle)])
        return np.where(missed, 0, cast["t_hit"].numpy()).astype(np.float32), part.astype(np.int32)

    def blocked(self, starts: Floats, ends: Floats) -> NDArray[np.bool_]:
        """Whether something stands between points [N, 3] and [N, 3]."""
        rays = np.concatenate([starts, ends - starts], 1)
        return self._scene.test_occlusions(_tensor(rays), 1e-4, 0.999, nthreads=1).numpy()

    def shade(self, rays: Floats, focal: float) -> tuple[Floats, Floats]:
        """rays [N, 6], directions of length 1 along the optical axis; focal in pixels.

        Returns linear radiance [N, 3] and depth along the axis [N] in metres, 0 where missed.
        """
        cast = self._scene.cast_rays(_tensor(rays), nthreads=1)
        triangle = cast["primitive_ids"].numpy()
        missed = triangle == MISS
        triangle[missed] = 0
        depth = cast["t_hit"].numpy()
        depth[missed] = 0
        barycentric = cast["primitive_uvs"].numpy()
        radiance = np.empty((len(rays), 3), np.float32)
        for start in range(0, len(rays), CHUNK):
            part = slice(start, start + CHUNK)
            radiance[part] = self._radiance(
                rays[part], depth[part], triangle[part], barycentric[part], focal
            )
        radiance[missed] = 0
        return radiance, depth

    def _radiance(
        self,
        rays: Floats,
        depth: Floats,
        triangle: NDArray[np.uint32],
        barycentric: Floats,
        focal: float,
    ) -> Floats:
        room = self.room
        direction = [np.ascontiguousarray(rays[:, 3 + axis]) for axis in range(3)]
        point = [rays[:, axis] + depth * direction[axis] for axis in range(3)]
        b1, b2 = np.ascontiguousarray(barycentric.T)
        row = [values.take(triangle) for values in self._rows]
        part = self._part.take(triangle)
        tint_r, tint_g, tint_b, specular, shininess, glow, left, top = (
            values.take(part) for values in self._table
        )
        normal = [row[axis] + b1 * row[3 + axis] + b2 * row[6 + axis] for axis in range(3)]
        u = row[9] + b1 * row[11] + b2 * row[13]
        v = row[10] + b1 * row[12] + b2 * row[14]
        length = 1 / np.sqrt(_dot(direction, direction))
        facing = _dot(normal, direction)
        scale = -np.sign(facing) / np.sqrt(_dot(normal, normal) + 1e-12)
        normal = [axis * scale for axis in normal]
        cosine = np.abs(facing * scale) * length
        level = (
            row[15] + np.log2(depth / focal + 1e-9) - 0.6 * np.log2(np.maximum(cosine, 0.05)) - 0.3
        )
        albedo = self._texture(u, v, level, left, top)

        light = self._ambient(point, normal)
        highlight = np.zeros_like(depth)
        for index, (position, color) in enumerate(
            zip(room.light_positions, room.light_colors, strict=True)
        ):
            to_light = [position[axis] - point[axis] for axis in range(3)]
            square = _dot(to_light, to_light)
            lambert = np.maximum(_dot(normal, to_light) / np.sqrt(square), 0)
            lambert *= 4 / (square + 1)
            if index == 0:
                lit = lambert > 0.01
                lit[lit] = ~self._shadowed(point, normal, to_light, lit)
                lambert *= np.float32(0.12) + np.float32(0.88) * lit
                shiny = np.flatnonzero((specular > 0) & lit)
                highlight[shiny] = _highlight(
                    [axis[shiny] for axis in normal],
                    [axis[shiny] for axis in direction],
                    [axis[shiny] for axis in to_light],
                    length[shiny],
                    shininess[shiny],
                )
            for channel in range(3):
                light[channel] += color[channel] * lambert
        if room.sun is not None:
            sunlit = self._sunlit(room.sun, point, normal)
            for channel in range(3):
                light[channel] += room.sun.color[channel] * sunlit
        highlight *= specular
        out = np.empty((len(depth), 3), np.float32)
        for channel, tint in enumerate((tint_r, tint_g, tint_b)):
            encoded = albedo[:, channel].astype(np.float32) * np.float32(1 / 255)
            shine = highlight * room.light_colors[0, channel]
            out[:, channel] = encoded * encoded * tint * (light[channel] + glow) + shine
        return out

    def _texture(self, u: Floats, v: Floats, level: Floats, left: Floats, top: Floats) -> Floats:
        """Trilinear lookup [N, 3] in 0 to 255."""
        u, v = u - np.floor(u), v - np.floor(v)
        level = np.clip(level, 0, LEVELS - 1.001)
        fine = np.floor(level)
        weight = (level - fine)[:, None]
        samples = []
        for offset in (0, 1):
            at = fine + offset
            side = np.exp2(8 - at)
            x = left + self.bank.level_offset.take(at.astype(np.int32)) + u * side + 0.5
            samples.append(_remap(self.bank.atlas, x, top + v * side + 0.5))
        fine_texel, coarse_texel = (texels.astype(np.float32) for texels in samples)
        return fine_texel + weight * (coarse_texel - fine_texel)

    def _ambient(self, point: Sequence[Floats], normal: Sequence[Floats]) -> list[Floats]:
        """Light from all around, darker in the room's edges: every wall takes its share."""
        open_share = np.ones_like(point[0])
        for axis in range(3):
            size = self.room.size[axis]
            near = np.minimum(point[axis], size - point[axis])
            away = 1 - np.abs(normal[axis])
            open_share *= 1 - 0.45 * away * np.exp(-np.maximum(near, 0) / 0.35)
        share = 0.5 + 0.5 * normal[2]
        below, above = self.room.ambient
        return [open_share * (b + share * (a - b)) for b, a in zip(below, above, strict=True)]

    def _shadowed(
        self,
        point: Sequence[Floats],
        normal: Sequence[Floats],
        to_light: Sequence[Floats],
        lit: NDArray[np.bool_],
    ) -> NDArray[np.bool_]:
        rays = np.empty((int(lit.sum()), 6), np.float32)
        for axis in range(3):
            rays[:, axis] = (point[axis] + 0.004 * normal[axis])[lit]
            rays[:, 3 + axis] = to_light[axis][lit]
        return self._scene.test_occlusions(_tensor(rays), 0.0, 0.99, nthreads=1).numpy()

    def _sunlit(self, sun: Sun, point: Sequence[Floats], normal: Sequence[Floats]) -> Floats:
        """Cosine of the sun where it reaches through the window, else 0."""
        cosine = np.maximum(_dot(normal, list(sun.direction)), 0)
        relative = [point[axis] - sun.center[axis] for axis in range(3)]
        travel = -_dot(relative, list(sun.normal)) / np.float32(sun.normal @ sun.direction)
        across = _dot(relative, list(sun.right)) + travel * np.float32(sun.right @ sun.direction)
        up = relative[2] + travel * sun.direction[2]
        s, t = across / (2 * sun.half[0]) + 0.5, up / (2 * sun.half[1]) + 0.5
        lit = (cosine > 0) & (travel > 0.02) & (s > 0) & (s < 1) & (t > 0) & (t < 1)
        lit &= (np.abs(s * sun.panes[0] % 1 - 0.5) < 0.47) & (
            np.abs(t * sun.panes[1] % 1 - 0.5) < 0.47
        )
        reach = [lit * travel * axis for axis in sun.direction]
        lit[lit] = ~self._shadowed(point, normal, [0.97 * axis for axis in reach], lit)
        return lit * cosine


def _tensor(array: NDArray[Any]) -> Any:
    """The array seen by Open3D, without a copy."""
    return o3d.core.Tensor.from_numpy(array)


def _dot(a: Sequence[Floats], b: Sequence[Floats]) -> Floats:
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def _highlight(
    normal: Sequence[Floats],
    direction: Sequence[Floats],
    to_light: Sequence[Floats],
    length: Floats,
    shininess: Floats,
) -> Floats:
    """Blinn-Phong lobe, normalised so that sharper highlights are brighter."""
    reach = 1 / np.sqrt(_dot(to_light, to_light))
    half = [to_light[axis] * reach - direction[axis] * length for axis in range(3)]
    cosine = np.maximum(_dot(normal, half), 0) / np.sqrt(_dot(half, half) + 1e-9)
    return (1 + 0.05 * shininess) * np.power(cosine, shininess)


def _remap(image: NDArray[np.uint8], x: Floats, y: Floats) -> NDArray[np.uint8]:
    """Bilinear lookup of N points, laid out in rows because cv2 limits the length of one."""
    columns, count = 512, len(x)
    rows = -(-count // columns)
    maps = np.zeros((2, rows * columns), np.float32)
    maps[0, :count], maps[1, :count] = x, y
    map_x, map_y = maps.reshape(2, rows, columns)
    return cv2.remap(image, map_x, map_y, cv2.INTER_LINEAR).reshape(-1, 3)[:count]
