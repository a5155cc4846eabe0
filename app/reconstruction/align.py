"""Joins a window of views to what is there already, by a robust similarity on the shared views.

Each window of the network has a frame and a scale of its own. The views that two windows share
have depth and a camera in both, so each of them proposes one similarity: its scale from the ratio
of the depths, pixel by pixel, and its rotation and translation from the cameras. The proposals are
joined by medians, so that one bad view among three or more does no harm, and of two views the one
whose depths agree better counts more.
"""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from app.geometry import Floats, Sim3, invert_se3, nearest_rotation, rotation_angle

# Of the pixels of a view, those that count for the scale.
_CONFIDENT = 0.5
_ITERATIONS = 30
# Spread (of the log depth ratio) that a view gets where nothing can be compared.
_UNKNOWN_SPREAD = 10.0


class View(Protocol):
    """A camera [3,4] (camera-from-world) with depth and confidence [H,W]."""

    extrinsic: NDArray[np.float32]
    depth: NDArray[np.float32]
    confidence: NDArray[np.float32]


def align_window(source: Sequence[View], target: Sequence[View]) -> Sim3:
    """The similarity that takes the frame of `source` to that of `target`.

    The sequences hold the same one or more views in the same order, as two windows see them.
    """
    measured = [_log_ratio(a, b) for a, b in zip(source, target, strict=True)]
    log_scales = np.array([median for median, _ in measured])
    spreads = np.array([spread for _, spread in measured])
    weights = 1 / (spreads + 0.01) ** 2
    scale = float(np.exp(weighted_median(log_scales, weights)))

    pose = np.array([view.extrinsic for view in source], np.float64)
    pose_target = np.array([view.extrinsic for view in target], np.float64)
    rotations = np.swapaxes(pose_target[:, :, :3], 1, 2) @ pose[:, :, :3]
    rotation = average_rotations(rotations, weights)
    centres = invert_se3(pose)[:, :, 3]
    centres_target = invert_se3(pose_target)[:, :, 3]
    translation = geometric_median(centres_target - scale * centres @ rotation.T, weights)
    return Sim3(scale, rotation, translation)


def weighted_median(values: Floats, weights: Floats) -> float:
    """The value in the middle of the weight; halfway between two where it falls between them."""
    order = np.argsort(values)
    values, weights = values[order], weights[order]
    middle = np.cumsum(weights) - weights / 2
    return float(np.interp(weights.sum() / 2, middle, values))


def geometric_median(points: Floats, weights: Floats) -> Floats:
    """The point [3] with the least weighted sum of distances to points [N,3] (Weiszfeld 1937).

    Of two points, their weighted mean.
    """
    estimate = np.average(points, axis=0, weights=weights)
    for _ in range(_iterations(points)):
        distances = np.linalg.norm(points - estimate, axis=1)
        estimate = np.average(points, axis=0, weights=weights / _floored(distances))
    return np.asarray(estimate)


def average_rotations(rotations: Floats, weights: Floats) -> Floats:
    """The rotation [3,3] with the least weighted sum of angles to rotations [N,3,3], nearly.

    Weiszfeld's iteration on the chordal mean (after Hartley et al., L1 rotation averaging, 2011).
    Of two rotations, their weighted mean.
    """
    estimate = nearest_rotation(np.average(rotations, axis=0, weights=weights))
    for _ in range(_iterations(rotations)):
        angles = rotation_angle(rotations @ estimate.T)
        weighted = np.average(rotations, axis=0, weights=weights / _floored(angles))
        estimate = nearest_rotation(weighted)
    return estimate


def _log_ratio(source: View, target: View) -> tuple[float, float]:
    """Median of log(target depth / source depth) on confident pixels, and its spread (MAD)."""
    confident = _confident(source.confidence) & _confident(target.confidence)
    usable = (source.depth > 0) & (target.depth > 0)
    # Two halves may miss each other where a network is sure of nothing: then all pixels count.
    chosen = confident & usable if (confident & usable).any() else usable
    if not chosen.any():
        return 0.0, _UNKNOWN_SPREAD
    ratio = np.log(target.depth[chosen].astype(np.float64) / source.depth[chosen])
    median = np.median(ratio)
    return float(median), float(np.median(np.abs(ratio - median)))


def _confident(confidence: NDArray[Any]) -> NDArray[np.bool_]:
    return confidence >= np.quantile(confidence, _CONFIDENT)


def _iterations(values: Floats) -> int:
    """Between two values every point is a median, or one end is: their mean is the better guess."""
    return _ITERATIONS if len(values) > 2 else 0


def _floored(distances: Floats) -> Floats:
    """Distances kept from zero, relative to their own size, for use as a divisor."""
    return np.maximum(distances, 1e-6 * distances.max() + 1e-12)
