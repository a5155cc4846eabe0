"""Which points a lamp reaches, found with as few rays as the picture allows.

A strategy gets the points [N] that face the lamp and a test that casts the rays of some of them; it
returns the points [N] that the lamp reaches.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from fgq.data.templates import Floats

FACE, LAMP = 4, 2  # a key is FACE * surface + LAMP where the lamp reaches + 1 where the sun does
GAP = 3  # pixels from one that is tested to the next
Shape = tuple[int, int]
Mask = NDArray[np.bool_]
Test = Callable[[NDArray[np.intp]], Mask]
Strategy = Callable[[Mask, Test], Mask]


def of_any(wanted: Mask, test: Test) -> Mask:
    """Tests every point."""
    lit = np.zeros(len(wanted), bool)
    index = np.flatnonzero(wanted)
    lit[index] = test(index)
    return lit


def of_image(face: Floats, shape: Shape) -> Strategy:
    """For the pixels of an image; face [H * W]: the number of the surface.

    Every third pixel of every third row is tested. Where four of them agree, the pixels between
    them take their answer if at least one lies on the same face; the others, along the shadows'
    outlines, are tested too.
    """
    surface = face.reshape(shape)
    known = np.zeros(shape, bool)
    corner = _enlarged(surface[::GAP, ::GAP], shape)
    for down, right in ((0, 0), (0, GAP), (GAP, 0), (GAP, GAP)):
        there = corner[down:, right:]
        here = np.s_[: there.shape[0], : there.shape[1]]
        known[here] |= surface[here] == there

    def strategy(wanted: Mask, test: Test) -> Mask:
        image = wanted.reshape(shape)
        tested = np.zeros(shape, bool)
        tested[::GAP, ::GAP] = image[::GAP, ::GAP]
        lit = of_any(tested.ravel(), test)
        coarse, bright = tested[::GAP, ::GAP], lit.reshape(shape)[::GAP, ::GAP]
        all_bright, all_dark = _agreed(bright), _agreed(coarse & ~bright)
        settled = known & image & _enlarged(all_bright | all_dark, shape)
        lit |= (settled & _enlarged(all_bright, shape)).ravel()
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

    def strategy(wanted: Mask, test: Test) -> Mask:
        bright = beside & LAMP > 0
        unknown = np.where(first == second, ~first | (bright[0] != bright[1]), False)
        lit = of_any(wanted & unknown, test)
        lit |= wanted & ~unknown & np.where(first, bright[0], bright[1])
        return lit

    return strategy


_SQUARE = np.ones((2, 2), np.uint8)


def _agreed(mask: Mask) -> Mask:
    """Whether it holds here, to the right, below, and to the right below."""
    return cv2.erode(mask.astype(np.uint8), _SQUARE, anchor=(0, 0)).view(bool)


def _enlarged(coarse: NDArray[Any], shape: Shape) -> NDArray[Any]:
    return coarse.repeat(GAP, 0).repeat(GAP, 1)[: shape[0], : shape[1]]
