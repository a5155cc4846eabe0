"""From a camera image to the network's image."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.capture._cv2 import cv2


def fit_image(image: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Crop an image [h,w,3] about its centre to the aspect of size (H, W), resize to [H,W,3]."""
    height, width = size
    cropped = _crop(image, size)
    # Averaging over areas keeps fine texture from turning into noise; it cannot enlarge.
    shrinks = cropped.shape[0] >= height and cropped.shape[1] >= width
    method = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    fitted: NDArray[np.uint8] = cv2.resize(cropped, (width, height), interpolation=method)
    return fitted


def fit_depth(depth: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
    """Crop and resize a depth map [h,w] as `fit_image` does, taking the nearest pixel."""
    height, width = size
    cropped = _crop(depth, size)
    fitted: NDArray[np.float32] = cv2.resize(
        cropped, (width, height), interpolation=cv2.INTER_NEAREST_EXACT
    )
    return fitted


def _crop(image: NDArray[Any], size: tuple[int, int]) -> NDArray[Any]:
    height, width = image.shape[:2]
    aspect = size[1] / size[0]
    new_width = min(width, max(1, round(height * aspect)))
    new_height = min(height, max(1, round(width / aspect)))
    top, left = (height - new_height) // 2, (width - new_width) // 2
    return image[top : top + new_height, left : left + new_width]
