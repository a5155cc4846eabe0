"""Difference maps and depth as pictures, all on one scale, and pictures inside of HTML."""

import base64
import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from app.capture._cv2 import cv2
from app.compare.metrics import Difference

UNKNOWN = (96, 96, 96)
"""Grey, which the scale does not have: nothing to compare there."""

_SHARE = 0.95
_STEPS = (1, 1.5, 2, 3, 4, 5, 6, 8, 10)


def difference_limit(differences: Sequence[Difference]) -> float:
    """The end of a scale for all of these: a round fraction that 95 % of the pixels stay below."""
    values = [d.depth[::2, ::2].ravel() for entry in differences for d in entry.keyframes]
    joined = np.concatenate([np.empty(0, np.float32), *values])
    joined = joined[~np.isnan(joined)]
    if not len(joined):
        return 0.1
    high = max(float(np.quantile(joined, _SHARE)), 1e-4)
    power = 10.0 ** math.floor(math.log10(high))
    return next(power * step for step in _STEPS if power * step >= high * 0.999)


def color_difference(values: NDArray[np.float32], limit: float) -> NDArray[np.uint8]:
    """Relative differences [H,W] as a picture [H,W,3]: black none, bright the limit and above."""
    known = ~np.isnan(values)
    place = np.clip(np.where(known, values, 0) / limit, 0, 1)
    colored = cv2.applyColorMap(np.rint(255 * place).astype(np.uint8), cv2.COLORMAP_INFERNO)[
        ..., ::-1
    ].copy()
    colored[~known] = UNKNOWN
    return colored


def difference_ramp(width: int = 256, height: int = 10) -> NDArray[np.uint8]:
    """The scale from nothing to the limit, [height,width,3]."""
    row = np.linspace(0, 1, width, dtype=np.float32)[None]
    return color_difference(np.repeat(row, height, 0), 1.0)


def data_uri(image: NDArray[np.uint8], lossless: bool = True) -> str:
    """A picture [H,W,3] RGB as PNG, or JPEG, inside of an address."""
    kind, options = ("png", []) if lossless else ("jpeg", [cv2.IMWRITE_JPEG_QUALITY, 88])
    suffix = ".png" if lossless else ".jpg"
    data = cv2.imencode(suffix, cv2.cvtColor(image, cv2.COLOR_RGB2BGR), options)[1].tobytes()
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
