"""Finds keyframes that look at the same place, by features and the words they fall into."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.capture._cv2 import cv2
from app.paging import paged

COARSE = 2
"""Every COARSE-th pixel of an image that is blurred shows all that is left in it."""

_BLUR = 3.0
_FEATURES = 400
_CONTRAST = 0.02
# Words without a vocabulary to be trained: the signs of a descriptor along random directions.
# Several tables, because two views of one corner often differ in a sign or two.
_TABLES, _BITS = 3, 9
_DIRECTIONS = np.random.default_rng(0).normal(size=(128, _TABLES * _BITS)).astype(np.float32)
# Of a match's distance to that of the second best, at most.
_RATIO = 0.8


@dataclass(frozen=True)
class Place:
    """Features of one image: pixels float32 [N,2] (x, y), descriptors uint8 [N,128], and the
    image's words as a vector [W] of length 1 (0 without a feature).

    blurred: every COARSE-th pixel of the gray image, blurred, float32 [H/COARSE,W/COARSE].
    """

    pixels: NDArray[np.float32]
    descriptors: NDArray[np.uint8]
    words: NDArray[np.float32]
    blurred: NDArray[np.float32]


def describe(image: NDArray[np.uint8]) -> Place:
    """The place that an image uint8 [H,W,3] shows."""
    gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    sift = cv2.SIFT.create(nfeatures=_FEATURES, contrastThreshold=_CONTRAST)
    found, descriptors = sift.detectAndCompute(gray, None)
    if descriptors is None:
        descriptors = np.empty((0, 128), np.float32)
    pixels = np.array([key.pt for key in found], np.float32).reshape(-1, 2)
    blurred = cv2.GaussianBlur(gray.astype(np.float32), (0, 0), _BLUR)[::COARSE, ::COARSE]
    return Place(pixels, paged(descriptors.astype(np.uint8)), _words(descriptors), paged(blurred))


def similar(place: Place, others: Sequence[Place], count: int) -> list[int]:
    """Positions of the `count` others that share most words with a place, the best first."""
    if not others:
        return []
    likeness = np.array([other.words @ place.words for other in others])
    return [int(position) for position in np.argsort(-likeness, kind="stable")[:count]]


def match(first: Place, second: Place) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Pixels [N,2] in both images of features that are each other's nearest, and clearly so."""
    if min(len(first.pixels), len(second.pixels)) < 2:
        return np.empty((0, 2), np.float32), np.empty((0, 2), np.float32)
    a, b = first.descriptors.astype(np.float32), second.descriptors.astype(np.float32)
    squared = (a * a).sum(1)[:, None] + (b * b).sum(1) - 2 * (a @ b.T)
    nearest = squared.argmin(1)
    row = np.arange(len(a))
    two = np.partition(squared, 1, axis=1)[:, :2]
    kept = (two[:, 0] < _RATIO**2 * two[:, 1]) & (squared.argmin(0)[nearest] == row)
    return first.pixels[kept], second.pixels[nearest[kept]]


def _words(descriptors: NDArray[Any]) -> NDArray[np.float32]:
    counts = np.zeros((_TABLES, 2**_BITS), np.float32)
    if len(descriptors):
        # Each descriptor's own mean is taken off: its values are all positive.
        centred = np.sqrt(descriptors) - np.sqrt(descriptors).mean(1, keepdims=True)
        signs = (centred @ _DIRECTIONS > 0).reshape(-1, _TABLES, _BITS)
        numbers = signs @ (1 << np.arange(_BITS))
        for table, column in zip(counts, numbers.T, strict=True):
            table += np.bincount(column, minlength=len(table))
    words = np.sqrt(counts.ravel())
    length = np.linalg.norm(words)
    return words / length if length > 0 else words
