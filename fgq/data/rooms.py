"""Rooms: walls with doors, windows and pictures, furniture, clutter and lights."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fgq.data.clutter import LARGE, scatter
from fgq.data.furniture import KINDS, Kind
from fgq.data.looks import Looks
from fgq.data.shapes import Builder, Floats, Mesh, join
from fgq.data.textures import texture_bank
from fgq.data.walls import Sun, decorate_wall, shell, wall_frame

Rect = tuple[float, float, float, float]  # x0, x1, y0, y1


@dataclass(frozen=True)
class Room:
    """size: width, depth, height in metres; the room fills [0, size]. lights: positions [L, 3]
    and colours [L, 3]; ambient: colours [2, 3] from below and from above. targets [M, 3]: points
    worth looking at, and for each the distance scale [M] from which to look."""

    mesh: Mesh
    size: Floats
    light_positions: Floats
    light_colors: Floats
    ambient: Floats
    sun: Sun | None
    targets: Floats
    target_scales: Floats


def build_room(rng: np.random.Generator) -> Room:
    look, b = Looks(rng, texture_bank()), Builder()
    width, depth = rng.uniform(2.5, 6.5), rng.uniform(2.8, 8.0)
    height = rng.uniform(2.3, 3.2)
    shell(b, look, width, depth, height)
    occupied: list[Rect] = []
    targets: list[tuple[float, float, float, float]] = []
    suns = []
    for wall in range(4):
        length = width if wall % 2 == 0 else depth
        at = wall_frame(b, wall, width, depth)
        spans = _furnish_wall(at, look, wall, length, (width, depth), occupied, targets)
        suns += decorate_wall(at, look, length, height, spans)
    _furnish_middle(b, look, width, depth, occupied, targets)
    scatter(
        b,
        look,
        (0.1, width - 0.1, 0.1, depth - 0.1),
        0,
        int(rng.integers(4, 22)),
        (0.08, 0.6),
        LARGE,
    )
    lights, colors = _lights(b, look, width, depth, height)
    warm = np.array([1, look.uniform(0.85, 1), look.uniform(0.7, 1.05)])
    level = float(np.exp(look.uniform(np.log(0.12), np.log(0.7))))
    ambient = np.stack([warm * level * 0.6, warm * level]).astype(np.float32)
    sun = suns[int(rng.integers(len(suns)))] if suns and look.chance(0.6) else None
    goals = np.array(targets or [(width / 2, depth / 2, 0.8, 1.0)], np.float32)
    size = np.array([width, depth, height], np.float32)
    return Room(join(b), size, lights, colors, ambient, sun, goals[:, :3], goals[:, 3])


def _room_rect(wall: int, x: float, width: float, depth: float, size: tuple[float, float]) -> Rect:
    """Floor rectangle of a thing of `width` by `depth` that stands at x along a wall."""
    half, (w, d) = width / 2, size
    if wall == 0:
        return w / 2 + x - half, w / 2 + x + half, 0, depth
    if wall == 1:
        return w - depth, w, d / 2 + x - half, d / 2 + x + half
    if wall == 2:
        return w / 2 - x - half, w / 2 - x + half, d - depth, d
    return 0, depth, d / 2 - x - half, d / 2 - x + half


def _free(rect: Rect, occupied: list[Rect], margin: float = 0.03) -> bool:
    return not any(
        rect[0] < o[1] + margin
        and rect[1] > o[0] - margin
        and rect[2] < o[3] + margin
        and rect[3] > o[2] - margin
        for o in occupied
    )


def _draw_kind(look: Looks, kinds: list[Kind]) -> Kind:
    total = sum(kind.odds for kind in kinds)
    return look.pick(kinds, [kind.odds / total for kind in kinds])


def _furnish_wall(
    at: Builder,
    look: Looks,
    wall: int,
    length: float,
    size: tuple[float, float],
    occupied: list[Rect],
    targets: list[tuple[float, float, float, float]],
) -> list[tuple[float, float, float]]:
    """Fills a wall with furniture; returns (x0, x1, height) of what stands there."""
    spans, x = [], -length / 2 + look.uniform(0, 0.6)
    fill = look.uniform(0.45, 1)
    while x < length / 2 - 0.4:
        kind = _draw_kind(look, [k for k in KINDS if k.wall or look.chance(0.25)])
        width, depth, height = (look.uniform(*r) for r in (kind.width, kind.depth, kind.height))
        if x + width > length / 2:
            break
        rect = _room_rect(wall, x + width / 2, width, depth, size)
        small_enough = depth < 0.35 * min(size) and width < 0.8 * length
        if small_enough and look.chance(fill) and _free(rect, occupied):
            occupied.append(rect)
            place = at.at(x + width / 2, 0.03)
            kind.make(place, look, width, depth, height)
            middle = place.origin + place.rotation @ np.array([0, depth / 2, 0], np.float32)
            targets.append(
                (float(middle[0]), float(middle[1]), min(height, 1.6), max(width, height))
            )
            spans.append((x, x + width, height))
        x += width + look.uniform(0.02, 0.7)
    return spans


def _furnish_middle(
    b: Builder,
    look: Looks,
    width: float,
    depth: float,
    occupied: list[Rect],
    targets: list[tuple[float, float, float, float]],
) -> None:
    for _ in range(int(look.rng.integers(1, 3 + int(width * depth / 5)))):
        kind = _draw_kind(look, [k for k in KINDS if k.middle])
        w, d, h = (look.uniform(*r) for r in (kind.width, kind.depth, kind.height))
        yaw = (
            look.uniform(0, 2 * np.pi)
            if look.chance(0.6)
            else int(look.rng.integers(4)) * np.pi / 2
        )
        reach = np.hypot(w, d) / 2
        if 2 * reach + 0.2 > min(width, depth):
            continue
        x, y = look.uniform(reach, width - reach), look.uniform(reach, depth - reach)
        rect = (x - reach, x + reach, y - reach, y + reach)
        if not _free(rect, occupied, 0.0):
            continue
        occupied.append(rect)
        place = b.at(x, y, 0, yaw)
        kind.make(place.at(0, -d / 2), look, w, d, h)
        targets.append((x, y, h, max(w, h)))


def _lights(
    b: Builder, look: Looks, width: float, depth: float, height: float
) -> tuple[Floats, NDArray[np.float32]]:
    """One to three lamps under the ceiling or lower in the room, with visible bodies."""
    positions, colors = [], []
    for index in range(int(look.rng.integers(1, 4))):
        x, y = look.uniform(0.2, 0.8) * width, look.uniform(0.2, 0.8) * depth
        drop = 0.1 if look.chance(0.5) else look.uniform(0.3, 0.8)
        body = look.surface("plain")._replace(glow=look.uniform(1.5, 6))
        size = look.uniform(0.15, 0.5)
        shape = look.pick(("cylinder", "sphere", "frustum", "box"))
        b.add(shape, (x, y, height - drop), (size, size, 0.12), body)
        if drop > 0.2:
            b.add("rod", (x, y, height - drop / 2), (0.012, 0.012, drop), look.metal())
        positions.append((x, y, height - drop - 0.09))
        kelvin = look.uniform(-1, 1)
        tint = np.array([1 + 0.15 * kelvin, 1, 1 - 0.3 * kelvin])
        colors.append(tint * np.exp(look.uniform(-0.7, 0.7)) * (1.0 if index == 0 else 0.5))
    return np.array(positions, np.float32), np.array(colors, np.float32)
