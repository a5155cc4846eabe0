"""Procedural textures and the mip-mapped atlas that the renderer samples.

A texture is an image [N, N, 3] with display-encoded values in [0, 1]. Surface textures tile;
pictures (posters, pages, screens, covers) are meant to be shown once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.floating[Any]]
Rng = np.random.Generator

TEXTURE_SIZE = 256
LEVELS = 8  # 256 down to 2 texels
BANK_SEED = 20_240_117


def random_color(
    rng: Rng, saturation: float = 0.5, value: tuple[float, float] = (0.15, 1)
) -> Image:
    """An RGB colour [3]; `saturation` is the mean of its HSV saturation, `value` its range."""
    hue = rng.uniform(0, 6) if rng.random() < 0.5 else rng.normal(0.6, 0.5) % 6
    sat = 0.85 * rng.beta(2 * saturation + 0.2, 2 * (1 - saturation) + 0.2)
    ramp = np.clip(np.abs((hue + np.array([0, 4, 2])) % 6 - 3) - 1, 0, 1)
    return (rng.uniform(*value) * (1 - sat * (1 - ramp))).astype(np.float32)


def noise(rng: Rng, cells: tuple[int, int] = (4, 4), octaves: int = 5, gain: float = 0.5) -> Image:
    """Tiling octave noise [N, N], zero mean and unit deviation; `cells` is rows, columns."""
    n = TEXTURE_SIZE
    total = np.zeros((n, n), np.float32)
    for octave in range(octaves):
        rows, columns = min(cells[0] << octave, n), min(cells[1] << octave, n)
        grid = np.pad(rng.standard_normal((rows, columns), np.float32), 2, mode="wrap")
        step_y, step_x = n // rows, n // columns
        fine = cv2.resize(grid, None, fx=step_x, fy=step_y, interpolation=cv2.INTER_CUBIC)
        total += gain**octave * fine[2 * step_y : 2 * step_y + n, 2 * step_x : 2 * step_x + n]
    return (total - total.mean()) / (total.std() + 1e-6)


def _grid() -> tuple[Image, Image]:
    axis = (np.arange(TEXTURE_SIZE, dtype=np.float32) + 0.5) / TEXTURE_SIZE
    y, x = np.meshgrid(axis, axis, indexing="ij")
    return x, y


def _mix(a: Image, b: Image, weight: Image) -> Image:
    weight = np.clip(weight, 0, 1)[..., None]
    return a * (1 - weight) + b * weight


def _shade(color: Image, variation: Image) -> Image:
    return color * (1 + variation)[..., None]


def _ramp(rng: Rng, values: Image, colors: int = 3, saturation: float = 0.5) -> Image:
    """Maps values [N, N] in [0, 1] to a random colour ramp."""
    stops = np.stack([random_color(rng, saturation) for _ in range(colors)])
    at = np.clip(values, 0, 1) * (colors - 1)
    low = np.minimum(at.astype(np.int32), colors - 2)
    fraction = (at - low)[..., None]
    return stops[low] * (1 - fraction) + stops[low + 1] * fraction


# --- surfaces -------------------------------------------------------------------------------


def plain(rng: Rng) -> Image:
    color = random_color(rng, 0.25, (0.4, 0.95))
    return _shade(
        color, 0.03 * noise(rng, (2, 2), 3) + rng.uniform(0.005, 0.04) * noise(rng, (64, 64), 2)
    )


def plaster(rng: Rng) -> Image:
    color = random_color(rng, 0.2, (0.5, 0.95))
    cells = int(rng.choice([16, 32, 64]))
    return _shade(color, rng.uniform(0.03, 0.12) * noise(rng, (cells, cells), 3, 0.7))


def clouds(rng: Rng) -> Image:
    cells = int(rng.choice([2, 4, 8]))
    return _ramp(rng, 0.5 + 0.25 * noise(rng, (cells, cells), 6, rng.uniform(0.4, 0.75)))


def carpet(rng: Rng) -> Image:
    color = random_color(rng, 0.35, (0.2, 0.8))
    grain = noise(rng, (128, 128), 2, 1.0)
    return _shade(color, rng.uniform(0.1, 0.3) * grain + 0.1 * noise(rng, (4, 4), 4))


def concrete(rng: Rng) -> Image:
    base = _shade(random_color(rng, 0.08, (0.4, 0.8)), 0.1 * noise(rng, (4, 4), 7, 0.65))
    pits = noise(rng, (64, 64), 2) > rng.uniform(1.8, 2.6)
    return base * (1 - 0.4 * pits[..., None])


def wood(rng: Rng) -> Image:
    x, _ = _grid()
    tone = rng.uniform(0.35, 0.95) * np.array([1, rng.uniform(0.6, 0.85), rng.uniform(0.35, 0.65)])
    light = tone.astype(np.float32)
    rings = np.sin(
        2 * np.pi * (rng.integers(3, 12) * x + rng.uniform(0.2, 1) * noise(rng, (1, 4), 4))
    )
    fibre = noise(rng, (2, 64), 3, 0.7)
    return _shade(light, rng.uniform(0.05, 0.2) * rings + rng.uniform(0.04, 0.15) * fibre)


def planks(rng: Rng) -> Image:
    base, (x, y) = wood(rng), _grid()
    count = int(rng.choice([3, 4, 6, 8]))
    column = (x * count).astype(np.int32)
    start = rng.random(count)[column].astype(np.float32)
    row = ((y + start) * rng.choice([1, 2]) % 1 * 2).astype(np.int32)
    tone = (0.15 * rng.standard_normal((count, 2)))[column, row].astype(np.float32)
    gap = np.minimum(x * count % 1, 1 - x * count % 1) < 0.02 * count / 4
    gap |= np.abs((y + start) * 2 % 1 - 0.5) > 0.495
    return _shade(base, tone) * (1 - 0.6 * gap[..., None])


def marble(rng: Rng) -> Image:
    x, y = _grid()
    phase = rng.integers(1, 4) * x + rng.integers(0, 4) * y
    veins = np.abs(np.sin(np.pi * 2 * phase + rng.uniform(0.8, 2) * noise(rng, (2, 2), 6, 0.55)))
    return _mix(
        random_color(rng, 0.2), random_color(rng, 0.2, (0.5, 1)), veins ** rng.uniform(0.2, 0.8)
    )


def checks(rng: Rng) -> Image:
    x, y = _grid()
    k = int(rng.choice([4, 8, 12]))
    odd = ((x * k).astype(np.int32) + (y * k).astype(np.int32)) % 2
    base = _mix(random_color(rng), random_color(rng), odd.astype(np.float32))
    return _shade(base, 0.06 * noise(rng, (8, 8), 5))


def stripes(rng: Rng) -> Image:
    count = int(rng.integers(6, 30))
    edges = np.sort(rng.random(count))
    colors = np.stack([random_color(rng) for _ in range(int(rng.integers(2, 5)))])
    picks = colors[rng.integers(0, len(colors), count + 1)]
    x, _ = _grid()
    image = picks[np.searchsorted(edges, x[0])][None].repeat(TEXTURE_SIZE, 0)
    image = image if rng.random() < 0.5 else image.transpose(1, 0, 2)
    return _shade(image, 0.05 * noise(rng, (32, 32), 3))


def plaid(rng: Rng) -> Image:
    return 0.5 * (stripes(rng) + stripes(rng).transpose(1, 0, 2))


def brick(rng: Rng) -> Image:
    x, y = _grid()
    rows = int(rng.choice([8, 12, 16]))
    columns = rows // 2 if rng.random() < 0.7 else rows // 4
    row = (y * rows).astype(np.int32)
    across = (x * columns + 0.5 * (row % 2)) % columns
    tone = (0.18 * rng.standard_normal((rows, columns)))[row, across.astype(np.int32)]
    edge_x = np.minimum(across % 1, 1 - across % 1) / columns
    edge_y = np.minimum(y * rows % 1, 1 - y * rows % 1) / rows
    width = rng.uniform(0.003, 0.008)
    mortar = (np.minimum(edge_x, edge_y) < width).astype(np.float32)
    face = _shade(
        random_color(rng, 0.45, (0.3, 0.9)),
        tone.astype(np.float32) + 0.1 * noise(rng, (16, 16), 4, 0.7),
    )
    joint = _shade(random_color(rng, 0.1, (0.5, 0.9)), 0.08 * noise(rng, (64, 64), 2))
    return _mix(face, joint, cv2.GaussianBlur(mortar, (0, 0), 0.7))


def tiles(rng: Rng) -> Image:
    x, y = _grid()
    k = int(rng.choice([2, 4, 6, 8]))
    cell = (x * k).astype(np.int32), (y * k).astype(np.int32)
    tone = (rng.uniform(0.02, 0.2) * rng.standard_normal((k, k)))[cell].astype(np.float32)
    edge = (
        np.minimum(np.minimum(x * k % 1, 1 - x * k % 1), np.minimum(y * k % 1, 1 - y * k % 1)) / k
    )
    grout = (edge < rng.uniform(0.003, 0.009)).astype(np.float32)
    face = (
        marble(rng)
        if rng.random() < 0.4
        else _shade(random_color(rng, 0.3, (0.4, 1)), 0.04 * noise(rng, (8, 8), 5))
    )
    return _mix(_shade(face, tone), random_color(rng, 0.1, (0.2, 0.9)), grout)


def dots(rng: Rng) -> Image:
    x, y = _grid()
    k = int(rng.choice([4, 6, 10, 16]))
    shifted = (x + (0.5 / k) * ((y * k).astype(np.int32) % 2)) * k % 1 - 0.5
    radius = np.hypot(shifted, y * k % 1 - 0.5)
    weight = np.clip((rng.uniform(0.15, 0.4) - radius) * TEXTURE_SIZE / k, 0, 1)
    return _shade(
        _mix(random_color(rng), random_color(rng), weight), 0.05 * noise(rng, (32, 32), 3)
    )


def terrazzo(rng: Rng) -> Image:
    """Many small chips, tiling: each chip is drawn at its wrapped copies too."""
    image = np.broadcast_to(
        random_color(rng, 0.2, (0.3, 0.95)), (TEXTURE_SIZE, TEXTURE_SIZE, 3)
    ).copy()
    colors = [random_color(rng, 0.4) for _ in range(4)]
    leaf = rng.random() < 0.5
    for _ in range(int(rng.integers(60, 220))):
        center = rng.integers(0, TEXTURE_SIZE, 2)
        long = int(rng.integers(3, 16))
        axes = (long, max(2, int(long * rng.uniform(0.2, 0.5 if leaf else 1))))
        color, angle = colors[int(rng.integers(4))].tolist(), float(rng.uniform(0, 360))
        for dx in (-TEXTURE_SIZE, 0, TEXTURE_SIZE):
            for dy in (-TEXTURE_SIZE, 0, TEXTURE_SIZE):
                at = int(center[0] + dx), int(center[1] + dy)
                cv2.ellipse(image, at, axes, angle, 0, 360, color, -1, cv2.LINE_AA)
    return _shade(image, 0.06 * noise(rng, (32, 32), 3))


def fabric(rng: Rng) -> Image:
    x, y = _grid()
    k = int(rng.choice([16, 32, 64]))
    weave = np.sin(2 * np.pi * k * x) * np.sin(2 * np.pi * k * y)
    base = random_color(rng, 0.45, (0.2, 0.9))
    return _shade(
        base, 0.12 * weave + 0.08 * noise(rng, (64, 64), 2) + 0.08 * noise(rng, (4, 4), 4)
    )


# --- pictures -------------------------------------------------------------------------------


def _canvas(color: Image) -> Image:
    return np.ascontiguousarray(
        np.broadcast_to(color, (TEXTURE_SIZE, TEXTURE_SIZE, 3)), dtype=np.float32
    )


def _text(
    rng: Rng, image: Image, box: tuple[int, int, int, int], scale: float, color: Image
) -> None:
    """Fills box (x0, y0, x1, y1) with lines of random words."""
    x0, y0, x1, y1 = box
    letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPRSTUVWXYZ0123456789"
    step = max(6, int(28 * scale))
    mask = np.zeros(image.shape[:2], np.uint8)  # cv2 draws text on 8-bit images only
    font = int(
        rng.choice([cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_DUPLEX, cv2.FONT_HERSHEY_COMPLEX])
    )
    for y in range(y0 + step, y1, step):
        count = int((x1 - x0) / (20 * scale) * rng.uniform(0.6, 1))
        line = "".join(rng.choice(list(letters + "      "), max(count, 1)))
        thickness = 1 if scale < 0.9 else int(rng.integers(1, 4))
        cv2.putText(mask, line, (x0, y), font, scale, 255, thickness, cv2.LINE_AA)
    image[:] = _mix(image, color, mask.astype(np.float32) / 255)


def _shapes(rng: Rng, image: Image, count: int, saturation: float = 0.6) -> None:
    n = TEXTURE_SIZE
    for _ in range(count):
        color = random_color(rng, saturation, (0.05, 1)).tolist()
        x, y = (int(v) for v in rng.integers(0, n, 2))
        kind, size = int(rng.integers(4)), int(rng.integers(8, n // 3))
        if kind == 0:
            cv2.ellipse(
                image,
                (x, y),
                (size, int(rng.integers(4, n // 3))),
                float(rng.uniform(0, 180)),
                0,
                360,
                color,
                -1,
                cv2.LINE_AA,
            )
        elif kind == 1:
            cv2.rectangle(image, (x, y), (x + size, y + int(rng.integers(4, n // 2))), color, -1)
        elif kind == 2:
            points = np.array([x, y]) + rng.integers(-size, size, (int(rng.integers(3, 7)), 2))
            cv2.fillPoly(image, [points.astype(np.int32)], color, cv2.LINE_AA)
        else:
            end = tuple(int(v) for v in rng.integers(0, n, 2))
            cv2.line(image, (x, y), end, color, int(rng.integers(1, 9)), cv2.LINE_AA)


def poster(rng: Rng) -> Image:
    x, y = _grid()
    angle = rng.uniform(0, 2 * np.pi)
    image = np.ascontiguousarray(
        _ramp(rng, 0.5 + 0.7 * ((x - 0.5) * np.cos(angle) + (y - 0.5) * np.sin(angle)))
    )
    _shapes(rng, image, int(rng.integers(4, 40)))
    if rng.random() < 0.6:
        _text(
            rng,
            image,
            (12, int(rng.integers(0, 180)), 244, 250),
            rng.uniform(0.4, 2),
            random_color(rng),
        )
    return image


def landscape(rng: Rng) -> Image:
    """Layers of hills with foliage-like noise under a sky: a painting, or a window's view."""
    _, y = _grid()
    sky = _mix(
        random_color(rng, 0.3, (0.7, 1)),
        random_color(rng, 0.3, (0.8, 1)),
        y + 0.1 * noise(rng, (2, 2), 5),
    )
    image = sky
    for layer in range(int(rng.integers(2, 6))):
        top = 0.3 + 0.14 * layer + 0.05 * noise(rng, (1, 4), 5)[0][None, :]
        color = _shade(random_color(rng, 0.5, (0.15, 0.7)), 0.3 * noise(rng, (8, 8), 5, 0.8))
        image = _mix(image, color, (y - top) * 60)
    if rng.random() < 0.4:
        image = np.ascontiguousarray(image)
        for _ in range(int(rng.integers(1, 6))):
            _building(rng, image)
    return image


