"""Textures of surfaces: they tile. Every maker returns display-encoded values [N, N, 3]."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from fgq.data.drawing import (
    TEXTURE_SIZE,
    Image,
    Rng,
    blend,
    color_ramp,
    noise,
    random_color,
    texel_centers,
    varied,
)


def plain(rng: Rng) -> Image:
    color = random_color(rng, 0.25, (0.4, 0.95))
    return varied(
        color, 0.03 * noise(rng, (2, 2), 3) + rng.uniform(0.005, 0.04) * noise(rng, (64, 64), 2)
    )


def plaster(rng: Rng) -> Image:
    color = random_color(rng, 0.2, (0.5, 0.95))
    cells = int(rng.choice([16, 32, 64]))
    return varied(color, rng.uniform(0.03, 0.12) * noise(rng, (cells, cells), 3, 0.7))


def clouds(rng: Rng) -> Image:
    cells = int(rng.choice([2, 4, 8]))
    return color_ramp(rng, 0.5 + 0.25 * noise(rng, (cells, cells), 6, rng.uniform(0.4, 0.75)))


def carpet(rng: Rng) -> Image:
    color = random_color(rng, 0.35, (0.2, 0.8))
    grain = noise(rng, (128, 128), 2, 1.0)
    return varied(color, rng.uniform(0.1, 0.3) * grain + 0.1 * noise(rng, (4, 4), 4))


def concrete(rng: Rng) -> Image:
    base = varied(random_color(rng, 0.08, (0.4, 0.8)), 0.1 * noise(rng, (4, 4), 7, 0.65))
    pits = noise(rng, (64, 64), 2) > rng.uniform(1.8, 2.6)
    return base * (1 - 0.4 * pits[..., None])


def wood(rng: Rng) -> Image:
    x, _ = texel_centers()
    tone = rng.uniform(0.35, 0.95) * np.array([1, rng.uniform(0.6, 0.85), rng.uniform(0.35, 0.65)])
    light = tone.astype(np.float32)
    rings = np.sin(
        2 * np.pi * (rng.integers(3, 12) * x + rng.uniform(0.2, 1) * noise(rng, (1, 4), 4))
    )
    fibre = noise(rng, (2, 64), 3, 0.7)
    return varied(light, rng.uniform(0.05, 0.2) * rings + rng.uniform(0.04, 0.15) * fibre)


def planks(rng: Rng) -> Image:
    base, (x, y) = wood(rng), texel_centers()
    count = int(rng.choice([3, 4, 6, 8]))
    column = (x * count).astype(np.int32)
    start = rng.random(count)[column].astype(np.float32)
    row = ((y + start) * rng.choice([1, 2]) % 1 * 2).astype(np.int32)
    tone = (0.15 * rng.standard_normal((count, 2)))[column, row].astype(np.float32)
    gap = np.minimum(x * count % 1, 1 - x * count % 1) < 0.02 * count / 4
    gap |= np.abs((y + start) * 2 % 1 - 0.5) > 0.495
    return varied(base, tone) * (1 - 0.6 * gap[..., None])


def marble(rng: Rng) -> Image:
    x, y = texel_centers()
    phase = rng.integers(1, 4) * x + rng.integers(0, 4) * y
    veins = np.abs(np.sin(np.pi * 2 * phase + rng.uniform(0.8, 2) * noise(rng, (2, 2), 6, 0.55)))
    return blend(
        random_color(rng, 0.2), random_color(rng, 0.2, (0.5, 1)), veins ** rng.uniform(0.2, 0.8)
    )


def checks(rng: Rng) -> Image:
    x, y = texel_centers()
    k = int(rng.choice([4, 8, 12]))
    odd = ((x * k).astype(np.int32) + (y * k).astype(np.int32)) % 2
    base = blend(random_color(rng), random_color(rng), odd.astype(np.float32))
    return varied(base, 0.06 * noise(rng, (8, 8), 5))


def stripes(rng: Rng) -> Image:
    count = int(rng.integers(6, 30))
    edges = np.sort(rng.random(count))
    colors = np.stack([random_color(rng) for _ in range(int(rng.integers(2, 5)))])
    picks = colors[rng.integers(0, len(colors), count + 1)]
    x, _ = texel_centers()
    image = picks[np.searchsorted(edges, x[0])][None].repeat(TEXTURE_SIZE, 0)
    image = image if rng.random() < 0.5 else image.transpose(1, 0, 2)
    return varied(image, 0.05 * noise(rng, (32, 32), 3))


def plaid(rng: Rng) -> Image:
    return 0.5 * (stripes(rng) + stripes(rng).transpose(1, 0, 2))


def brick(rng: Rng) -> Image:
    x, y = texel_centers()
    rows = int(rng.choice([8, 12, 16]))
    columns = rows // 2 if rng.random() < 0.7 else rows // 4
    row = (y * rows).astype(np.int32)
    across = (x * columns + 0.5 * (row % 2)) % columns
    tone = (0.18 * rng.standard_normal((rows, columns)))[row, across.astype(np.int32)]
    edge_x = np.minimum(across % 1, 1 - across % 1) / columns
    edge_y = np.minimum(y * rows % 1, 1 - y * rows % 1) / rows
    width = rng.uniform(0.003, 0.008)
    mortar = (np.minimum(edge_x, edge_y) < width).astype(np.float32)
    face = varied(
        random_color(rng, 0.45, (0.3, 0.9)),
        tone.astype(np.float32) + 0.1 * noise(rng, (16, 16), 4, 0.7),
    )
    joint = varied(random_color(rng, 0.1, (0.5, 0.9)), 0.08 * noise(rng, (64, 64), 2))
    return blend(face, joint, cv2.GaussianBlur(mortar, (0, 0), 0.7))


def tiles(rng: Rng) -> Image:
    x, y = texel_centers()
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
        else varied(random_color(rng, 0.3, (0.4, 1)), 0.04 * noise(rng, (8, 8), 5))
    )
    return blend(varied(face, tone), random_color(rng, 0.1, (0.2, 0.9)), grout)


def dots(rng: Rng) -> Image:
    x, y = texel_centers()
    k = int(rng.choice([4, 6, 10, 16]))
    shifted = (x + (0.5 / k) * ((y * k).astype(np.int32) % 2)) * k % 1 - 0.5
    radius = np.hypot(shifted, y * k % 1 - 0.5)
    weight = np.clip((rng.uniform(0.15, 0.4) - radius) * TEXTURE_SIZE / k, 0, 1)
    return varied(
        blend(random_color(rng), random_color(rng), weight), 0.05 * noise(rng, (32, 32), 3)
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
    return varied(image, 0.06 * noise(rng, (32, 32), 3))


def fabric(rng: Rng) -> Image:
    x, y = texel_centers()
    k = int(rng.choice([16, 32, 64]))
    weave = np.sin(2 * np.pi * k * x) * np.sin(2 * np.pi * k * y)
    base = random_color(rng, 0.45, (0.2, 0.9))
    return varied(
        base, 0.12 * weave + 0.08 * noise(rng, (64, 64), 2) + 0.08 * noise(rng, (4, 4), 4)
    )


# how many textures of each kind the bank has
SURFACES: dict[str, tuple[Callable[[Rng], Image], int]] = {
    "plain": (plain, 20), "plaster": (plaster, 20), "clouds": (clouds, 20), "carpet": (carpet, 16),
    "concrete": (concrete, 14), "wood": (wood, 32), "planks": (planks, 20), "marble": (marble, 18),
    "checks": (checks, 10), "stripes": (stripes, 14), "plaid": (plaid, 12), "brick": (brick, 14),
    "tiles": (tiles, 24), "dots": (dots, 10), "terrazzo": (terrazzo, 18), "fabric": (fabric, 20),
}  # fmt: skip
