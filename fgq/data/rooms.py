"""Rooms: walls with doors, windows and pictures, furniture, clutter and lights."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from fgq.data.clutter import LARGE, scatter
from fgq.data.furniture import KINDS, Kind
from fgq.data.looks import Looks
from fgq.data.shapes import Builder, Floats, Mesh, join
from fgq.data.textures import texture_bank

Rect = tuple[float, float, float, float]  # x0, x1, y0, y1


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
    _shell(b, look, width, depth, height)
    occupied: list[Rect] = []
    targets: list[tuple[float, float, float, float]] = []
    suns = []
    for wall in range(4):
        length = width if wall % 2 == 0 else depth
        at = _wall_frame(b, wall, width, depth)
        spans = _furnish_wall(at, look, wall, length, (width, depth), occupied, targets)
        suns += _decorate_wall(at, look, length, height, spans)
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


def _wall_frame(b: Builder, wall: int, width: float, depth: float) -> Builder:
    """Axes of a wall: x along it, y into the room, origin at the middle of its foot."""
    x = (width / 2, width, width / 2, 0.0)[wall]
    y = (0.0, depth / 2, depth, depth / 2)[wall]
    return b.at(x, y, 0, (0, 0.5, 1, -0.5)[wall] * np.pi)


def _shell(b: Builder, look: Looks, width: float, depth: float, height: float) -> None:
    b.box((width / 2, depth / 2, -0.05), (width + 0.2, depth + 0.2, 0.1), look.floor())
    b.box((width / 2, depth / 2, height + 0.05), (width + 0.2, depth + 0.2, 0.1), look.ceiling())
    main, trim = look.wall(), look.surface("plain", toned=0.5)
    dado = look.uniform(0.8, 1.3) if look.chance(0.25) else 0.0
    lower = look.wall()
    skirting = look.uniform(0.06, 0.15) if look.chance(0.8) else 0.0
    cornice = look.chance(0.3)
    for wall in range(4):
        length = width if wall % 2 == 0 else depth
        at = _wall_frame(b, wall, width, depth)
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
        rug = look.surface(
            str(look.rng.choice(("plaid", "fabric", "carpet", "clouds", "terrazzo"))), 0.8
        )
        rug = look.picture("abstract") if look.chance(0.4) else rug
        at.box((0, 0, 0.006), (look.uniform(0.8, 2.2), look.uniform(0.8, 2.2), 0.012), rug)


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
    odds = np.array([kind.odds for kind in kinds])
    return kinds[int(look.rng.choice(len(kinds), p=odds / odds.sum()))]


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
        kind = _draw_kind(
            look, [k for k in KINDS if not k.wall or k.make.__name__ in ("sofa", "partition")]
        )
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


def _decorate_wall(
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
    at.box((x, 0.005, middle), (width, 0.01, tall), replace(view, specular=0.0))
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
            picture = look.picture(
                str(look.rng.choice(("poster", "landscape", "abstract", "page", "cover")))
            )
            if look.chance(0.7):
                at.box((center, 0.012, z), (w + 0.05, 0.024, h + 0.05), look.hard())
                at.box((center, 0.022, z), (w, 0.008, h), picture)
            else:
                at.box((center, 0.002, z), (w, 0.004, h), replace(picture, specular=0.0))
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


def _lights(
    b: Builder, look: Looks, width: float, depth: float, height: float
) -> tuple[Floats, NDArray[np.float32]]:
    """One to three lamps under the ceiling or lower in the room, with visible bodies."""
    positions, colors = [], []
    for index in range(int(look.rng.integers(1, 4))):
        x, y = look.uniform(0.2, 0.8) * width, look.uniform(0.2, 0.8) * depth
        drop = 0.1 if look.chance(0.5) else look.uniform(0.3, 0.8)
        body = replace(look.surface("plain"), glow=look.uniform(1.5, 6))
        size = look.uniform(0.15, 0.5)
        shape = str(look.rng.choice(("cylinder", "sphere", "frustum", "box")))
        b.add(shape, (x, y, height - drop), (size, size, 0.12), body)
        if drop > 0.2:
            b.add("rod", (x, y, height - drop / 2), (0.012, 0.012, drop), look.metal())
        positions.append((x, y, height - drop - 0.09))
        kelvin = look.uniform(-1, 1)
        tint = np.array([1 + 0.15 * kelvin, 1, 1 - 0.3 * kelvin])
        colors.append(tint * np.exp(look.uniform(-0.7, 0.7)) * (1.0 if index == 0 else 0.5))
    return np.array(positions, np.float32), np.array(colors, np.float32)
