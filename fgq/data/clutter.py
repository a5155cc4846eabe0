"""Small things: what lies about on floors, tables and shelves.

Every maker takes a builder whose origin is the middle of the place where the thing stands, the
looks, and a size in metres (about the larger of its extents).
"""

from __future__ import annotations

from collections.abc import Callable
from math import exp, hypot, log

import numpy as np

from fgq.data.looks import Looks
from fgq.data.shapes import Builder, rotation_x, rotation_z

Maker = Callable[[Builder, Looks, float], None]


def primitive(b: Builder, look: Looks, size: float) -> None:
    shapes = (
        "box",
        "cylinder",
        "cone",
        "frustum",
        "sphere",
        "torus",
        "prism",
        "hexagon",
        "star",
        "ell",
    )
    shape = look.pick(shapes)
    x, y, z = (size * look.rng.uniform(0.4, 1, 3)).tolist()
    if shape in ("sphere", "torus", "star"):
        y = x
    if shape in ("torus", "star"):
        z = x * look.uniform(0.15, 0.4)
    if look.chance(0.2) and shape not in ("sphere", "cone"):
        b.add(shape, (0, 0, y / 2), (x, y, z), look.any(), rotation_x(np.pi / 2))
    else:
        b.add(shape, (0, 0, z / 2), (x, y, z), look.any())


def package(b: Builder, look: Looks, size: float) -> None:
    x, y, z = size * look.uniform(0.4, 0.9), size * look.uniform(0.12, 0.6), size
    if look.chance(0.3):
        x, y, z = x, z, y
    b.box((0, 0, z / 2), (x, y, z), look.picture("cover" if look.chance(0.8) else "poster"))


def carton(b: Builder, look: Looks, size: float) -> None:
    x, y, z = (size * look.rng.uniform(0.6, 1, 3)).tolist()
    b.box((0, 0, z / 2), (x, y, z), look.surface("plain", toned=0.6))
    b.box((0, 0, z / 2), (0.2 * x, y + 0.004, z + 0.004), look.surface("plain"))
    if look.chance(0.7):
        b.box((0, 0, z * 0.55), (0.5 * x, y + 0.003, z * 0.35), look.picture("page"))


def book_pile(b: Builder, look: Looks, size: float) -> None:
    z = 0.0
    for _ in range(int(look.rng.integers(1, 8))):
        thick = look.uniform(0.01, 0.05)
        width, depth = size * look.uniform(0.7, 1), size * look.uniform(0.5, 0.75)
        b.box(
            (0, 0, z + thick / 2),
            (width, depth, thick),
            look.picture("cover"),
            look.uniform(-0.4, 0.4),
        )
        z += thick


def papers(b: Builder, look: Looks, size: float) -> None:
    for layer in range(int(look.rng.integers(1, 4))):
        x, y = (size * look.rng.uniform(-0.4, 0.4, 2)).tolist()
        kind = "page" if look.chance(0.7) else "poster"
        turn = look.uniform(-1, 1)
        b.box((x, y, 0.001 + 0.002 * layer), (0.21, 0.3, 0.002), look.picture(kind), turn)


def bottle(b: Builder, look: Looks, size: float) -> None:
    wide, body = size * look.uniform(0.25, 0.4), size * look.uniform(0.5, 0.7)
    glass = look.glossy()
    b.add("cylinder", (0, 0, body / 2), (wide, wide, body), glass)
    b.add(
        "cylinder",
        (0, 0, body * 0.5),
        (wide * 1.02, wide * 1.02, body * 0.5),
        look.picture("cover"),
    )
    b.add("frustum", (0, 0, body + size * 0.08), (wide, wide, size * 0.16), glass)
    b.add("cylinder", (0, 0, size * 0.9), (wide * 0.4, wide * 0.4, size * 0.25), look.glossy())


def can(b: Builder, look: Looks, size: float) -> None:
    wide = size * look.uniform(0.5, 0.9)
    b.add("cylinder", (0, 0, size / 2), (wide, wide, size), look.picture("cover"))
    b.add("cylinder", (0, 0, size), (wide * 0.96, wide * 0.96, size * 0.04), look.metal())


