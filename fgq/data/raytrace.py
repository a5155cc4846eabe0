"""Casts rays into a room and shades what they hit: textured diffuse surfaces with Blinn-Phong
highlights of the first lamp."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import open3d as o3d
from numpy.typing import NDArray

from fgq.data.casting import MISS, Hit, cast, cast_images, tensor, transposed
from fgq.data.drawing import TEXTURE_SIZE
from fgq.data.lighting import Lighting, dot
from fgq.data.rooms import Room
from fgq.data.shadows import FACE, LAMP, Shape, Strategy, of_any, of_image, of_samples
from fgq.data.templates import Floats
from fgq.data.textures import texture_bank

DULL = 0.4  # cosines to a highlight below this give nothing that could be seen

# columns of the triangles' table. UV: texture coordinates at the first corner and their change to
# the other two; NORMAL: the normal at the first corner; BEND: whether it changes
NORMAL, UV, LEVEL, TINT, GLOW, SHINE, TEXTURE, NUMBER, BEND = 0, 3, 9, 10, 13, 14, 16, 18, 19
COLUMNS = 20


@dataclass(frozen=True)
class Shaded:
    """Of N rays: linear radiance [3, N], depth [N] along the axis in metres, 0 where missed, and
    key [N]: equal for points of one surface in the same light."""

    radiance: Floats
    depth: Floats
    key: NDArray[np.int32]


class Raytracer:
    """Holds one room's acceleration structure and a table of the triangles hit so far."""

    def __init__(self, room: Room) -> None:
        self._mesh, self._bank = room.mesh, texture_bank()
        self._scene = o3d.t.geometry.RaycastingScene(nthreads=1)
        self._scene.add_triangles(tensor(room.mesh.vertices), tensor(room.mesh.triangles))
        self._lighting = Lighting(room, self._blocked)
        self._lamp_color = room.light_colors[0]
        self._table = np.empty((len(room.mesh.triangles), COLUMNS), np.float32)
        self._normals = np.empty((len(room.mesh.triangles), 9), np.float32)
        self._ready = np.zeros(len(room.mesh.triangles), bool)

    def hit(self, rays: Floats) -> tuple[Floats, NDArray[np.int32]]:
        """rays [N, 6]: origin and direction. Returns t [N] and part [N]; 0 and -1 where missed."""
        found = self._scene.cast_rays(tensor(rays), nthreads=1)
        triangle = found["primitive_ids"].numpy()
        missed = triangle == MISS
        part = np.where(missed, -1, self._mesh.part[np.where(missed, 0, triangle)])
        return np.where(missed, 0, found["t_hit"].numpy()).astype(np.float32), part.astype(np.int32)

    def blocked(self, starts: Floats, ends: Floats) -> NDArray[np.bool_]:
        """Whether something stands between points [N, 3] and [N, 3]."""
        rays = np.concatenate([starts, ends - starts], 1)
        return self._scene.test_occlusions(tensor(rays), 1e-4, 0.999, nthreads=1).numpy()

    def _blocked(self, rays: Floats) -> NDArray[np.bool_]:
        rays = transposed(rays)
        return self._scene.test_occlusions(tensor(rays), 0.0, 0.99, nthreads=1).numpy()

    def shade(
        self,
        rays: Floats,
        focal: float,
        shape: Shape | None = None,
        beside: NDArray[np.int32] | None = None,
    ) -> Shaded:
        """rays [6, N]: origin, and direction of length 1 along the optical axis; focal in pixels.
        shape: (H, W) if the rays are those of the pixels of images in order. beside [2, N]: keys of
        two pixels with a sample between them. Both save shadow rays."""
        hit = cast_images(self._scene, rays, shape) if shape else cast(self._scene, rays)
        missed = np.flatnonzero(hit.triangle == MISS)
        hit.triangle[missed], hit.depth[missed] = 0, 0
        self._prepare(hit.triangle)
        radiance = np.empty((3, len(hit.depth)), np.float32)
        key = np.empty(len(hit.depth), np.int32)
        # image by image: what is known of one's points mostly stays in the processor's cache
        count = shape[0] * shape[1] if shape else max(len(key), 1)
        for start in range(0, len(key), count):
            part = slice(start, start + count)
            near = None if beside is None else beside[:, part]
            key[part] = self._shade(hit.part(part), focal, shape, near, radiance[:, part])
        radiance[:, missed] = 0
        return Shaded(radiance, hit.depth, key)

    def _shade(
        self,
        hit: Hit,
        focal: float,
        shape: Shape | None,
        beside: NDArray[np.int32] | None,
        radiance: Floats,
    ) -> NDArray[np.int32]:
        """Fills in radiance [3, N] and returns the key [N]."""
        row = transposed(np.take(self._table, hit.triangle, axis=0))
        b1, b2 = hit.uv
        direction = hit.rays[3:]
        point = direction * hit.depth
        point += hit.rays[:3]
        normal = row[NORMAL : NORMAL + 3]
        bent = np.flatnonzero(row[BEND] > 0)
        corners = transposed(self._normals.take(hit.triangle.take(bent), axis=0))
        between = corners[:3] + b1.take(bent) * corners[3:6] + b2.take(bent) * corners[6:]
        between /= np.sqrt(dot(between, between) + np.float32(1e-12))
        for axis in range(3):
            normal[axis, bent] = between[axis]
        facing = dot(normal, direction)
        normal *= -np.sign(facing)

        # the footprint is depth across and depth / cosine along the surface: a level between
        cosine = facing * facing / dot(direction, direction)
        np.maximum(cosine, np.float32(0.0025), out=cosine)
        level = np.log2(hit.depth * hit.depth * hit.depth / cosine + np.float32(1e-9))
        level *= np.float32(1 / 3)
        level += row[LEVEL]
        level -= np.float32(np.log2(focal))
        uv = row[UV + 2 : UV + 4] * b1
        uv += row[UV : UV + 2]
        uv += row[UV + 4 : UV + 6] * b2
        albedo = self._bank.sample(uv, level, row[TEXTURE : TEXTURE + 2])

        shadows: Strategy = of_any
        if shape is not None:
            shadows = of_image(row[NUMBER], shape)
        elif beside is not None:
            shadows = of_samples(row[NUMBER], beside)
        light = self._lighting.at(point, normal, shadows)
        color = light.color
        color += row[GLOW]
        color *= row[TINT : TINT + 3]
        np.multiply(albedo, color, out=radiance)
        shiny = np.flatnonzero((row[SHINE] > 0) & light.lamp)
        lines = [
            line.take(shiny) for line in (*point, *normal, *direction, *row[SHINE : SHINE + 2])
        ]
        self._shine(radiance, shiny, np.stack(lines))
        key = row[NUMBER].astype(np.int32)
        key *= FACE
        key += LAMP * light.lamp.astype(np.int32)
        key += light.sun
        return key

    def _shine(self, radiance: Floats, index: NDArray[np.intp], rows: Floats) -> None:
        """Adds the highlights at some of the points; rows [11, M]: these points, their normals,
        directions of view, and the SHINE columns."""
        lobe = self._lighting.lobe(rows[:3], rows[3:6], rows[6:9])
        bright = np.flatnonzero(lobe > DULL)
        index, sharpness = index.take(bright), rows[10].take(bright)
        shine = rows[9].take(bright) * (1 + np.float32(0.05) * sharpness)  # sharper is brighter
        shine *= np.power(lobe.take(bright), sharpness)
        for plane, color in zip(radiance, self._lamp_color, strict=True):
            plane[index] += shine * color

    def _prepare(self, triangle: NDArray[np.uint32]) -> None:
        """Fills the table's rows of the triangles [N]: few of a room's are ever seen."""
        fresh = np.zeros(len(self._ready), bool)
        runs = np.flatnonzero(triangle[1:] != triangle[:-1])  # neighbours mostly share a triangle
        fresh[triangle[runs]] = True
        fresh[triangle[-1:]] = True
        chosen = np.flatnonzero(fresh & ~self._ready)
        if len(chosen) == 0:
            return
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
            np.log2(TEXTURE_SIZE * copies)[:, None] - 0.3, self._looks(part), face[:, None],
            np.abs(self._normals[chosen, 3:]).max(1, keepdims=True) > 1e-4,
        )  # fmt: skip
        self._table[chosen] = np.concatenate(columns, 1)

    def _looks(self, part: NDArray[np.int32]) -> Floats:
        """Columns TINT to TEXTURE of triangles that belong to parts [M]."""
        seen, own = np.unique(part, return_inverse=True)
        materials = [self._mesh.materials[index] for index in seen.tolist()]
        looks = np.array([(*m.tint, m.glow, m.specular, m.shininess) for m in materials])
        origins = self._bank.origin[[m.texture for m in materials]]
        return np.concatenate([looks, origins], 1, dtype=np.float32)[own]
