"""Shapes of a scene: unit templates, a builder that places them, and the joined triangles.

Axes: z is up. Templates span [-1, 1] on every axis, so a part's scale is its half extent.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]
Vector = tuple[float, float, float]


@dataclass(frozen=True)
class Template:
    """Triangles given by their corners: positions and normals [T, 3, 3] and texture coordinates
    uv [T, 3, 2] in [0, 1]. spans [T, 2, 3]: weights that turn a part's half extents into the
    metres which texture coordinates 0 to 1 span."""

    positions: Floats
    normals: Floats
    uv: Floats
    spans: Floats


def _template(grids: list[tuple[Floats, Floats, Floats, Floats]]) -> Template:
    """Joins patches: each is points, normals [R, C, 3], uv [R, C, 2] and span weights [2, 3]."""
    pieces: list[list[Floats]] = [[], [], [], []]
    for points, normals, uv, span in grids:
        rows, columns = np.indices((points.shape[0] - 1, points.shape[1] - 1)).reshape(2, -1)
        a, b = (rows, columns), (rows, columns + 1)
        c, d = (rows + 1, columns + 1), (rows + 1, columns)
        for out, grid in zip(pieces, (points, normals, uv), strict=False):
            for corners in ((a, b, c), (a, c, d)):
                out.append(np.stack([grid[corner] for corner in corners], 1))
        pieces[3].append(np.broadcast_to(span, (2 * len(rows), 2, 3)))
    return Template(*(np.concatenate(piece).astype(np.float32) for piece in pieces))


def _unit_grid(rows: int, columns: int) -> tuple[Floats, Floats]:
    v, u = np.meshgrid(np.linspace(0, 1, rows + 1), np.linspace(0, 1, columns + 1), indexing="ij")
    return u.astype(np.float32), v.astype(np.float32)


def _revolved(
    radius: Floats, height: Floats, columns: int, normal_r: Floats, normal_z: Floats
) -> tuple[Floats, Floats, Floats, Floats]:
    """A profile (radius, height) turned round z; u runs round, v along the profile."""
    u, v = _unit_grid(len(radius) - 1, columns)
    angle = 2 * np.pi * u
    cos, sin = np.cos(angle), np.sin(angle)
    points = np.stack([radius[:, None] * cos, radius[:, None] * sin, height[:, None] + 0 * cos], -1)
    normals = np.stack(
        [normal_r[:, None] * cos, normal_r[:, None] * sin, normal_z[:, None] + 0 * cos], -1
    )
    span = np.array([[np.pi, np.pi, 0], [0, 0, 2]], np.float32)
    return points, normals, np.stack([u, 1 - v], -1), span


def _disk(z: float, radius: float, columns: int) -> tuple[Floats, Floats, Floats, Floats]:
    u, v = _unit_grid(1, columns)
    angle = 2 * np.pi * u
    x, y = radius * v * np.cos(angle), radius * v * np.sin(angle)
    normals = np.broadcast_to(np.array([0, 0, np.sign(z)], np.float32), (*x.shape, 3))
    uv = np.stack([0.5 + 0.5 * x, 0.5 + 0.5 * y], -1)
    return (
        np.stack([x, y, z + 0 * x], -1),
        normals,
        uv,
        np.array([[2, 0, 0], [0, 2, 0]], np.float32),
    )


def _frustum(top: float, columns: int = 20) -> Template:
    height = np.array([1, -1], np.float32)
    radius = np.array([top, 1], np.float32)
    slope = np.array([(1 - top) / 2] * 2, np.float32)
    length = np.hypot(1, slope)
    patches = [
        _revolved(radius, height, columns, 1 / length, slope / length),
        _disk(-1, 1, columns),
    ]
    return _template(patches + ([_disk(1, top, columns)] if top > 0 else []))


def _sphere(start: float = 0.0, rows: int = 10, columns: int = 20) -> Template:
    """A sphere, or with `start` > 0 a bowl: the part below polar angle start * pi."""
    polar = np.linspace(start * np.pi, np.pi, rows + 1, dtype=np.float32)
    return _template(
        [_revolved(np.sin(polar), np.cos(polar), columns, np.sin(polar), np.cos(polar))]
    )


def _torus(thickness: float, rows: int = 8, columns: int = 20) -> Template:
    turn = np.linspace(0, 2 * np.pi, rows + 1, dtype=np.float32)
    radius = 1 - thickness + thickness * np.cos(turn)
    return _template([_revolved(radius, np.sin(turn), columns, np.cos(turn), np.sin(turn))])


def _extruded(outline: Floats) -> Template:
    """A star-shaped outline [K, 2] extruded along z with flat sides."""
    ring = np.concatenate([outline, outline[:1]]).astype(np.float32)
    patches = []
    side_span = np.array([[0.7, 0.7, 0], [0, 0, 2]], np.float32)
    for a, b in pairwise(ring):
        points = np.array([[[*a, 1], [*b, 1]], [[*a, -1], [*b, -1]]], np.float32)
        normal = np.array([b[1] - a[1], a[0] - b[0], 0]) / (np.linalg.norm(b - a) + 1e-9)
        uv = np.array([[[0, 0], [1, 0]], [[0, 1], [1, 1]]], np.float32)
        patches.append((points, np.broadcast_to(normal, (2, 2, 3)), uv, side_span))
    for z in (-1.0, 1.0):
        flat = np.stack([np.zeros_like(ring), ring])
        points = np.concatenate([flat, np.full((*flat.shape[:2], 1), z)], -1)
        normals = np.broadcast_to(np.array([0, 0, z]), points.shape)
        patches.append(
            (points, normals, 0.5 + 0.5 * flat, np.array([[2, 0, 0], [0, 2, 0]], np.float32))
        )
    return _template(patches)


def _box() -> Template:
    u, v = _unit_grid(1, 1)
    x, y, one = 2 * u - 1, 1 - 2 * v, np.ones_like(u)
    uv = np.stack([u, v], -1)
    patches = []
    for sign in (-1.0, 1.0):
        for axis, corners in enumerate(
            ([one * sign, sign * x, y], [-sign * x, one * sign, y], [x, y, one * sign])
        ):
            span = np.zeros((2, 3), np.float32)
            span[0, 0 if axis else 1], span[1, 1 if axis == 2 else 2] = 2, 2
            normal = np.zeros(3, np.float32)
            normal[axis] = sign
            patches.append((np.stack(corners, -1), np.broadcast_to(normal, (2, 2, 3)), uv, span))
    return _template(patches)


def _polygon(sides: int, inner: float = 1.0) -> Floats:
    angle = 2 * np.pi * np.arange(sides) / sides
    radius = np.where(np.arange(sides) % 2, inner, 1.0)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], -1)


@lru_cache(maxsize=1)
def templates() -> dict[str, Template]:
    ell = np.array([[-1, -1], [1, -1], [1, -0.3], [-0.3, -0.3], [-0.3, 1], [-1, 1]], np.float32)
    return {
        "box": _box(),
        "cylinder": _frustum(1.0),
        "rod": _frustum(1.0, 8),
        "cone": _frustum(0.0),
        "frustum": _frustum(0.6),
        "sphere": _sphere(),
        "leaf": _sphere(0.0, 4, 6),
        "bowl": _sphere(0.5, 6),
        "torus": _torus(0.25),
        "ring": _torus(0.1),
        "prism": _extruded(_polygon(3)),
        "hexagon": _extruded(_polygon(6)),
        "star": _extruded(_polygon(10, 0.5)),
        "ell": _extruded(ell),
    }


@dataclass(frozen=True)
class Material:
    """texture: index in the bank. repeats: texture copies a metre; 0 shows the texture once on
    every face. tint: linear colour factor. specular, shininess: of a Blinn-Phong highlight.
    glow: emitted light in units of the albedo."""

    texture: int
    repeats: float = 1.0
    tint: Vector = (1.0, 1.0, 1.0)
    specular: float = 0.0
    shininess: float = 20.0
    glow: float = 0.0


@dataclass
class Builder:
    """Collects parts. `at` gives a builder of the same collection whose axes are moved."""

    parts: dict[str, list[tuple[Floats, Floats, Floats, Material]]] = field(default_factory=dict)
    rotation: Floats = field(default_factory=lambda: np.eye(3, dtype=np.float32))
    origin: Floats = field(default_factory=lambda: np.zeros(3, np.float32))

    def at(self, x: float, y: float, z: float = 0.0, yaw: float = 0.0) -> Builder:
        turn = rotation_z(yaw)
        offset = self.rotation @ np.array([x, y, z], np.float32)
        return Builder(self.parts, self.rotation @ turn, self.origin + offset)

    def add(
        self,
        shape: str,
        center: Vector,
        size: Vector,
        material: Material,
        rotation: Floats | None = None,
    ) -> None:
        """size: full extents in metres along the part's own axes, before `rotation` [3, 3]."""
        turn = self.rotation if rotation is None else self.rotation @ rotation
        position = self.origin + self.rotation @ np.array(center, np.float32)
        half = np.array(size, np.float32) / 2
        self.parts.setdefault(shape, []).append((half, turn, position, material))

    def box(self, center: Vector, size: Vector, material: Material, yaw: float = 0.0) -> None:
        self.add("box", center, size, material, rotation_z(yaw) if yaw else None)