def mug(b: Builder, look: Looks, size: float) -> None:
    size = min(size, 0.14)
    glaze = look.glossy() if look.chance(0.6) else look.any()
    b.add("cylinder", (0, 0, size / 2), (size * 0.75, size * 0.75, size), glaze)
    b.add(
        "cylinder",
        (0, 0, size * 0.99),
        (size * 0.66, size * 0.66, size * 0.06),
        look.surface("plain"),
    )
    side = (size * 0.4, 0.0, size * 0.5)
    b.add("ring", side, (size * 0.6, size * 0.6, size * 0.1), glaze, rotation_x(np.pi / 2))


def fruit_bowl(b: Builder, look: Looks, size: float) -> None:
    b.add("bowl", (0, 0, size * 0.3), (size, size, size * 0.6), look.glossy())
    for _ in range(int(look.rng.integers(2, 7))):
        x, y = (size * look.rng.uniform(-0.25, 0.25, 2)).tolist()
        r = size * look.uniform(0.22, 0.32)
        b.add("sphere", (x, y, size * look.uniform(0.2, 0.36)), (r, r, r), look.any())


def plant(b: Builder, look: Looks, size: float) -> None:
    pot = size * 0.3
    b.add("frustum", (0, 0, pot / 2), (pot, pot, pot), look.any(), rotation_x(np.pi))
    green = look.surface("clouds" if look.chance(0.5) else "fabric", 4, toned=0.0)
    tint = (0.3, look.uniform(0.5, 1.1), 0.25)
    green = green._replace(tint=tint, specular=0.15, shininess=20)
    for _ in range(int(look.rng.integers(8, 26))):
        turn = rotation_z(look.uniform(0, 6.3)) @ rotation_x(look.uniform(0.1, 1.3))
        length, width = size * look.uniform(0.3, 0.65), size * look.uniform(0.04, 0.14)
        tip = turn @ np.array([0, 0, length / 2])
        center = (float(tip[0]), float(tip[1]), float(tip[2]) + pot * 0.95)
        b.add("leaf", center, (width, size * 0.012, length), green, turn)


def table_lamp(b: Builder, look: Looks, size: float) -> None:
    size = max(size, 0.25)
    b.add("cylinder", (0, 0, 0.01), (size * 0.4, size * 0.4, 0.02), look.metal())
    b.add("rod", (0, 0, size * 0.4), (0.025, 0.025, size * 0.8), look.metal())
    shade = look.cloth()
    shade = shade._replace(glow=look.uniform(0.0, 2.0))
    b.add("frustum", (0, 0, size * 0.85), (size * 0.6, size * 0.6, size * 0.4), shade)


def laptop(b: Builder, look: Looks, size: float) -> None:
    body = look.metal()
    b.box((0, 0, 0.01), (0.34, 0.24, 0.02), body)
    b.box((0, 0.01, 0.0205), (0.3, 0.15, 0.001), look.picture("keys"))
    tilt = rotation_x(look.uniform(0.05, 0.5))
    lid = tilt @ np.array([0, 0, 0.115])
    center = (0.0, -0.12 + float(lid[1]) * -1, 0.02 + float(lid[2]))
    b.add("box", center, (0.34, 0.012, 0.23), body, tilt.T)
    front = (center[0], center[1] + 0.0075, center[2])
    b.add("box", front, (0.31, 0.003, 0.2), look.picture("screen", look.uniform(0.3, 1.5)), tilt.T)


def monitor(b: Builder, look: Looks, size: float) -> None:
    wide = look.uniform(0.4, 0.75)
    tall, dark = wide * 0.58, look.glossy()
    b.box((0, 0, 0.01), (0.25, 0.18, 0.02), dark)
    b.box((0, -0.02, 0.15), (0.05, 0.03, 0.3), dark)
    b.box((0, 0, 0.12 + tall / 2), (wide, 0.03, tall), dark)
    lit = look.picture("screen", look.uniform(0.2, 1.6) if look.chance(0.8) else 0.0)
    b.box((0, 0.015, 0.12 + tall / 2), (wide * 0.96, 0.004, tall * 0.93), lit)
    if look.chance(0.7):
        b.box((0, 0.25, 0.012), (0.42, 0.14, 0.022), look.picture("keys"))


