"""Golden vectors of pre- and postprocessing, which the sample projects' unit tests check.

They say in numbers what a phone has to do as the desktop app does it: small inputs and their exact
results, made here with numpy and fgq.geometry. Every number is JSON's; arrays are flat lists in
row-major order.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from fgq.geometry import decode_pose, unproject_depth

# A field of view outside of these (radians) has no finite, positive focal length.
FOV_LIMITS = (0.02, np.pi - 0.02)
# A jump of depth between neighbours by more than this is an edge.
EDGE = 0.08
# Share of the pixels at either end that does not stretch the range of colours.
STRAYS = 0.02


def golden_vectors() -> dict[str, Any]:
    """All vectors, by what they check."""
    rng = np.random.default_rng(0)
    # Width, height and clockwise rotation of a frame, height and width of the network's image;
    # the last shrinks by exactly 2: ties of rounding go to even.
    cases = ((20, 15, 0, 8, 10), (20, 15, 90, 6, 10), (17, 13, 180, 5, 7), (16, 12, 270, 8, 6))
    preprocess = [_preprocess(rng, *case) for case in cases]
    image = np.reshape(preprocess[-1]["rgb"], (-1, 3))
    return {
        "preprocess": preprocess,
        "planar": {
            "images": [image.ravel().tolist(), image[::-1].ravel().tolist()],
            "expected": (np.stack([image.T, image[::-1].T]) / np.float32(255)).ravel().tolist(),
        },
        "poses": _poses(rng),
        "points": _points(rng),
        "confidence": _confidence(rng),
        "edges": _edges(rng),
        "colors": _colors(rng),
    }


def color_table() -> NDArray[np.uint8]:
    """The 256 colours of depth [256, 3] in RGB, from far to near."""
    steps = np.arange(256, dtype=np.uint8)[:, None]
    table: NDArray[np.uint8] = cv2.applyColorMap(steps, cv2.COLORMAP_TURBO)[:, 0, ::-1]
    return table


def fit_image(image: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Crop an upright image [h, w, 3] about its centre to the aspect of size (H, W), shrink it.

    Every pixel is the mean of the area that it covers. ValueError if the crop is smaller than size.
    """
    height, width = image.shape[:2]
    aspect = size[1] / size[0]
    crop = (min(height, round(width / aspect)), min(width, round(height * aspect)))
    if crop[0] < size[0] or crop[1] < size[1]:
        raise ValueError(f"an image of {height}x{width} is too small for {size[0]}x{size[1]}")
    top, left = (height - crop[0]) // 2, (width - crop[1]) // 2
    cropped = image[top : top + crop[0], left : left + crop[1]].astype(np.float64)
    rows, columns = (_shares(crop[i], size[i]) for i in (0, 1))
    return np.rint(np.einsum("yr,rcn,xc->yxn", rows, cropped, columns)).astype(np.uint8)


def _shares(source: int, target: int) -> NDArray[np.float64]:
    """How much of each target pixel is each source pixel, [target, source]."""
    scale = source / target
    begin = np.arange(target)[:, None] * scale
    pixel = np.arange(source)
    overlap = np.minimum(begin + scale, pixel + 1) - np.maximum(begin, pixel)
    return np.maximum(overlap, 0) / scale


