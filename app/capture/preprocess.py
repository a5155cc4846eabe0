"""From a camera image to the network's image."""

import numpy as np
from numpy.typing import NDArray


def fit_image(image: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Crop an image [h,w,3] about its centre to the aspect of size (H, W), resize to [H,W,3]."""
    raise NotImplementedError