def pencil_cup(b: Builder, look: Looks, size: float) -> None:
    b.add("cylinder", (0, 0, 0.05), (0.08, 0.08, 0.1), look.any())
    for _ in range(int(look.rng.integers(3, 9))):
        turn = rotation_z(look.uniform(0, 6.3)) @ rotation_x(look.uniform(0, 0.35))
        tip = turn @ np.array([0, 0, 0.09])
        center = (float(tip[0]), float(tip[1]), 0.03 + float(tip[2]))
        b.add("rod", center, (0.008, 0.008, 0.18), look.glossy(), turn)


def stack_of_plates(b: Builder, look: Looks, size: float) -> None:
    glaze = look.glossy() if look.chance(0.6) else look.any()
    for layer in range(int(look.rng.integers(1, 6))):
        b.add("frustum", (0, 0, 0.01 + 0.018 * layer), (0.24, 0.24, 0.02), glaze, rotation_x(np.pi))


def toy_tower(b: Builder, look: Looks, size: float) -> None:
    z = 0.0
    for _ in range(int(look.rng.integers(2, 6))):
        side, tall = size * look.uniform(0.25, 0.5), size * look.uniform(0.15, 0.35)
        shape = look.pick(("box", "cylinder", "hexagon", "frustum", "star"))
        b.at(0, 0, 0, look.uniform(0, 3)).add(
            shape, (0, 0, z + tall / 2), (side, side, tall), look.any()
        )
        z += tall


def cushion(b: Builder, look: Looks, size: float) -> None:
    b.add("sphere", (0, 0, size * 0.2), (size, size * 0.8, size * 0.4), look.cloth())


def picture_stand(b: Builder, look: Looks, size: float) -> None:
    tilt = rotation_x(-0.25)
    b.add("box", (0, 0, size * 0.42), (size * 0.8, 0.02, size * 0.9), look.hard(), tilt.T)
    kind = "landscape" if look.chance(0.5) else "abstract"
    b.add(
        "box",
        (0, 0.011, size * 0.42),
        (size * 0.68, 0.006, size * 0.76),
        look.picture(kind),
        tilt.T,
    )


def basket(b: Builder, look: Looks, size: float) -> None:
    b.add("bowl", (0, 0, size * 0.35), (size, size, size * 0.7), look.surface("fabric", 3))
    for _ in range(int(look.rng.integers(1, 5))):
        x, y = (size * look.rng.uniform(-0.2, 0.2, 2)).tolist()
        primitive(b.at(x, y, size * 0.15, look.uniform(0, 6)), look, size * 0.45)


SMALL: tuple[Maker, ...] = (
    primitive, primitive, primitive, package, package, package, book_pile, book_pile, papers,
    papers, bottle, bottle, can, mug, mug, fruit_bowl, plant, table_lamp, laptop, pencil_cup,
    stack_of_plates, toy_tower, picture_stand,
)  # fmt: skip
LARGE: tuple[Maker, ...] = (
    primitive, primitive, carton, carton, package, book_pile, plant, plant, toy_tower, cushion,
    basket, papers,
)  # fmt: skip


def scatter(
    b: Builder,
    look: Looks,
    area: tuple[float, float, float, float],
    z: float,
    count: int,
    size: tuple[float, float],
    makers: tuple[Maker, ...] = SMALL,
) -> None:
    """Places up to `count` things in area (x0, x1, y0, y1) at height z, log-uniform in size,
    without their discs overlapping (papers apart, things may touch)."""
    taken: list[tuple[float, float, float]] = []
    for _ in range(count):
        extent = exp(look.uniform(log(size[0]), log(size[1])))
        margin = min(extent / 2, 0.15)
        if area[1] - area[0] < 2 * margin or area[3] - area[2] < 2 * margin:
            continue
        x = look.uniform(area[0] + margin, area[1] - margin)
        y = look.uniform(area[2] + margin, area[3] - margin)
        if any(hypot(x - px, y - py) < 0.55 * (extent + other) for px, py, other in taken):
            continue
        taken.append((x, y, extent))
        turn = look.uniform(0, 2 * np.pi) if look.chance(0.7) else look.uniform(-0.3, 0.3)
        makers[int(look.rng.integers(len(makers)))](b.at(x, y, z, turn), look, extent)
