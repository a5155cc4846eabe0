"""From linear radiance to the image a phone would store: exposure, colour, blur, noise, tone."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from fgq.data.shapes import Floats

TONE_STEPS = 4096
TONE_RANGE = 4.0  # linear radiance that the tone table covers, after exposure
BRIGHTEST = (TONE_STEPS - 1) ** 2  # what it is scaled to: its square root is the place in the table


@lru_cache(maxsize=1)
def _grain(side: int) -> Floats:
    """Unit Gaussian noise [side, side, 3], channels partly correlated; views take windows of it."""
    rng = np.random.default_rng(7)
    grain = 0.8 * rng.standard_normal((3, side, side)) + 0.6 * rng.standard_normal((side, side))
    return np.ascontiguousarray(grain.transpose(1, 2, 0), np.float32)


def photograph(
    radiance: Floats, rng: np.random.Generator, steady: bool = False
) -> NDArray[np.uint8]:
    """radiance: linear [3, S, H, W] of one clip. Returns display-encoded images [S, H, W, 3].

    Exposure and colour wander from view to view and images may pass through JPEG; not if `steady`.
    """
    _, views, height, width = radiance.shape
    bright = np.minimum(radiance[:, :, ::8, ::8], 8.0).mean(0)
    exposure = rng.uniform(0.16, 0.34) / (0.5 * bright.mean() + 0.5 * np.median(bright) + 1e-6)
    balance = np.exp(rng.normal(0, 0.09, 3))
    table = _tone_table(rng)
    vignette = 1 - np.float32(rng.uniform(0, 0.3)) * _corner_distance(height, width)
    sigma = max(rng.normal(0.45, 0.15), 0.0)
    noise = float(np.exp(rng.uniform(np.log(0.003), np.log(0.022))))
    drift = np.exp(0.5 * np.cumsum(rng.normal(0, rng.uniform(0, 0.12), views)))
    quality = int(rng.integers(60, 97)) if rng.random() < 0.4 else 0
    side = max(600, height + 1, width + 1)
    images = np.empty((views, height, width, 3), np.uint8)
    if steady:
        drift, quality = np.ones(views), 0
    for view in range(views):
        flicker = 1.0 if steady else np.exp(rng.normal(0, 0.01, 3))
        gain = exposure * drift[view] * balance * flicker * (BRIGHTEST / TONE_RANGE)
        row, column = int(rng.integers(side - height)), int(rng.integers(side - width))
        shares = gain.astype(np.float32)[:, None, None] * vignette
        image = cv2.merge(list(radiance[:, view] * shares))
        cv2.threshold(image, BRIGHTEST, 0, cv2.THRESH_TRUNC, dst=image)
        if sigma > 0.2:
            image = cv2.GaussianBlur(image, (0, 0), sigma)
        encoded = cv2.LUT(cv2.sqrt(image).astype(np.uint16), table)
        variation = np.float32(1.3 * 255 * noise) - np.float32(noise) * encoded
        variation *= _grain(side)[row : row + height, column : column + width]
        cv2.add(encoded, variation, dst=images[view], dtype=cv2.CV_8U)
        if quality:
            coded = cv2.imencode(".jpg", images[view], [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
            images[view] = np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR))
    return images


@lru_cache(maxsize=4)
def _corner_distance(height: int, width: int) -> Floats:
    """Squared distance [H, W] from the middle of an image, 1 in its corners."""
    yy, xx = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j].astype(np.float32)
    return (xx**2 + yy**2) / 2


def _tone_table(rng: np.random.Generator) -> Floats:
    """Gamma, contrast and a soft shoulder: values 0 to 255 for radiance 0 to TONE_RANGE, in equal
    steps of its square root so that darks are finely resolved. cv2.LUT asks for 2**16 entries."""
    x = np.linspace(0, TONE_RANGE**0.5, TONE_STEPS) ** 2
    knee = rng.uniform(0.5, 0.8)
    x = np.where(x < knee, x, knee + (1 - knee) * (1 - np.exp(-(x - knee) / (1 - knee))))
    y = x ** (1 / rng.uniform(1.9, 2.4))
    contrast = rng.uniform(0, 0.5)
    y = (1 - contrast) * y + contrast * y * y * (3 - 2 * y)
    table = np.full(1 << 16, 255, np.float32)
    table[:TONE_STEPS] = 255 * np.clip(y, 0, 1)
    return table
