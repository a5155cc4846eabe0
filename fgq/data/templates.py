"""Unit shapes: triangles, normals and texture coordinates of what scenes are built from.

Templates span [-1, 1] on every axis, so a part's scale is its half extent; z is up.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]
MAX_PATCHES = 16  # of a template
COARSE = {name: f"small {name}" for name in ("cylinder", "frustum", "sphere", "torus", "ring")}
Patch = tuple[Floats, Floats, Floats, Floats]  # a grid of points, normals, uv, and its span


@dataclass(frozen=True)
class Facets:
    """What shading needs of a template's triangles: normals [T, 3, 3] and texture coordinates
    uv [T, 3, 2] in [0, 1] at the corners. spans [T, 2, 3]: weights that turn a part's half extents
    into the metres which texture coordinates 0 to 1 span. patch [T]: which of the template's
    patches, at most MAX_PATCHES."""

    normals: Floats
    uv: Floats
    spans: Floats
    patch: NDArray[np.int32]


@dataclass(frozen=True)
class Template:
    """vertices [V, 3], triangles [T, 3] of indices into them, facets: their normals and uv."""

    vertices: Floats
    triangles: NDArray[np.uint32]
    facets: Facets


def _template(patches: list[Patch]) -> Template:
    """Joins patches: each is points, normals [R, C, 3], uv [R, C, 2] and span weights [2, 3].

    Triangles without area are left out: the ray tracer would carry them along for nothing.
    """
    pieces: list[list[Floats]] = [[], [], [], [], []]
    for index, (points, normals, uv, span) in enumerate(patches):
        rows, columns = np.indices((points.shape[0] - 1, points.shape[1] - 1)).reshape(2, -1)
        a, b = (rows, columns), (rows, columns + 1)
        c, d = (rows + 1, columns + 1), (rows + 1, columns)
        for out, grid in zip(pieces, (points, normals, uv), strict=False):
            for corners in ((a, b, c), (a, c, d)):
                out.append(np.stack([grid[corner] for corner in corners], 1))
        pieces[3].append(np.broadcast_to(span, (2 * len(rows), 2, 3)))
        pieces[4].append(np.full(2 * len(rows), index))
    points, normals, uv, spans, patch = (np.concatenate(piece) for piece in pieces)
    sides = points[:, 1:] - points[:, :1]
    solid = np.linalg.norm(np.cross(sides[:, 0], sides[:, 1]), axis=-1) > 1e-6
    corners = points[solid].reshape(-1, 3).round(6)
    vertices, triangles = np.unique(corners, axis=0, return_inverse=True)
    facets = Facets(
        normals[solid].astype(np.float32),
        uv[solid].astype(np.float32),
        spans[solid].astype(np.float32),
        patch[solid].astype(np.int32),
    )
    return Template(vertices.astype(np.float32), triangles.reshape(-1, 3).astype(np.uint32), facets)


def _unit_grid(rows: int, columns: int) -> tuple[Floats, Floats]:
    v, u = np.meshgrid(np.linspace(0, 1, rows + 1), np.linspace(0, 1, columns + 1), indexing="ij")
    return u.astype(np.float32), v.astype(np.float32)


def _revolved(
    radius: Floats, height: Floats, columns: int, normal_r: Floats, normal_z: Floats
) -> Patch:
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


def _disk(z: float, radius: float, columns: int) -> Patch:
    """In strips from side to side: they take fewer triangles than a fan."""
    angle = np.linspace(0, np.pi, columns // 2 + 1) * np.array([[1], [-1]])
    x, y = radius * np.cos(angle), radius * np.sin(angle)
    normals = np.broadcast_to(np.array([0, 0, np.sign(z)], np.float32), (*x.shape, 3))
    uv = np.stack([0.5 + 0.5 * x, 0.5 + 0.5 * y], -1)
    return (
        np.stack([x, y, z + 0 * x], -1),
        normals,
        uv,
        np.array([[2, 0, 0], [0, 2, 0]], np.float32),
    )


def _frustum(top: float, columns: int = 16) -> Template:
    height = np.array([1, -1], np.float32)
    radius = np.array([top, 1], np.float32)
    slope = np.array([(1 - top) / 2] * 2, np.float32)
    length = np.hypot(1, slope)
    patches = [
        _revolved(radius, height, columns, 1 / length, slope / length),
        _disk(-1, 1, columns),
    ]
    return _template(patches + ([_disk(1, top, columns)] if top > 0 else []))


def _sphere(start: float = 0.0, rows: int = 8, columns: int = 16) -> Template:
    """A sphere, or with `start` > 0 a bowl: the part below polar angle start * pi."""
    polar = np.linspace(start * np.pi, np.pi, rows + 1, dtype=np.float32)
    return _template(
        [_revolved(np.sin(polar), np.cos(polar), columns, np.sin(polar), np.cos(polar))]
    )


def _leaf() -> Template:
    """A flat sheet, which is seen from both sides."""
    polar = np.linspace(0, np.pi, 5)[:, None]
    x = np.sin(polar) * np.array([-1, 1])
    z = np.cos(polar) + 0 * x
    normals = np.broadcast_to(np.array([0, 1, 0], np.float32), (*x.shape, 3))
    span = np.array([[2, 0, 0], [0, 0, 2]], np.float32)
    uv = 0.5 + 0.5 * np.stack([x, -z], -1)
    return _template([(np.stack([x, 0 * x, z], -1), normals, uv, span)])


def _torus(thickness: float, rows: int = 6, columns: int = 16) -> Template:
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
        "rod": _frustum(1.0, 6),
        "cone": _frustum(0.0),
        "frustum": _frustum(0.6),
        "sphere": _sphere(),
        "leaf": _leaf(),
        "bowl": _sphere(0.5, 4),
        "torus": _torus(0.25),
        "ring": _torus(0.1, 5),
        "prism": _extruded(_polygon(3)),
        "hexagon": _extruded(_polygon(6)),
        "star": _extruded(_polygon(10, 0.5)),
        "ell": _extruded(ell),
        "small cylinder": _frustum(1.0, 10),
        "small frustum": _frustum(0.6, 10),
        "small sphere": _sphere(0.0, 6, 10),
        "small torus": _torus(0.25, 5, 10),
        "small ring": _torus(0.1, 4, 10),
    }


@lru_cache(maxsize=1)
def catalogue() -> tuple[dict[str, int], Facets]:
    """The facets of all templates in one table, and where each template's begin."""
    facets = [template.facets for template in templates().values()]
    starts = np.cumsum([0] + [len(entry.patch) for entry in facets])
    names = ("normals", "uv", "spans", "patch")
    columns = (np.concatenate([getattr(entry, name) for entry in facets]) for name in names)
    joined = Facets(*columns)
    return dict(zip(templates(), starts.tolist(), strict=False)), joined
