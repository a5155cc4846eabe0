"""Which points a light reaches, found with as few rays as the picture allows.

A strategy gets the points [N] that face a light, a test that casts the rays of some of them, and
which light it is; it returns the points [N] that the light reaches.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from fgq.data.templates import Floats

LAMP, SUN = 2, 1  # bits of a key, which is FACE * surface + lights that reach the point
FACE = 4
GAP = 3  # pixels from one that is tested to the next
Shape = tuple[int, int]
Mask = NDArray[np.bool_]
Test = Callable[[NDArray[np.intp]], Mask]
Strategy = Callable[[Mask, Test, int], Mask]


def of_any(wanted: Mask, test: Test, light: int) -> Mask:
    """Tests every point."""
    lit = np.zeros(len(wanted), bool)
    index = np.flatnonzero(wanted)
    lit[index] = test(index)
    return lit


def of_image(face: Floats, shape: Shape) -> Strategy:
    """For the pixels of an image; face [H * W]: the number of the surface.

    Every third pixel of every third row is tested. Where these agree in a neighbourhood of 3 x 3,
    the pixels between them that lie on the same face take their answer; the others, along the
    shadows' outlines, are tested too.
    """
    surface = face.reshape(shape)
    same = surface == _enlarged(surface[::GAP, ::GAP], shape)

    def strategy(wanted: Mask, test: Test, light: int) -> Mask:
        image = wanted.reshape(shape)
        tested = np.zeros(shape, bool)
        tested[::GAP, ::GAP] = image[::GAP, ::GAP]
        lit = of_any(tested.ravel(), test, light)
        coarse, bright = tested[::GAP, ::GAP], lit.reshape(shape)[::GAP, ::GAP]
        outline = _spread(bright) & _spread(coarse & ~bright)
        settled = same & image & _enlarged(coarse & ~outline, shape)
        lit |= (settled & _enlarged(bright, shape)).ravel()
        index = np.flatnonzero(image & ~settled & ~tested)
        lit[index] = test(index)
        return lit

    return strategy


def of_samples(face: Floats, beside: NDArray[np.int32]) -> Strategy:
    """For samples between two pixels; beside [2, N]: the keys of these.

    A sample takes the answer of a pixel on its face. It is tested where both are on it and
    disagree, or neither is.
    """
    first, second = beside // FACE == face.astype(np.int32)

    def strategy(wanted: Mask, test: Test, light: int) -> Mask:
        bright = beside & light > 0
        unknown = np.where(first == second, ~first | (bright[0] != bright[1]), False)
        lit = of_any(wanted & unknown, test, light)
        lit |= wanted & ~unknown & np.where(first, bright[0], bright[1])
        return lit

    return strategy


_SQUARE = np.ones((3, 3), np.uint8)


def _spread(mask: Mask) -> Mask:
    """Grown by one pixel all round."""
    return cv2.dilate(mask.astype(np.uint8), _SQUARE).view(bool)


def _enlarged(coarse: NDArray[Any], shape: Shape) -> NDArray[Any]:
    return coarse.repeat(GAP, 0).repeat(GAP, 1)[: shape[0], : shape[1]]
