"""Textures that are shown once: posters, pages, covers, screens, views from a window.

Every maker returns display-encoded values [N, N, 3].
"""

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
from fgq.data.surfaces import clouds


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
    image[:] = blend(image, color, mask.astype(np.float32) / 255)


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
    x, y = texel_centers()
    angle = rng.uniform(0, 2 * np.pi)
    image = np.ascontiguousarray(
        color_ramp(rng, 0.5 + 0.7 * ((x - 0.5) * np.cos(angle) + (y - 0.5) * np.sin(angle)))
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
    _, y = texel_centers()
    sky = blend(
        random_color(rng, 0.3, (0.7, 1)),
        random_color(rng, 0.3, (0.8, 1)),
        y + 0.1 * noise(rng, (2, 2), 5),
    )
    image = sky
    for layer in range(int(rng.integers(2, 6))):
        top = 0.3 + 0.14 * layer + 0.05 * noise(rng, (1, 4), 5)[0][None, :]
        color = varied(random_color(rng, 0.5, (0.15, 0.7)), 0.3 * noise(rng, (8, 8), 5, 0.8))
        image = blend(image, color, (y - top) * 60)
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
    return varied(
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
    return varied(np.ascontiguousarray(image.transpose(1, 0, 2)), 0.04 * noise(rng, (16, 16), 4))


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
    return blend(image, ink, letters.astype(np.float32) / 255)


# how many textures of each kind the bank has
PICTURES: dict[str, tuple[Callable[[Rng], Image], int]] = {
    "poster": (poster, 36), "landscape": (landscape, 28), "abstract": (abstract, 24),
    "page": (page, 16), "cover": (cover, 48), "spine": (spine, 24), "screen": (screen, 16),
    "keys": (keys, 8),
}  # fmt: skip
