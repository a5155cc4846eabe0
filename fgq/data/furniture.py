"""Furniture-like compounds.

Every maker takes a builder whose origin is on the floor at the middle of the thing's back; the
thing extends `width` along x (centred), `depth` along +y and `height` along z, in metres.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from fgq.data.clutter import monitor, primitive, scatter
from fgq.data.looks import Looks
from fgq.data.shapes import Builder, Material, rotation_x
from fgq.data.storage import appliance, cabinet, drawers, kitchen, shelf

Maker = Callable[[Builder, Looks, float, float, float], None]


def _legs(
    b: Builder, width: float, depth: float, height: float, leg: Material, thick: float
) -> None:
    shape = "box" if thick > 0.035 else "rod"
    inset = thick / 2 + 0.02
    for x in (-width / 2 + inset, width / 2 - inset):
        for y in (inset, depth - inset):
            b.add(shape, (x, y, height / 2), (thick, thick, height), leg)


def table(b: Builder, look: Looks, width: float, depth: float, height: float) -> None:
    top, leg = look.hard(), look.hard() if look.chance(0.5) else look.metal()
    thick = look.uniform(0.02, 0.05)
    round_top = look.chance(0.25)
    b.add(
        "cylinder" if round_top else "box",
        (0, depth / 2, height - thick / 2),
        (width, depth, thick),
        top,
    )
    if round_top:
        b.add("cylinder", (0, depth / 2, height / 2), (0.09, 0.09, height), leg)
        b.add("frustum", (0, depth / 2, 0.03), (0.5 * width, 0.5 * depth, 0.06), leg)
    else:
        _legs(b, width, depth, height - thick, leg, look.uniform(0.025, 0.08))
    if look.chance(0.3):
        cover = (
            (width * 0.6, depth * 0.7)
            if round_top
            else (width * look.uniform(0.3, 1), depth * 1.005)
        )
        b.box((0, depth / 2, height + 0.002), (*cover, 0.004), look.cloth())
    reach = 0.34 if round_top else 0.48
    area = (-reach * width, reach * width, depth * (0.5 - reach), depth * (0.5 + reach))
    scatter(b, look, area, height, int(look.rng.integers(3, 16)), (0.06, 0.32))


def desk(b: Builder, look: Looks, width: float, depth: float, height: float) -> None:
    top, body = look.hard(), look.hard()
    b.box((0, depth / 2, height - 0.015), (width, depth, 0.03), top)
    _legs(b, width, depth, height - 0.03, body, 0.05)
    drawers(b.at(width * 0.3, 0.02), look, width * 0.3, depth * 0.9, height - 0.04)
    for _ in range(int(look.rng.integers(1, 3))):
        at = b.at(look.uniform(-0.3, 0.3) * width, depth * 0.3, height, look.uniform(-0.3, 0.3))
        monitor(at, look, 0.5)
    area = (-width / 2, width / 2, depth * 0.5, depth)
    scatter(b, look, area, height, int(look.rng.integers(3, 12)), (0.06, 0.25))


def chair(b: Builder, look: Looks, width: float, depth: float, height: float) -> None:
    frame, seat = look.hard() if look.chance(0.6) else look.metal(), look.uniform(0.42, 0.5)
    cushion = look.cloth() if look.chance(0.5) else frame
    thick = look.uniform(0.02, 0.05)
    _legs(b, width, depth, seat, frame, thick)
    b.box((0, depth / 2, seat), (width, depth, look.uniform(0.02, 0.07)), cushion)
    style = int(look.rng.integers(3))
    for x in (-width / 2 + thick, width / 2 - thick):
        b.box((x, thick / 2, (seat + height) / 2), (thick, thick, height - seat), frame)
    if style == 0:
        b.box(
            (0, thick / 2, (seat + height) / 2 + 0.06),
            (width, 0.025, (height - seat) * 0.7),
            cushion,
        )
    elif style == 1:
        for z in np.linspace(seat + 0.1, height - 0.03, int(look.rng.integers(2, 5))):
            b.box((0, thick / 2, float(z)), (width - thick, 0.02, 0.05), frame)
    else:
        b.box((0, thick / 2, height), (width, 0.03, 0.06), frame)
        for x in np.linspace(-width / 2 + 0.06, width / 2 - 0.06, 5):
            b.add(
                "rod",
                (float(x), thick / 2, (seat + height) / 2),
                (0.015, 0.015, height - seat),
                frame,
            )


def sofa(b: Builder, look: Looks, width: float, depth: float, height: float) -> None:
    cloth, seats = look.cloth(), max(1, round(width / 0.7))
    arm = look.uniform(0.1, 0.22)
    b.box((0, depth / 2, 0.2), (width, depth, 0.3), cloth)
    b.box((0, 0.1, height / 2 + 0.05), (width, 0.2, height - 0.1), cloth)
    for x in (-width / 2 + arm / 2, width / 2 - arm / 2):
        b.box((x, depth / 2, 0.3), (arm, depth, 0.6), cloth)
        b.add("cylinder", (x, depth / 2, 0.6), (arm, arm, depth), cloth, rotation_x(np.pi / 2))
    inner = (width - 2 * arm) / seats
    for seat in range(seats):
        x = -width / 2 + arm + (seat + 0.5) * inner
        b.box((x, depth * 0.57, 0.4), (inner - 0.015, depth * 0.8, 0.14), cloth)
        b.box((x, 0.26, 0.62), (inner - 0.02, 0.15, 0.36), cloth)
        if look.chance(0.6):
            turn = b.at(x + look.uniform(-0.15, 0.15), 0.42, 0.62, look.uniform(-0.4, 0.4))
            turn.add("sphere", (0, 0, 0), (0.42, 0.2, 0.4), look.cloth(), rotation_x(-0.4))
    if look.chance(0.4):
        b.box(
            (look.uniform(-0.2, 0.2) * width, depth * 0.6, 0.48),
            (0.5, depth * 0.85, 0.02),
            look.cloth(),
        )


def bed(b: Builder, look: Looks, width: float, depth: float, height: float) -> None:
    frame, sheet, blanket = look.hard(), look.cloth(), look.cloth()
    b.box((0, depth / 2, 0.2), (width + 0.06, depth, 0.25), frame)
    b.box((0, 0.02, height / 2 + 0.1), (width + 0.08, 0.05, height + 0.2), frame)
    b.box((0, depth / 2 + 0.02, height * 0.75), (width, depth - 0.06, height * 0.45), sheet)
    b.box((0, depth * 0.65, height * 0.8), (width + 0.03, depth * 0.68, height * 0.5), blanket)
    for x in (-width / 4, width / 4):
        b.add("sphere", (x, 0.3, height + 0.06), (width * 0.42, 0.42, 0.2), look.cloth())
    scatter(b, look, (-width / 2, width / 2, 0.7, depth), height * 1.06, 3, (0.1, 0.35))


def floor_lamp(b: Builder, look: Looks, width: float, depth: float, height: float) -> None:
    metal, shade = look.metal(), look.cloth()
    b.add("cylinder", (0, depth / 2, 0.015), (0.3, 0.3, 0.03), metal)
    b.add("rod", (0, depth / 2, height / 2), (0.03, 0.03, height), metal)
    lit = shade._replace(glow=look.uniform(0, 2.5))
    b.add("frustum", (0, depth / 2, height), (width, width, width * 0.7), lit)


def radiator(b: Builder, look: Looks, width: float, depth: float, height: float) -> None:
    paint = look.glossy()
    for x in np.arange(-width / 2, width / 2, 0.06):
        b.box((float(x), depth / 2, height / 2 + 0.08), (0.04, depth, height - 0.1), paint)
    for z in (0.12, height - 0.02):
        b.box((0, depth / 2, z), (width, 0.03, 0.03), paint)


def rack(b: Builder, look: Looks, width: float, depth: float, height: float) -> None:
    """Thin rods with cloth hanging from them: clothes rails, towel stands, easels."""
    metal = look.metal()
    for x in (-width / 2, width / 2):
        b.add("rod", (x, depth / 2, height / 2), (0.03, 0.03, height), metal)
        b.box((x, depth / 2, 0.02), (0.04, depth, 0.04), metal)
    b.box((0, depth / 2, height), (width, 0.025, 0.025), metal)
    for _ in range(int(look.rng.integers(2, 9))):
        x, long = look.uniform(-0.45, 0.45) * width, look.uniform(0.4, 0.9) * height
        turn = b.at(x, depth / 2, height - long / 2 - 0.03, look.uniform(0.9, 2.2))
        turn.box((0, 0, 0), (look.uniform(0.25, 0.5), look.uniform(0.01, 0.05), long), look.cloth())


def partition(b: Builder, look: Looks, width: float, depth: float, height: float) -> None:
    wall = look.wall() if look.chance(0.6) else look.hard()
    b.box((0, depth / 2, height / 2), (width, depth, height), wall)
    if look.chance(0.6):
        b.box(
            (0, depth + 0.005, height * 0.65),
            (width * 0.6, 0.01, height * 0.3),
            look.picture("poster"),
        )


def sculpture(b: Builder, look: Looks, width: float, depth: float, height: float) -> None:
    b.box((0, depth / 2, height * 0.25), (width * 0.7, depth * 0.7, height * 0.5), look.hard())
    for _ in range(int(look.rng.integers(2, 7))):
        dx, dy = (look.rng.uniform(-0.15, 0.15, 2) * width).tolist()
        at = b.at(dx, depth / 2 + dy, height * look.uniform(0.5, 0.7), look.uniform(0, 6))
        primitive(at, look, width * look.uniform(0.3, 0.8))


@dataclass(frozen=True)
class Kind:
    """How often and how large a maker is used, and where it stands: against a wall, in the middle
    of the room, or both. What stands in the middle only is put against a wall now and then."""

    make: Maker
    odds: float
    width: tuple[float, float]
    depth: tuple[float, float]
    height: tuple[float, float]
    wall: bool = True
    middle: bool = False


KINDS: tuple[Kind, ...] = (
    Kind(table, 3.0, (0.6, 1.8), (0.5, 1.0), (0.35, 0.85), wall=False, middle=True),
    Kind(desk, 2.0, (1.1, 1.8), (0.6, 0.8), (0.7, 0.78)),
    Kind(cabinet, 2.0, (0.5, 1.8), (0.35, 0.6), (0.5, 1.3)),
    Kind(drawers, 0.8, (0.7, 2.2), (0.5, 0.65), (1.8, 2.3)),
    Kind(shelf, 3.0, (0.5, 1.8), (0.22, 0.4), (0.7, 2.2)),
    Kind(chair, 3.0, (0.4, 0.5), (0.4, 0.5), (0.8, 1.1), wall=False, middle=True),
    Kind(sofa, 1.6, (0.9, 2.4), (0.8, 1.0), (0.7, 0.9), middle=True),
    Kind(bed, 1.0, (0.9, 1.8), (1.9, 2.1), (0.4, 0.6)),
    Kind(kitchen, 1.3, (1.5, 3.0), (0.55, 0.65), (0.85, 0.95)),
    Kind(floor_lamp, 1.0, (0.3, 0.5), (0.3, 0.5), (1.2, 1.7)),
    Kind(radiator, 0.6, (0.6, 1.5), (0.08, 0.15), (0.5, 0.8)),
    Kind(rack, 0.8, (0.6, 1.4), (0.4, 0.5), (1.2, 1.7)),
    Kind(partition, 0.6, (0.4, 1.6), (0.1, 0.4), (1.0, 2.6), middle=True),
    Kind(appliance, 1.2, (0.55, 0.7), (0.55, 0.65), (0.85, 1.9)),
    Kind(sculpture, 0.7, (0.3, 0.7), (0.3, 0.7), (0.6, 1.5), wall=False, middle=True),
)
