"""Casts rays into a room and shades what they hit: textured diffuse surfaces with Blinn-Phong
highlights of the first lamp."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import open3d as o3d
from numpy.typing import NDArray

from fgq.data.drawing import TEXTURE_SIZE
from fgq.data.lighting import Lighting, Shape
from fgq.data.rooms import Room
from fgq.data.templates import Floats
from fgq.data.textures import texture_bank

MISS = np.uint32(0xFFFFFFFF)
DULL = 0.4  # cosines to a highlight below this give nothing that could be seen

# columns of the triangles' table. UV: texture coordinates at the first corner and their change to
# the other two; NORMAL: at the first corner; BEND: whether it changes
NORMAL, UV, LEVEL, TINT, GLOW, SHINE, TEXTURE, FACE, BEND = 0, 3, 9, 10, 13, 14, 16, 18, 19
COLUMNS = 20


@dataclass(frozen=True)
class Shaded:
    """Of N rays: linear radiance [N, 3], depth [N] along the axis in metres, 0 where missed, and
    key [N]: equal for points of one surface in the same light."""

    radiance: Floats
    depth: Floats
    key: NDArray[np.int32]


class Raytracer:
    """Holds one room's acceleration structure and a table of the triangles hit so far."""

    def __init__(self, room: Room) -> None:
        self._mesh, self._bank = room.mesh, texture_bank()
        self._scene = o3d.t.geometry.RaycastingScene(nthreads=1)
        self._scene.add_triangles(_tensor(room.mesh.vertices), _tensor(room.mesh.triangles))
        self._lighting = Lighting(room, self._blocked)
        self._lamp_color = room.light_colors[0]
        materials = room.mesh.materials
        looks = np.array([(*m.tint, m.glow, m.specular, m.shininess) for m in materials])
        origins = self._bank.origin[[m.texture for m in materials]]
        self._looks = np.concatenate([looks, origins], 1, dtype=np.float32)
        self._table = np.empty((len(room.mesh.triangles), COLUMNS), np.float32)
        self._normals = np.empty((len(room.mesh.triangles), 9), np.float32)
        self._ready = np.zeros(len(room.mesh.triangles), bool)

    def hit(self, rays: Floats) -> tuple[Floats, NDArray[np.int32]]:
        """rays [N, 6]: origin and direction. Returns t [N] and part [N]; 0 and -1 where missed."""
        cast = self._scene.cast_rays(_tensor(rays), nthreads=1)
        triangle = cast["primitive_ids"].numpy()
        missed = triangle == MISS
        part = np.where(missed, -1, self._mesh.part[np.where(missed, 0, triangle)])
        return np.where(missed, 0, cast["t_hit"].numpy()).astype(np.float32), part.astype(np.int32)

    def blocked(self, starts: Floats, ends: Floats) -> NDArray[np.bool_]:
        """Whether something stands between points [N, 3] and [N, 3]."""
        rays = np.concatenate([starts, ends - starts], 1)
        return self._scene.test_occlusions(_tensor(rays), 1e-4, 0.999, nthreads=1).numpy()

    def _blocked(self, rays: Floats) -> NDArray[np.bool_]:
        return self._scene.test_occlusions(_tensor(rays), 0.0, 0.99, nthreads=1).numpy()

    def shade(self, rays: Floats, focal: float, shape: Shape | None = None) -> Shaded:
        """rays [6, N]: origin, and direction of length 1 along the optical axis; focal in pixels.
        shape: (H, W) if the rays are those of an image's pixels in order."""
        cast = self._scene.cast_rays(_tensor(_transposed(rays)), nthreads=1)
        triangle, depth = cast["primitive_ids"].numpy(), cast["t_hit"].numpy()
        missed = np.flatnonzero(triangle == MISS)
        triangle[missed], depth[missed] = 0, 0
        self._prepare(triangle)
        row = _transposed(np.take(self._table, triangle, axis=0))
        b1, b2 = _transposed(cast["primitive_uvs"].numpy())
        direction = rays[3:]
        point = rays[:3] + depth * direction

        normal = row[NORMAL : NORMAL + 3]
        bent = np.flatnonzero(row[BEND])
        corners = _transposed(self._normals.take(triangle.take(bent), axis=0))
        between = corners[:3] + b1.take(bent) * corners[3:6] + b2.take(bent) * corners[6:]
        normal[:, bent] = between / np.sqrt((between * between).sum(0) + 1e-12)
        facing = (normal * direction).sum(0)
        normal *= -np.sign(facing)
        square = (direction * direction).sum(0)
        cosine = np.maximum(facing * facing / square, np.float32(0.0025))
        # the footprint is depth across and depth / cosine along the surface: a level between
        level = np.log2(depth * depth * depth / cosine + 1e-9) * np.float32(1 / 3)
        level += row[LEVEL] - np.float32(np.log2(focal))
        uv = row[UV : UV + 2] + b1 * row[UV + 2 : UV + 4] + b2 * row[UV + 4 : UV + 6]
        albedo = self._bank.sample(uv, level, row[TEXTURE : TEXTURE + 2])

        light = self._lighting.at(point, normal, row[FACE], shape)
        color = light.color
        color += row[GLOW]
        color *= row[TINT : TINT + 3]
        radiance = albedo * _transposed(color)
        lobe = self._lighting.lobe(point, normal, direction / np.sqrt(square))
        shiny = np.flatnonzero((row[SHINE] > 0) & light.lamp & (lobe > DULL))
        sharpness = row[SHINE + 1].take(shiny)
        shine = row[SHINE].take(shiny) * (1 + np.float32(0.05) * sharpness)  # sharper is brighter
        shine *= np.power(lobe.take(shiny), sharpness)
        radiance[shiny] += shine[:, None] * self._lamp_color
        radiance[missed] = 0
        key = 4 * row[FACE].astype(np.int32) + 2 * light.lamp + light.sun
        return Shaded(radiance, depth, key)

    def _prepare(self, triangle: NDArray[np.uint32]) -> None:
        """Fills the table's rows of the triangles [N]: few of a room's are ever seen."""
        fresh = np.zeros(len(self._ready), bool)
        fresh[triangle] = True
        chosen = np.flatnonzero(fresh & ~self._ready)
        self._ready[chosen] = True
        normal, uv, copies, face = self._mesh.surface(chosen)
        part = self._mesh.part[chosen]
        shift = part[:, None] * np.array([0.618, 0.382]) % 1
        shift *= self._mesh.repeats[part][:, None] > 0
        self._normals[chosen, :3] = normal[:, 0]
        self._normals[chosen, 3:] = (normal[:, 1:] - normal[:, :1]).reshape(-1, 6)
        columns = (
            normal[:, 0],
            uv[:, 0] + shift, uv[:, 1] - uv[:, 0], uv[:, 2] - uv[:, 0],
            np.log2(TEXTURE_SIZE * copies)[:, None] - 0.3, self._looks[part], face[:, None],
            np.abs(self._normals[chosen, 3:]).max(1, keepdims=True) > 1e-4,
        )  # fmt: skip
        self._table[chosen] = np.concatenate(columns, 1)


def _tensor(array: NDArray[Any]) -> Any:
    """The array seen by Open3D, without a copy."""
    return o3d.core.Tensor.from_numpy(array)


def _transposed(array: Floats) -> Floats:
    """[N, M] to contiguous [M, N], several times as fast as numpy."""
    return cv2.transpose(array) if array.size else np.empty(array.shape[::-1], array.dtype)