def _preprocess(
    rng: np.random.Generator, width: int, height: int, rotation: int, rows: int, columns: int
) -> dict[str, Any]:
    stride = 4 * width + 12
    frame = rng.integers(0, 256, (height, stride), np.uint8)
    pixels = frame[:, : 4 * width].reshape(height, width, 4)[..., :3]
    upright = np.rot90(pixels, -rotation // 90)
    return {
        "width": width,
        "height": height,
        "row_stride": stride,
        "rotation": rotation,
        "bytes": frame.ravel().tolist(),
        "target_height": rows,
        "target_width": columns,
        "rgb": fit_image(upright, (rows, columns)).ravel().tolist(),
    }


def _poses(rng: np.random.Generator) -> dict[str, Any]:
    size = (168, 224)
    code = rng.normal(0, 1, (5, 9))
    # Without rotation; of any length; fields of view that are usual, and two that have no focal
    # length and are moved to the nearest that has one.
    code[0, 3:7] = (0, 0, 0, 1)
    code[:, 7:] = ((0.9, 1.1), (0.7, 0.9), (1.4, 1.7), (0.0, 1.0), (1.0, 4.0))
    code = code.round(4).astype(np.float32)
    usable = torch.from_numpy(code.astype(np.float64))
    usable[:, 7:] = usable[:, 7:].clamp(*FOV_LIMITS)
    extrinsic, intrinsic = decode_pose(usable, size)
    entries = [intrinsic[:, i, j] for i, j in ((0, 0), (1, 1), (0, 2), (1, 2))]
    return {
        "height": size[0],
        "width": size[1],
        "pose_enc": _short(code),
        "extrinsic": extrinsic.ravel().tolist(),
        "intrinsic": torch.stack(entries, dim=1).ravel().tolist(),
    }


def _points(rng: np.random.Generator) -> dict[str, Any]:
    height, width = 4, 6
    code = torch.from_numpy(rng.normal(0, 1, 9).round(4))
    code[7:] = torch.tensor((0.8, 1.1))
    depth = rng.uniform(0.5, 4, (height, width)).round(4).astype(np.float32)
    camera = decode_pose(code, (height, width))
    points = unproject_depth(torch.from_numpy(depth.astype(np.float64)), *camera)
    return {
        "height": height,
        "width": width,
        "pose_enc": code.tolist(),
        "depth": _short(depth),
        "points": points.ravel().tolist(),
    }


def _confidence(rng: np.random.Generator) -> dict[str, Any]:
    # Equal ones have no order.
    values = np.unique((1 + rng.exponential(2, 611)).round(4).astype(np.float32))
    values = rng.permutation(values)
    place = np.argsort(np.argsort(values))
    rank = place * 255 // (len(values) - 1)
    quantiles = [0.0, 0.05, 0.3, 0.5, 0.9, 1.0]
    kept = [values[rank >= 255 * quantile] for quantile in quantiles]
    return {
        "values": _short(values),
        "quantiles": quantiles,
        "thresholds": _short([some.min() for some in kept]),
        "kept": [len(some) for some in kept],
    }


def _edges(rng: np.random.Generator) -> dict[str, Any]:
    depth = rng.uniform(2, 2.05, (7, 9))
    depth[2:5, 5:] *= 1.5
    depth[6, 0] *= 0.8
    depth = depth.round(4).astype(np.float32)
    around = np.lib.stride_tricks.sliding_window_view(np.pad(depth, 1, "edge"), (3, 3))
    near, far = around.min((2, 3)), around.max((2, 3))
    edges = far > near * (1 + EDGE)
    return {"width": depth.shape[1], "depth": _short(depth), "edges": edges.ravel().tolist()}


def _colors(rng: np.random.Generator) -> dict[str, Any]:
    depth = np.exp(rng.normal(0.5, 0.6, 150)).round(4).astype(np.float32)
    near, far = np.quantile(depth.astype(np.float64), (STRAYS, 1 - STRAYS))
    shown = np.concatenate([depth, np.zeros(1, np.float32)])
    place = np.log(np.maximum(shown, 1e-9).astype(np.float64) / near) / np.log(far / near)
    colors = color_table()[np.rint(255 * (1 - np.clip(place, 0, 1))).astype(np.uint8)].copy()
    colors[shown <= 0] = 0
    return {
        "range_of": _short(depth),
        "near": float(near),
        "far": float(far),
        "depth": _short(shown),
        "rgb": colors.ravel().tolist(),
    }


def _short(values: Any) -> list[float]:
    """The shortest decimal numbers that are these in 32 bit."""
    return [float(str(value)) for value in np.asarray(values, np.float32).ravel()]