def rotation_z(angle: float) -> Floats:
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]], np.float32)


def rotation_x(angle: float) -> Floats:
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[1, 0, 0], [0, c, -s], [0, s, c]], np.float32)


@dataclass(frozen=True)
class Mesh:
    """positions [T, 3, 3]: corners in metres. normals [T, 3, 3] and uv [T, 3, 2]: at the corners;
    uv counts texture copies. copies_per_metre [T]: how
    densely. part [T]: index into materials and into bounds [K, 2, 3], the lower and upper corners
    of the parts' axis-aligned boxes."""

    positions: Floats
    normals: Floats
    uv: Floats
    copies_per_metre: Floats
    part: NDArray[np.int32]
    materials: list[Material]
    bounds: Floats


def join(builder: Builder) -> Mesh:
    """All parts as one triangle list, textures scaled to metres."""
    positions, normals, uvs, parts, bounds = [], [], [], [], []
    materials: list[Material] = []
    for shape, placed in builder.parts.items():
        template = templates()[shape]
        count, triangles = len(placed), len(template.positions)
        half = np.stack([entry[0] for entry in placed])
        turn = np.stack([entry[1] for entry in placed]).transpose(0, 2, 1)
        center = np.stack([entry[2] for entry in placed])
        local = template.positions.reshape(1, -1, 3) * half[:, None]
        world = local @ turn + center[:, None]
        normal = (template.normals.reshape(1, -1, 3) / np.maximum(half, 1e-5)[:, None]) @ turn
        normal /= np.linalg.norm(normal, axis=-1, keepdims=True) + 1e-12
        repeats = np.array([entry[3].repeats for entry in placed], np.float32)[:, None, None]
        span = np.einsum("tij,kj->kti", template.spans, half)
        span = np.where(repeats > 0, span * repeats, 1.0)
        uv = template.uv[None] * span[:, :, None, :]
        positions.append(world.reshape(-1, 3, 3))
        normals.append(normal.reshape(-1, 3, 3))
        uvs.append(uv.reshape(-1, 3, 2))
        parts.append(len(materials) + np.repeat(np.arange(count, dtype=np.int32), triangles))
        bounds.append(np.stack([world.min(1), world.max(1)], 1))
        materials += [entry[3] for entry in placed]
    position, uv = np.concatenate(positions), np.concatenate(uvs)
    edge = position[:, 1:] - position[:, :1]
    area = np.linalg.norm(np.cross(edge[:, 0], edge[:, 1]), axis=-1)
    uv_edge = uv[:, 1:] - uv[:, :1]
    uv_area = np.abs(uv_edge[:, 0, 0] * uv_edge[:, 1, 1] - uv_edge[:, 0, 1] * uv_edge[:, 1, 0])
    density = np.sqrt((uv_area + 1e-9) / (area + 1e-9))
    return Mesh(
        position,
        np.concatenate(normals),
        uv,
        density,
        np.concatenate(parts),
        materials,
        np.concatenate(bounds),
    )
