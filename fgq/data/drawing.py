"""What the procedural textures are drawn with: colours, noise, blending."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.floating[Any]]
Rng = np.random.Generator

TEXTURE_SIZE = 256


def random_color(
    rng: Rng, saturation: float = 0.5, value: tuple[float, float] = (0.15, 1)
) -> Image:
    """An RGB colour [3]; `saturation` is the mean of its HSV saturation, `value` its range."""
    hue = rng.uniform(0, 6) if rng.random() < 0.5 else rng.normal(0.6, 0.5) % 6
    sat = 0.85 * rng.beta(2 * saturation + 0.2, 2 * (1 - saturation) + 0.2)
    ramp = [min(max(abs((hue + turn) % 6 - 3) - 1, 0), 1) for turn in (0, 4, 2)]
    level = rng.uniform(*value)
    return np.array([level * (1 - sat * (1 - channel)) for channel in ramp], np.float32)


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


def texel_centers() -> tuple[Image, Image]:
    """x and y [N, N] of every texel, from 0 to 1."""
    axis = (np.arange(TEXTURE_SIZE, dtype=np.float32) + 0.5) / TEXTURE_SIZE
    y, x = np.meshgrid(axis, axis, indexing="ij")
    return x, y


def blend(a: Image, b: Image, weight: Image) -> Image:
    """Colours [3] or [N, N, 3]: a where weight [N, N] is 0, b where it is 1."""
    weight = np.clip(weight, 0, 1)[..., None]
    return a * (1 - weight) + b * weight


def varied(color: Image, variation: Image) -> Image:
    """A colour [3] or image, made brighter or darker by a factor 1 + variation [N, N]."""
    return color * (1 + variation)[..., None]


def color_ramp(rng: Rng, values: Image, colors: int = 3, saturation: float = 0.5) -> Image:
    """Maps values [N, N] in [0, 1] to a random colour ramp."""
    stops = np.stack([random_color(rng, saturation) for _ in range(colors)])
    at = np.clip(values, 0, 1) * (colors - 1)
    low = np.minimum(at.astype(np.int32), colors - 2)
    fraction = (at - low)[..., None]
    return stops[low] * (1 - fraction) + stops[low + 1] * fraction
