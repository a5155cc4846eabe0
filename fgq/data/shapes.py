"""Parts of a scene: a builder that places them, and the mesh that they make. z is up."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import cos, sin
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fgq.data.templates import COARSE, MAX_PATCHES, Floats, catalogue, templates

Vector = tuple[float, float, float]
SMALL = 0.12  # metres across: with fewer sides it is as round as a large thing


class Material(NamedTuple):
    """texture: index in the bank. repeats: texture copies a metre; 0 shows the texture once on
    every face. tint: linear colour factor. specular, shininess: of a Blinn-Phong highlight.
    glow: emitted light in units of the albedo."""

    texture: int
    repeats: float = 1.0
    tint: Vector = (1.0, 1.0, 1.0)
    specular: float = 0.0
    shininess: float = 20.0
    glow: float = 0.0


class Part(NamedTuple):
    """A placed template. size, center [3] and rotation [3, 3] in the frame with that number."""

    size: Vector
    center: Vector
    rotation: Floats | None
    frame: int
    material: Material


@dataclass
class Builder:
    """Collects parts, and the frames (rotation [3, 3], origin [3]) that they are placed in. `at`
    gives a builder of the same collection whose axes are moved."""

    parts: dict[str, list[Part]] = field(default_factory=dict)
    frames: list[tuple[Floats, Floats]] = field(default_factory=list)
    rotation: Floats = field(default_factory=lambda: np.eye(3, dtype=np.float32))
    origin: Floats = field(default_factory=lambda: np.zeros(3, np.float32))

    def __post_init__(self) -> None:
        self._frame = len(self.frames)
        self.frames.append((self.rotation, self.origin))

    def at(self, x: float, y: float, z: float = 0.0, yaw: float = 0.0) -> Builder:
        origin = self.origin + self.rotation @ np.array((x, y, z), np.float32)
        rotation = self.rotation @ rotation_z(yaw) if yaw else self.rotation
        return Builder(self.parts, self.frames, rotation, origin)

    def add(
        self,
        shape: str,
        center: Vector,
        size: Vector,
        material: Material,
        rotation: Floats | None = None,
    ) -> None:
        """size: full extents in metres along the part's own axes, before `rotation` [3, 3]."""
        if shape in COARSE and max(size[0], size[1]) < SMALL:
            shape = COARSE[shape]
        part = Part(size, center, rotation, self._frame, material)
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
    materials) and bounds [2, K, 3] (lower and upper corners of axis-aligned boxes)."""

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
        normals /= np.sqrt(np.einsum("tci,tci->tc", normals, normals) + 1e-12)[..., None]
        repeats = self.repeats[part][:, None]
        span = np.einsum("tsi,ti->ts", facets.spans[facet], half)
        uv = facets.uv[facet] * np.where(repeats > 0, span * repeats, np.float32(1))[:, None]
        corners = self.vertices[self.triangles[chosen]]
        copies = np.sqrt((_double_area(uv) + 1e-9) / (_double_area(corners) + 1e-9))
        return normals, uv, copies, part * MAX_PATCHES + facets.patch[facet]


def _double_area(corners: Floats) -> Floats:
    """Of triangles [M, 3, D], by Gram's determinant: [M]."""
    a, b = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    squares, others, mixed = (np.einsum("ti,ti->t", *pair) for pair in ((a, a), (b, b), (a, b)))
    gram = squares * others - mixed * mixed
    return np.sqrt(np.maximum(gram, 0))


def join(builder: Builder) -> Mesh:
    """All parts as one mesh."""
    placed = [part for parts in builder.parts.values() for part in parts]
    half = np.array([part.size for part in placed], np.float32) / 2
    frame = [part.frame for part in placed]
    rotations, origins = (np.array(side)[frame] for side in zip(*builder.frames, strict=True))
    center = np.array([part.center for part in placed], np.float32)[..., None]
    center = (rotations @ center)[..., 0] + origins
    own = {index: part.rotation for index, part in enumerate(placed) if part.rotation is not None}
    turn, turned = rotations, list(own)
    if own:
        turn[turned] = turn[turned] @ np.stack(list(own.values()))
    vertices, triangles, parts, facets, bounds = [], [], [], [], []
    first_part = first_vertex = 0
    for shape, count in ((shape, len(entries)) for shape, entries in builder.parts.items()):
        template, chosen = templates()[shape], slice(first_part, first_part + count)
        scaled = (turn[chosen] * half[chosen, None]).reshape(-1, 3)
        world = (template.vertices @ scaled.T).reshape(-1, count, 3) + center[chosen]
        vertices.append(world.reshape(-1, 3))
        bounds.append(np.stack([world.min(0), world.max(0)]))
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
        np.concatenate(bounds, 1),
        np.concatenate(facets),
    )
