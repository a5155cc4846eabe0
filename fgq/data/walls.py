"""The shell of a room and what is on its walls: doors, windows, pictures, shelves.

A wall's axes: x along it, y into the room, origin at the middle of its foot.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fgq.data.clutter import scatter
from fgq.data.looks import Looks
from fgq.data.shapes import Builder, Floats


@dataclass(frozen=True)
class Sun:
    """Light through one window. direction [3] points to the sun; the window is the rectangle
    `center` +- half[0] * right +- half[1] * up, with `panes` columns and rows between bars."""

    direction: Floats
    color: Floats
    center: Floats
    normal: Floats
    right: Floats
    half: tuple[float, float]
    panes: tuple[int, int]


def shell(b: Builder, look: Looks, width: float, depth: float, height: float) -> None:
    b.box((width / 2, depth / 2, -0.05), (width + 0.2, depth + 0.2, 0.1), look.floor())
    b.box((width / 2, depth / 2, height + 0.05), (width + 0.2, depth + 0.2, 0.1), look.ceiling())
    main, trim = look.wall(), look.surface("plain", toned=0.5)
    dado = look.uniform(0.8, 1.3) if look.chance(0.25) else 0.0
    lower = look.wall()
    skirting = look.uniform(0.06, 0.15) if look.chance(0.8) else 0.0
    cornice = look.chance(0.3)
    for wall in range(4):
        length = width if wall % 2 == 0 else depth
        at = wall_frame(b, wall, width, depth)
        material = main if look.chance(0.75) else look.wall()
        at.box((0, -0.05, height / 2), (length, 0.1, height), material)
        if dado:
            at.box((0, 0.004, dado / 2), (length, 0.008, dado), lower)
            at.box((0, 0.012, dado), (length, 0.024, 0.05), trim)
        if skirting:
            at.box((0, 0.008, skirting / 2), (length, 0.016, skirting), trim)
        if cornice:
            at.box((0, 0.03, height - 0.04), (length, 0.06, 0.08), trim)
    if look.chance(0.15):
        beam = look.hard()
        for y in np.arange(0.5, depth, look.uniform(0.7, 1.3)):
            b.box((width / 2, float(y), height - 0.09), (width, 0.12, 0.18), beam)
    if look.chance(0.4):
        at = b.at(
            look.uniform(0.3, 0.7) * width,
            look.uniform(0.3, 0.7) * depth,
            0,
            look.uniform(-0.3, 0.3),
        )
        rug = look.surface(look.pick(("plaid", "fabric", "carpet", "clouds", "terrazzo")), 0.8)
        rug = look.picture("abstract") if look.chance(0.4) else rug
        at.box((0, 0, 0.006), (look.uniform(0.8, 2.2), look.uniform(0.8, 2.2), 0.012), rug)


def decorate_wall(
    at: Builder, look: Looks, length: float, height: float, spans: list[tuple[float, float, float]]
) -> list[Sun]:
    """Door, window with curtains, pictures, small shelves: whatever fits above the furniture."""
    suns: list[Sun] = []
    x = -length / 2 + look.uniform(0.05, 0.5)
    while x < length / 2 - 0.35:
        width = look.uniform(0.25, 1.7)
        if x + width > length / 2 - 0.05:
            break
        foot = max((h for x0, x1, h in spans if x0 < x + width and x1 > x), default=0.0)
        middle, choice = x + width / 2, look.rng.random()
        if foot == 0.0 and 0.7 < width < 1.1 and choice < 0.6:
            _door(at.at(middle, 0), look, width, min(2.05, height - 0.15))
        elif foot < 1.2 and width > 0.6 and choice < 0.45:
            suns.append(_window(at, look, middle, width, max(foot + 0.1, 0.85), height))
        elif foot < height - 0.6:
            _hangings(at, look, middle, width, foot, height)
        x += width + look.uniform(0.03, 0.5)
    return suns


def _door(at: Builder, look: Looks, width: float, height: float) -> None:
    frame, leaf = look.surface("plain", toned=0.5), look.hard()
    at.box((0, 0.015, height / 2), (width, 0.03, height), leaf)
    for x in (-width / 2, width / 2):
        at.box((x, 0.03, height / 2), (0.07, 0.06, height), frame)
    at.box((0, 0.03, height), (width + 0.07, 0.06, 0.07), frame)
    panel = leaf if look.chance(0.7) else look.hard()
    rows = int(look.rng.integers(0, 4))
    for row in range(rows):
        for x in (-width * 0.21, width * 0.21):
            z, tall = (row + 0.5) * height / rows, height / rows - 0.14
            at.box((x, 0.033, z), (width * 0.3, 0.012, tall), panel)
    at.add("rod", (width * 0.4, 0.06, 1.0), (0.05, 0.05, 0.08), look.metal())
    at.box((width * 0.36, 0.08, 1.0), (0.12, 0.02, 0.02), look.metal())


def _window(at: Builder, look: Looks, x: float, width: float, low: float, height: float) -> Sun:
    top = height - look.uniform(0.2, 0.5)
    tall, middle = max(top - low, 0.4), (low + top) / 2
    frame = look.surface("plain", toned=0.5)
    view = look.picture("landscape", look.uniform(1.0, 4.0))
    at.box((x, 0.005, middle), (width, 0.01, tall), view._replace(specular=0.0))
    panes = int(look.rng.integers(1, 4)), int(look.rng.integers(1, 4))
    for edge in (-1, 1):
        at.box((x + edge * width / 2, 0.03, middle), (0.06, 0.06, tall + 0.06), frame)
        at.box((x, 0.03, middle + edge * tall / 2), (width, 0.06, 0.06), frame)
    for column in range(1, panes[0]):
        at.box((x + (column / panes[0] - 0.5) * width, 0.02, middle), (0.035, 0.04, tall), frame)
    for row in range(1, panes[1]):
        at.box((x, 0.02, middle + (row / panes[1] - 0.5) * tall), (width, 0.04, 0.035), frame)
    if look.chance(0.6):
        at.box((x, 0.09, low - 0.04), (width + 0.15, 0.18, 0.03), frame)
        scatter(at, look, (x - width / 2, x + width / 2, 0.02, 0.17), low - 0.025, 4, (0.08, 0.3))
    if look.chance(0.5):
        cloth, end = look.cloth(), look.uniform(0.15, 0.9) * low
        for side in (-1, 1):
            for fold in range(int(look.rng.integers(3, 8))):
                at.add(
                    "rod",
                    (x + side * (width / 2 + 0.08 - 0.06 * fold), 0.1, (top + 0.1 + end) / 2),
                    (0.08, 0.06, top + 0.1 - end),
                    cloth,
                )
        at.box((x, 0.1, top + 0.12), (width + 0.5, 0.025, 0.025), look.metal())
    slant = np.array([look.uniform(-1, 1), -1.0, look.uniform(0.4, 1.6)])
    power = look.uniform(1.5, 6) * np.array([1, look.uniform(0.85, 0.97), look.uniform(0.65, 0.9)])
    return Sun(
        direction=(at.rotation @ (slant / np.linalg.norm(slant))).astype(np.float32),
        color=power.astype(np.float32),
        center=at.origin + at.rotation @ np.array([x, 0.01, middle], np.float32),
        normal=at.rotation[:, 1],
        right=at.rotation[:, 0],
        half=(width / 2, tall / 2),
        panes=panes,
    )


def _hangings(at: Builder, look: Looks, x: float, width: float, foot: float, height: float) -> None:
    low = max(foot + 0.1, look.uniform(0.9, 1.4))
    room = height - 0.1 - low
    if room < 0.25:
        return
    kind = look.rng.random()
    if kind < 0.6:
        columns = max(1, int(width / look.uniform(0.25, 0.9)))
        for column in range(columns):
            w = width / columns * look.uniform(0.5, 0.92)
            h = min(w * look.uniform(0.6, 1.6), room)
            z = low + look.uniform(0.4, 0.6) * (room - h) + h / 2
            center = x + ((column + 0.5) / columns - 0.5) * width
            picture = look.picture(look.pick(("poster", "landscape", "abstract", "page", "cover")))
            if look.chance(0.7):
                at.box((center, 0.012, z), (w + 0.05, 0.024, h + 0.05), look.hard())
                at.box((center, 0.022, z), (w, 0.008, h), picture)
            else:
                at.box((center, 0.002, z), (w, 0.004, h), picture._replace(specular=0.0))
    elif kind < 0.85:
        board, deep = look.hard(), look.uniform(0.15, 0.28)
        for z in np.arange(low, height - 0.4, look.uniform(0.3, 0.5)):
            at.box((x, deep / 2, float(z)), (width, deep, 0.025), board)
            area = (x - width / 2, x + width / 2, 0, deep)
            scatter(at, look, area, float(z) + 0.0125, int(look.rng.integers(2, 9)), (0.07, 0.27))
    else:
        size = min(width, room, 0.5)
        turned = np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0]], np.float32)
        at.add(
            "cylinder",
            (x, 0.02, low + size / 2),
            (size, size, 0.04),
            look.picture("abstract"),
            turned,
        )
        at.add("ring", (x, 0.03, low + size / 2), (size, size, 0.05), look.hard(), turned)


def wall_frame(b: Builder, wall: int, width: float, depth: float) -> Builder:
    """Axes of a wall: x along it, y into the room, origin at the middle of its foot."""
    x = (width / 2, width, width / 2, 0.0)[wall]
    y = (0.0, depth / 2, depth, depth / 2)[wall]
    return b.at(x, y, 0, (0, 0.5, 1, -0.5)[wall] * np.pi)
