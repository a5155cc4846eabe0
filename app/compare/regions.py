"""Brings maps of differently sized networks onto the same pixels.

Each network sees the middle of the source's frame at its own aspect and size (`fit_image`).
"""

import numpy as np
from numpy.typing import NDArray

from app.capture._cv2 import cv2


def resample(
    values: NDArray[np.float32], size: tuple[int, int], source_size: tuple[int, int]
) -> NDArray[np.float32]:
    """A map [h,w] on the pixels (H, W) of another network's image, nearest pixel; 0 outside.

    source_size: (H, W) of the source's frames.
    """
    axes = [_positions(values.shape, size, source_size, axis).astype(np.float32) for axis in (0, 1)]
    rows, columns = np.meshgrid(*axes, indexing="ij")
    moved: NDArray[np.float32] = cv2.remap(
        values, columns, rows, cv2.INTER_NEAREST, borderMode=cv2.BORDER_CONSTANT, borderValue=0
    )
    return moved


def _positions(
    shape: tuple[int, ...], size: tuple[int, int], source_size: tuple[int, int], axis: int
) -> NDArray[np.float64]:
    """Where in the map [h,w] the pixels of an axis of the other image lie."""
    mine = _crop((shape[0], shape[1]), source_size)[axis]
    theirs = _crop(size, source_size)[axis]
    start = (source_size[axis] - theirs) / 2 - (source_size[axis] - mine) / 2
    at = start + (np.arange(size[axis]) + 0.5) * theirs / size[axis]
    return at * shape[axis] / mine - 0.5


def _crop(size: tuple[int, int], source_size: tuple[int, int]) -> tuple[float, float]:
    """Height and width of what a network sees of a frame, in the frame's pixels."""
    height, width = source_size
    aspect = size[1] / size[0]
    return min(height, width / aspect), min(width, height * aspect)
