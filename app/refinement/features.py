"""SIFT features of whole frames, and which of them look alike in two frames."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.capture._cv2 import cv2
from app.geometry import Floats
from app.reconstruction.places import describe, similar

Pair = tuple[int, int]
"""Positions of two frames, the smaller one first."""
Matches = dict[Pair, NDArray[np.uint32]]
"""Numbers [N,2] of the features of both frames of a pair that look alike."""

_LONG_SIDE = 1600
_FEATURES = 4000
_CONTRAST = 0.01
# Of a clear match's distance to that of the second best, at most.
_RATIO = 0.8
FEW = 8
"""Of so many frames, all pairs are matched."""
# Of more, those so near in order, and so many that look most alike.
_NEAR, _ALIKE = 4, 3


@dataclass(frozen=True)
class Features:
    """pixels [N,2] (x, y) from the corner of the first pixel; descriptors [N,128] of length 1
    (RootSIFT, Arandjelovic and Zisserman 2012); size (h, w) of the image they were found in."""

    pixels: NDArray[np.float64]
    descriptors: NDArray[np.float32]
    size: tuple[int, int]

    @property
    def unit(self) -> float:
        """What is a pixel in an image of common size (518 pixels wide), in pixels of this one."""
        return min(2.0, max(self.size) / 518)

    def rays(self, focal: float) -> Floats:
        """Directions [N,3] with z = 1 of a camera with its principal point in the middle."""
        height, width = self.size
        plane = (self.pixels - [width / 2, height / 2]) / focal
        return np.concatenate([plane, np.ones((len(plane), 1))], 1)


@dataclass(frozen=True)
class Seen:
    """Features of each frame, and of pairs of frames their clear and their unclear matches."""

    features: list[Features]
    matches: Matches
    unclear: Matches


def extract(image: NDArray[np.uint8], most: int = _FEATURES) -> Features:
    """Features of an image [h,w,3] RGB, made smaller if its long side is above 1600 pixels.

    most: keep no more than so many.
    """
    height, width = image.shape[:2]
    shrink = min(1.0, _LONG_SIDE / max(height, width))
    gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    if shrink < 1:
        size = round(width * shrink), round(height * shrink)
        gray = cv2.resize(gray, size, interpolation=cv2.INTER_AREA)
    sift = cv2.SIFT.create(nfeatures=most, contrastThreshold=_CONTRAST)
    found, descriptors = sift.detectAndCompute(gray, None)
    if descriptors is None:
        descriptors = np.empty((0, 128), np.float32)
    total = np.maximum(descriptors.sum(1, keepdims=True), 1e-9)
    pixels = np.array([key.pt for key in found], np.float64).reshape(-1, 2) + 0.5
    root: NDArray[np.float32] = np.sqrt(descriptors / total).astype(np.float32)
    return Features(pixels, root, (gray.shape[0], gray.shape[1]))


def match(first: Features, second: Features) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
    """Features that are each other's nearest: clearly so, and the others [N,2] each.

    One match for each place.
    """
    if min(len(first.pixels), len(second.pixels)) < 2:
        return np.empty((0, 2), np.uint32), np.empty((0, 2), np.uint32)
    likeness = first.descriptors @ second.descriptors.T
    row, nearest = np.arange(len(likeness)), likeness.argmax(1)
    mutual = likeness.argmax(0)[nearest] == row
    best = likeness[row, nearest]
    likeness[row, nearest] = -1
    best_two = np.stack([best, likeness.max(1)], 1)
    distance = np.sqrt(np.maximum(2 - 2 * best_two, 0))
    ratio = np.where(mutual, distance[:, 0] / np.maximum(distance[:, 1], 1e-9), np.inf)
    # The clear ones first: of those in one place the first stays.
    order = np.argsort(ratio, kind="stable")[: mutual.sum()]
    matches = np.stack([order, nearest[order]], 1).astype(np.uint32)
    clear = ratio[order] < _RATIO
    # SIFT describes a corner once for each orientation: counted twice it would be two witnesses.
    for column, features in enumerate((first, second)):
        places = np.round(features.pixels[matches[:, column]])
        kept = np.sort(np.unique(places, axis=0, return_index=True)[1])
        matches, clear = matches[kept], clear[kept]
    return matches[clear], matches[~clear]


def pairs_to_match(images: Sequence[NDArray[np.uint8]]) -> list[Pair]:
    """The pairs of frames that may see the same: neighbours in order, and those that look alike.

    images: [H,W,3] RGB each.
    """
    count = len(images)
    if count <= FEW:
        return [(i, j) for i in range(count) for j in range(i + 1, count)]
    pairs = {(i, j) for i in range(count) for j in range(i + 1, min(count, i + 1 + _NEAR))}
    places = [describe(image) for image in images]
    for i, place in enumerate(places):
        older = places[: max(0, i - _NEAR)]
        pairs |= {(j, i) for j in similar(place, older, _ALIKE)}
    return sorted(pairs)
