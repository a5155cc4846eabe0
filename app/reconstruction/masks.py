"""Pixels that are not part of the scene: the sky, and black or white backgrounds."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from app.capture._cv2 import cv2

MASKS = ("sky", "black", "white")
"""Names of the masks; a pixel's flags have bit i set where the i-th holds."""

_DARKEST, _BRIGHTEST = 16, 240  # outside of these a pixel counts as black or white
_SKY_BRIGHTNESS = 110  # of 255; the dimmest overcast sky that is found
_SKY_TEXTURE = 12.0  # of 255; difference between a pixel and its neighbours
_SKY_COLOR = 40  # of 255; how much redder or greener than blue a sky may be
_SKY_AREA = 0.01  # of the image
_SKY_DISTANCE = 0.8  # share of the rest of the image that is nearer than the sky


def mask_bits(names: Iterable[str]) -> int:
    """The flags that belong to some of `MASKS`."""
    return sum(1 << MASKS.index(name) for name in set(names))


def mask_flags(image: NDArray[np.uint8], depth: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Flags uint8 [H,W] of an image [H,W,3] RGB with its depth [H,W] in any unit, 0 unknown."""
    flags: NDArray[np.uint8] = sky_mask(image, depth).astype(np.uint8)
    # Three times as fast as reductions over the last axis.
    red, green, blue = cv2.split(image)
    flags |= (np.maximum(np.maximum(red, green), blue) < _DARKEST).astype(np.uint8) << 1
    flags |= (np.minimum(np.minimum(red, green), blue) > _BRIGHTEST).astype(np.uint8) << 2
    return flags


def flags_at(
    flags: NDArray[np.uint8], points: NDArray[np.float32], intrinsic: NDArray[np.floating]
) -> NDArray[np.uint8]:
    """The flags [N] where a camera sees points [N,3] of its frame in `flags` [H,W]; 0 outside."""
    u, v, z = (points @ intrinsic.T.astype(np.float32)).T
    with np.errstate(divide="ignore", invalid="ignore"):
        columns, rows = np.rint(u / z), np.rint(v / z)
    height, width = flags.shape
    seen = (z > 0) & (columns >= 0) & (columns < width) & (rows >= 0) & (rows < height)
    values = np.zeros(len(points), np.uint8)
    values[seen] = flags[rows[seen].astype(np.intp), columns[seen].astype(np.intp)]
    return values


def sky_mask(image: NDArray[np.uint8], depth: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Pixels [H,W] that look like sky: bright, smooth, not warm, far, and joined to the upper edge.

    A guess by simple rules: it takes a blue or an overcast sky, not one at night or at sunset, and
    not what shows between leaves.
    """
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    kernel = np.ones((3, 3), np.uint8)
    texture = cv2.morphologyEx(grey, cv2.MORPH_GRADIENT, kernel)
    red, green, blue = np.moveaxis(image.astype(np.int16), -1, 0)
    not_warm = (blue >= red - _SKY_COLOR // 4) & (blue >= green - _SKY_COLOR // 4)
    candidates = not_warm & (blue > _SKY_BRIGHTNESS) & (texture < _SKY_TEXTURE)
    sky = np.zeros(depth.shape, np.bool_)
    _, parts = cv2.connectedComponents(candidates.astype(np.uint8), connectivity=4)
    areas = np.bincount(parts.ravel()) / parts.size
    large = [part for part in np.unique(parts[0][candidates[0]]) if areas[part] >= _SKY_AREA]
    if not large:
        return sky
    rest = depth[~candidates & (depth > 0)]
    farther_than = np.quantile(rest, _SKY_DISTANCE) if len(rest) else np.inf
    for part in large:
        inside = parts == part
        # A depth that the network does not know is as far as one can see.
        distance = np.median(np.where(depth[inside] > 0, depth[inside], np.inf))
        if distance > farther_than:
            sky |= inside
    # Texture is seen a pixel early: take back the rim between the sky and what stands before it.
    grown = cv2.dilate(sky.astype(np.uint8), kernel).astype(bool)
    return grown & not_warm & (blue > _SKY_BRIGHTNESS) & ((depth > farther_than) | (depth <= 0))
