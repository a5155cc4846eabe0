"""Pictures and depth maps as PNG files, each whole or not at all. All writers raise OSError."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.capture._cv2 import cv2
from app.files import write_file
from app.reconstruction.keyframe import Keyframe


def write_depth_png(path: Path, depth: NDArray[np.float32], scale: float) -> None:
    """Depth as 16-bit PNG: value = depth * scale, rounded and limited to 65535; 0 = none."""
    write_png(path, np.clip(np.rint(depth * scale), 0, 65535).astype(np.uint16))


def write_png(path: Path, image: NDArray[np.uint8] | NDArray[np.uint16]) -> None:
    """A picture [H,W,3] in RGB or a map [H,W] as PNG."""
    if image.ndim == 3:
        image = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    write_file(path, cv2.imencode(".png", image)[1].tobytes())


def color_depth(
    depth: NDArray[np.float32], near: float, far: float, name: str = "turbo"
) -> NDArray[np.uint8]:
    """Depth [H,W] as a picture [H,W,3] RGB in the colours of `color_table`; near is its last
    colour, far its first, 0 is black.
    """
    # Even steps of the logarithm: 10 % of the depth is the same change of colour everywhere. They
    # are looked up, as each step of arithmetic on a picture might let other threads go first.
    near = max(near, 1e-9)
    ends = near * (max(far / near, 1.0) ** ((np.arange(255) + 0.5) / 255))
    places = np.searchsorted(np.append(0, ends).astype(np.float32), depth)
    black = np.zeros((1, 3), np.uint8)
    return np.concatenate([black, color_table(name)[::-1]])[places]


@cache
def color_table(name: str) -> NDArray[np.uint8]:
    """The colours [256,3] RGB of "turbo", "viridis" or "grey".

    Looked up once: OpenCV shares every use of a map among its threads, and the window would wait
    for them while the network runs.
    """
    if name == "grey":
        return np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1)
    table = {"turbo": cv2.COLORMAP_TURBO, "viridis": cv2.COLORMAP_VIRIDIS}[name]
    colors: NDArray[np.uint8] = cv2.applyColorMap(np.arange(256, dtype=np.uint8)[None], table)
    return colors[0, :, ::-1].copy()


def depth_range(keyframes: Sequence[Keyframe]) -> tuple[float, float]:
    """Near and far depth that leave out the outermost two percent on each side."""
    depths = np.concatenate([keyframe.depth[::4, ::4].ravel() for keyframe in keyframes])
    near, far = np.quantile(depths, (0.02, 0.98))
    return float(near), float(far)


def depth_png_scale(keyframes: Sequence[Keyframe]) -> float:
    """The largest power of ten at which every depth fits into 16 bits."""
    deepest = max(float(keyframe.depth.max()) for keyframe in keyframes)
    return float(10.0 ** np.floor(np.log10(65535 / deepest)))


def file_name(keyframe: Keyframe) -> str:
    """Name of the pictures of a keyframe."""
    return f"{keyframe.index:06d}.png"
