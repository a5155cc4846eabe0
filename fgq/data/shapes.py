"""Parts of a scene: a builder that places them, and the mesh that they make. z is up."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import cos, sin

import numpy as np
from numpy.typing import NDArray

from fgq.data.templates import MAX_PATCHES, Floats, catalogue, templates

Vector = tuple[float, float, float]
_EYE = np.eye(3, dtype=np.float32)


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


@dataclass(frozen=True)
class Part:
    """A placed template. size, center [3] and rotation [3, 3] in the frame (rotation [3, 3],
    origin [3]) of the builder that placed it."""

    size: Vector
    center: Vector
    rotation: Floats | None
    frame: tuple[Floats, Floats]
    material: Material


@dataclass
class Builder:
    """Collects parts. `at` gives a builder of the same collection whose axes are moved."""

    parts: dict[str, list[Part]] = field(default_factory=dict)
    rotation: Floats = field(default_factory=lambda: np.eye(3, dtype=np.float32))
    origin: Floats = field(default_factory=lambda: np.zeros(3, np.float32))

    def at(self, x: float, y: float, z: float = 0.0, yaw: float = 0.0) -> Builder:
        origin = self.origin + self.rotation @ np.array((x, y, z), np.float32)
        return Builder(
            self.parts, self.rotation @ rotation_z(yaw) if yaw else self.rotation, origin
        )

    def add(
        self,
        shape: str,
        center: Vector,
        size: Vector,
        material: Material,
        rotation: Floats | None = None,
    ) -> None:
        """size: full extents in metres along the part's own axes, before `rotation` [3, 3]."""
        part = Part(size, center, rotation, (self.rotation, self.origin), material)
        self.parts.setdefault(shape, []).append(part)

    def box(self, center: Vector, size: Vector, material: Material, yaw: float = 0.0) -> None:
        self.add("box", center, size, material, rotation_z(yaw) if yaw else None)


def rotation_z(angle: float) -> Floats:
    c, s = cos(angle), sin(angle)
    return np.array(((c, -s, 0), (s, c, 0), (0, 0, 1)), np.float32)


def rotation_x(angle: float) -> Floats:
    c, s = cos(angle), sin(angle)
    return np.array(((1, 0, 0), (0, c, -s), (0, s, c)), np.float32)


@dataclass(frozen=True)
class Mesh:
    """vertices [V, 3] in metres, triangles [T, 3] of indices into them. part [T]: index into
    materials, half [K, 3] (half extents), turn [K, 3, 3] (world from part), repeats [K] (of the
    materials) and bounds [K, 2, 3] (lower and upper corners of axis-aligned boxes)."""

    vertices: Floats
    triangles: NDArray[np.uint32]
    part: NDArray[np.int32]
    materials: list[Material]
    half: Floats
    turn: Floats
    repeats: Floats
    bounds: Floats
    _facet: NDArray[np.int32]

    def surface(self, chosen: NDArray[np.intp]) -> tuple[Floats, Floats, Floats, NDArray[np.int32]]:
        """Of M triangles: normals [M, 3, 3] and uv [M, 3, 2] (in texture copies) at the corners,
        texture copies a metre [M], and face [M], a number that coplanar or smoothly joined
        triangles of a part share."""
        facets, facet, part = catalogue()[1], self._facet[chosen], self.part[chosen]
        half = self.half[part]
        normals = facets.normals[facet] / np.maximum(half, 1e-5)[:, None]
        normals = normals @ self.turn[part].transpose(0, 2, 1)
        normals /= np.sqrt((normals * normals).sum(-1, keepdims=True) + 1e-12)
        repeats = self.repeats[part][:, None]
        span = (facets.spans[facet] * half[:, None]).sum(-1)
        uv = facets.uv[facet] * np.where(repeats > 0, span * repeats, np.float32(1))[:, None]
        corners = self.vertices[self.triangles[chosen]]
        copies = np.sqrt((_double_area(uv) + 1e-9) / (_double_area(corners) + 1e-9))
        return normals, uv, copies, part * MAX_PATCHES + facets.patch[facet]


def _double_area(corners: Floats) -> Floats:
    """Of triangles [M, 3, D], by Gram's determinant: [M]."""
    a, b = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    gram = (a * a).sum(1) * (b * b).sum(1) - (a * b).sum(1) ** 2
    return np.sqrt(np.maximum(gram, 0))


def join(builder: Builder) -> Mesh:
    """All parts as one mesh."""
    placed = [part for parts in builder.parts.values() for part in parts]
    half = np.array([part.size for part in placed], np.float32) / 2
    frame = np.array([part.frame[0] for part in placed])
    own = np.array([_EYE if part.rotation is None else part.rotation for part in placed])
    turn = frame @ own
    center = np.array([part.center for part in placed], np.float32)
    center = (frame @ center[..., None])[..., 0] + np.array([part.frame[1] for part in placed])
    vertices, triangles, parts, facets, bounds = [], [], [], [], []
    first_part = first_vertex = 0
    for shape, count in ((shape, len(entries)) for shape, entries in builder.parts.items()):
        template, chosen = templates()[shape], slice(first_part, first_part + count)
        scaled = (turn[chosen] * half[chosen, None]).reshape(-1, 3)
        world = (template.vertices @ scaled.T).reshape(-1, count, 3) + center[chosen]
        vertices.append(world.reshape(-1, 3))
        bounds.append(np.stack([world.min(0), world.max(0)], 1))
        column = np.arange(count, dtype=np.uint32)[:, None]
        triangles.append(
            (first_vertex + template.triangles[:, None] * count + column).reshape(-1, 3)
        )
        ids = np.arange(first_part, first_part + count, dtype=np.int32)
        parts.append(np.tile(ids, len(template.triangles)))
        facet = catalogue()[0][shape] + np.arange(len(template.triangles), dtype=np.int32)
        facets.append(facet.repeat(count))
        first_part, first_vertex = first_part + count, first_vertex + count * len(template.vertices)
    return Mesh(
        np.concatenate(vertices),
        np.concatenate(triangles),
        np.concatenate(parts),
        [part.material for part in placed],
        half,
        turn,
        np.array([part.material.repeats for part in placed], np.float32),
        np.concatenate(bounds),
        np.concatenate(facets),
    )