def _building(rng: Rng, image: Image) -> None:
    left, top = int(rng.integers(0, 220)), int(rng.integers(40, 160))
    right = left + int(rng.integers(25, 80))
    cv2.rectangle(image, (left, top), (right, 256), random_color(rng, 0.3, (0.2, 0.9)).tolist(), -1)
    pane = random_color(rng, 0.2, (0.1, 0.6)).tolist()
    step = int(rng.integers(9, 16))
    for y in range(top + 5, 250, step):
        for x in range(left + 4, right - 6, step):
            cv2.rectangle(image, (x, y), (x + step // 2, y + step // 2), pane, -1)


def abstract(rng: Rng) -> Image:
    image = np.ascontiguousarray(clouds(rng))
    _shapes(rng, image, int(rng.integers(3, 15)))
    return _shade(
        cv2.GaussianBlur(image, (0, 0), rng.uniform(0.4, 6)), 0.08 * noise(rng, (16, 16), 5, 0.8)
    )


def page(rng: Rng) -> Image:
    image, ink = _canvas(random_color(rng, 0.1, (0.8, 1))), random_color(rng, 0.2, (0, 0.3))
    scale, columns = rng.uniform(0.25, 0.6), int(rng.integers(1, 4))
    width = 240 // columns
    for column in range(columns):
        left = 8 + column * width
        if rng.random() < 0.4:
            corner = (left, int(rng.integers(10, 150)))
            end = (left + width - 10, corner[1] + int(rng.integers(30, 90)))
            _text(rng, image, (left, 2, left + width - 10, corner[1] - 4), scale, ink)
            cv2.rectangle(image, corner, end, random_color(rng).tolist(), -1)
            _text(rng, image, (left, end[1], left + width - 10, 250), scale, ink)
        else:
            _text(rng, image, (left, 2, left + width - 10, 250), scale, ink)
    return image


def cover(rng: Rng) -> Image:
    """A book or package cover: a field of colour, bands, a picture, a large title."""
    image = _canvas(random_color(rng, 0.55, (0.1, 1)))
    for _ in range(int(rng.integers(1, 5))):
        top = int(rng.integers(0, 240))
        cv2.rectangle(
            image, (0, top), (256, top + int(rng.integers(4, 60))), random_color(rng).tolist(), -1
        )
    if rng.random() < 0.7:
        small = cv2.resize(abstract(rng) if rng.random() < 0.5 else landscape(rng), (140, 120))
        left, top = int(rng.integers(4, 110)), int(rng.integers(4, 130))
        image[top : top + 120, left : left + 140] = small
    _text(
        rng,
        image,
        (10, int(rng.integers(0, 170)), 250, 230),
        rng.uniform(0.6, 2.2),
        random_color(rng),
    )
    return image


def spine(rng: Rng) -> Image:
    """The back of a book: its text runs from top to bottom."""
    image = _canvas(random_color(rng, 0.5, (0.08, 0.95)))
    _text(rng, image, (20, 60, 240, 200), rng.uniform(1.5, 3.5), random_color(rng, 0.3, (0.2, 1)))
    for _ in range(int(rng.integers(0, 4))):
        left = int(rng.integers(0, 250))
        cv2.rectangle(
            image, (left, 0), (left + int(rng.integers(3, 20)), 256), random_color(rng).tolist(), -1
        )
    return _shade(np.ascontiguousarray(image.transpose(1, 0, 2)), 0.04 * noise(rng, (16, 16), 4))


def screen(rng: Rng) -> Image:
    image = np.ascontiguousarray(
        landscape(rng) if rng.random() < 0.4 else _canvas(random_color(rng, 0.5, (0.05, 0.8)))
    )
    for _ in range(int(rng.integers(1, 5))):
        x, y = (int(v) for v in rng.integers(0, 160, 2))
        right, bottom = x + int(rng.integers(60, 180)), y + int(rng.integers(50, 150))
        paper = random_color(rng, 0.1, (0.05, 1))
        cv2.rectangle(image, (x, y), (right, bottom), paper.tolist(), -1)
        cv2.rectangle(image, (x, y), (right, y + 9), random_color(rng).tolist(), -1)
        ink = (
            random_color(rng, 0.5, (0, 0.3))
            if paper.mean() > 0.5
            else random_color(rng, 0.5, (0.6, 1))
        )
        _text(rng, image, (x + 3, y + 8, min(right, 256) - 3, min(bottom, 256) - 3), 0.3, ink)
    return image


def keys(rng: Rng) -> Image:
    """A keyboard, a remote control, an oven panel: a grid of labelled buttons."""
    image = _canvas(random_color(rng, 0.1, (0.05, 0.8)))
    face, ink = random_color(rng, 0.1, (0.05, 0.9)), random_color(rng, 0.1, (0.1, 1))
    rows, columns = int(rng.integers(4, 7)), int(rng.integers(4, 16))
    letters = np.zeros(image.shape[:2], np.uint8)
    for row in range(rows):
        for column in range(columns):
            x0, y0 = int((column + 0.1) * 256 / columns), int((row + 0.1) * 256 / rows)
            x1, y1 = int((column + 0.9) * 256 / columns), int((row + 0.9) * 256 / rows)
            cv2.rectangle(image, (x0, y0), (x1, y1), face.tolist(), -1)
            letter = chr(65 + int(rng.integers(26)))
            at = (x0 + 2, (y0 + y1) // 2)
            cv2.putText(letters, letter, at, 0, 0.35, 255, 1, cv2.LINE_AA)
    return _mix(image, ink, letters.astype(np.float32) / 255)


SURFACES: dict[str, tuple[Callable[[Rng], Image], int]] = {
    "plain": (plain, 20), "plaster": (plaster, 20), "clouds": (clouds, 20), "carpet": (carpet, 16),
    "concrete": (concrete, 14), "wood": (wood, 32), "planks": (planks, 20), "marble": (marble, 18),
    "checks": (checks, 10), "stripes": (stripes, 14), "plaid": (plaid, 12), "brick": (brick, 14),
    "tiles": (tiles, 24), "dots": (dots, 10), "terrazzo": (terrazzo, 18), "fabric": (fabric, 20),
}  # fmt: skip
PICTURES: dict[str, tuple[Callable[[Rng], Image], int]] = {
    "poster": (poster, 36), "landscape": (landscape, 28), "abstract": (abstract, 24),
    "page": (page, 16), "cover": (cover, 48), "spine": (spine, 24), "screen": (screen, 16),
    "keys": (keys, 8),
}  # fmt: skip


@dataclass(frozen=True)
class TextureBank:
    """All textures with their mip levels in one image.

    atlas: uint8 [rows, columns, 3]; a texture's levels lie side by side, each with a border of
    one wrapped texel so that bilinear lookups tile. origin: float32 [T, 2], x and y of a
    texture's first level; level_offset: float32 [LEVELS], x of each level within a texture.
    kinds: which textures are of a kind. mean: float32 [T, 3] mean colour.
    """

    atlas: NDArray[np.uint8]
    origin: NDArray[np.float32]
    level_offset: NDArray[np.float32]
    kinds: dict[str, NDArray[np.int32]]
    mean: NDArray[np.float32]


@lru_cache(maxsize=1)
def texture_bank() -> TextureBank:
    """Draws the bank (a few seconds, the same in every process); later calls return it at once."""
    makers = [(name, *entry) for name, entry in (SURFACES | PICTURES).items()]
    total = sum(count for _, _, count in makers)
    offsets = np.cumsum([0] + [(TEXTURE_SIZE >> level) + 2 for level in range(LEVELS)])
    per_row = 32_000 // int(offsets[-1])  # cv2.remap takes at most 32,767 columns
    height = TEXTURE_SIZE + 2
    atlas = np.zeros((-(-total // per_row) * height, per_row * int(offsets[-1]), 3), np.uint8)
    origin, means = np.zeros((total, 2), np.float32), np.zeros((total, 3), np.float32)
    kinds: dict[str, NDArray[np.int32]] = {}
    index = 0
    for position, (name, make, count) in enumerate(makers):
        rng = np.random.default_rng([BANK_SEED, position])
        kinds[name] = np.arange(index, index + count, dtype=np.int32)
        for _ in range(count):
            image = np.clip(make(rng), 0, 1)
            x, y = index % per_row * int(offsets[-1]), index // per_row * height
            origin[index], means[index] = (x, y), image.mean((0, 1))
            for level in range(LEVELS):
                side = TEXTURE_SIZE >> level
                small = cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA)
                padded = cv2.copyMakeBorder(small, 1, 1, 1, 1, cv2.BORDER_WRAP)
                left = x + int(offsets[level])
                atlas[y : y + side + 2, left : left + side + 2] = np.rint(padded * 255)
            index += 1
    return TextureBank(atlas, origin, offsets[:-1].astype(np.float32), kinds, means)
