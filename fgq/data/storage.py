"""Furniture that holds things: drawers, cabinets, shelves, kitchens, appliances.

Makers are as in furniture.py.
"""

from __future__ import annotations

import numpy as np

from fgq.data.clutter import scatter
from fgq.data.looks import Looks
from fgq.data.shapes import Builder, rotation_x


def drawers(b: Builder, look: Looks, width: float, depth: float, height: float) -> None:
    body, front, knob = look.hard(), look.hard(), look.metal()
    front = body if look.chance(0.5) else front
    b.box((0, depth / 2, height / 2), (width, depth, height), body)
    rows, columns = max(1, round(height / look.uniform(0.18, 0.45))), max(1, round(width / 0.6))
    for row in range(rows):
        for column in range(columns):
            w, h = width / columns, height / rows
            x, z = -width / 2 + (column + 0.5) * w, (row + 0.5) * h
            b.box((x, depth + 0.008, z), (w - 0.02, 0.018, h - 0.02), front)
            b.box((x, depth + 0.03, z + 0.25 * h), (min(0.14, w * 0.4), 0.02, 0.015), knob)


def cabinet(b: Builder, look: Looks, width: float, depth: float, height: float) -> None:
    drawers(b, look, width, depth, height)
    count = int(look.rng.integers(2, 12))
    scatter(b, look, (-width / 2, width / 2, 0.0, depth), height, count, (0.08, 0.4))


def shelf(b: Builder, look: Looks, width: float, depth: float, height: float) -> None:
    board = look.hard()
    for x in (-width / 2, width / 2):
        b.box((x, depth / 2, height / 2), (0.02, depth, height), board)
    if look.chance(0.7):
        b.box(
            (0, 0.006, height / 2),
            (width, 0.012, height),
            board if look.chance(0.6) else look.hard(),
        )
    rows = max(2, round(height / look.uniform(0.28, 0.42)))
    gap = height / rows
    for row in range(rows + 1):
        b.box((0, depth / 2, min(row * gap + 0.01, height)), (width, depth, 0.02), board)
    for row in range(rows):
        z = row * gap + 0.02
        if look.chance(0.6):
            _books(b, look, (-width / 2 + 0.02, width / 2 - 0.02), depth, z, gap - 0.05)
        else:
            area = (-width / 2, width / 2, 0.02, depth)
            scatter(b, look, area, z, int(look.rng.integers(1, 7)), (0.07, gap * 0.8))
    scatter(b, look, (-width / 2, width / 2, 0, depth), height + 0.01, 3, (0.1, 0.35))


def _books(
    b: Builder, look: Looks, x: tuple[float, float], depth: float, z: float, room: float
) -> None:
    at = x[0]
    end = x[1] if look.chance(0.6) else look.uniform(*x)
    while at < end - 0.06:
        thick, tall = look.uniform(0.015, 0.06), room * look.uniform(0.6, 1)
        deep = depth * look.uniform(0.6, 0.9)
        cover = look.picture("spine") if look.chance(0.7) else look.any()
        b.box((at + thick / 2, 0.02 + deep / 2, z + tall / 2), (thick, deep, tall), cover)
        at += thick + 0.002
        if look.chance(0.06):
            at += look.uniform(0.03, 0.2)


def kitchen(b: Builder, look: Looks, width: float, depth: float, height: float) -> None:
    drawers(b, look, width, depth, height - 0.04)
    b.box((0, depth / 2 + 0.015, height - 0.02), (width, depth + 0.03, 0.04), look.hard())
    b.box(
        (0, 0.005, height + 0.3), (width, 0.01, 0.6), look.surface("tiles", look.uniform(0.8, 2.5))
    )
    x = look.uniform(-0.3, 0.3) * width
    b.box((x, depth / 2, height + 0.002), (0.55, depth * 0.85, 0.006), look.glossy())
    for dx in (-0.13, 0.13):
        for dy in (0.3, 0.7):
            b.add(
                "cylinder", (x + dx, depth * dy, height + 0.006), (0.17, 0.17, 0.008), look.metal()
            )
    b.box((x, depth + 0.012, height * 0.45), (0.55, 0.02, 0.5), look.picture("screen"))
    upper = b.at(0, 0, height + 0.6)
    drawers(upper, look, width * look.uniform(0.5, 1), 0.33, look.uniform(0.5, 0.75))
    scatter(
        b,
        look,
        (-width / 2, width / 2, 0.05, depth),
        height,
        int(look.rng.integers(5, 14)),
        (0.08, 0.35),
    )


def appliance(b: Builder, look: Looks, width: float, depth: float, height: float) -> None:
    """A fridge or washing machine with magnets, notes or a round door."""
    paint = look.glossy()
    b.box((0, depth / 2, height / 2), (width, depth, height), paint)
    if height < 1.1:
        b.add(
            "cylinder",
            (0, depth, height * 0.45),
            (0.4, 0.4, 0.05),
            look.metal(),
            rotation_x(np.pi / 2),
        )
        b.add(
            "cylinder",
            (0, depth + 0.01, height * 0.45),
            (0.3, 0.3, 0.06),
            look.glossy(),
            rotation_x(np.pi / 2),
        )
        b.box((0, depth + 0.005, height * 0.9), (width * 0.9, 0.012, 0.1), look.picture("keys"))
    else:
        b.box((0, depth + 0.003, height * 0.63), (width, 0.01, 0.012), look.metal())
        b.box((width * 0.38, depth + 0.03, height * 0.75), (0.02, 0.03, 0.35), look.metal())
        for _ in range(int(look.rng.integers(0, 9))):
            x, z = look.uniform(-0.4, 0.3) * width, look.uniform(0.3, 0.92) * height
            side = look.uniform(0.05, 0.22)
            kind = look.pick(("page", "poster", "landscape", "cover"))
            b.box((x, depth + 0.002, z), (side, 0.006, side * 1.3), look.picture(kind))
    scatter(b, look, (-width / 2, width / 2, 0, depth), height, 4, (0.1, 0.4))
