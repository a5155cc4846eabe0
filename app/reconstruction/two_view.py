"""How one camera stands to another, and how sure that is, from matched pixels and rough depth.

A network's depth is wrong in ways that a whole image shares: it is tilted, and its focal length is
off. Taken as exact it gives a wrong camera with confidence, because turning and going sideways move
a flat scene alike. So these faults are unknowns too, with how large they usually are, and the depth
of each match has an error of its own, which moves its pixel along the epipolar line only: across it
the matches speak at the precision of pixels. What remains unknown shows in the covariance.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.capture._cv2 import cv2
from app.geometry import Floats, depth_at
from app.reconstruction.keyframe import Keyframe

# Standard deviations: of a feature's place (pixels of the network's image), of one depth (its
# logarithm), of a tilt (logarithm of depth from the middle of the image to its edge, across and
# down), and of the logarithm of the focal length.
_PIXEL, _DEPTH = 1.0, 0.1
_TILT, _FOCAL = 0.3, 0.1
# Depth errors nearby are alike: all the matches tell no more than so many that are independent.
_INDEPENDENT = 16
# A rotation vector, translation, log_ratio, tilt, logarithm of the focal length; and what is added
# to the logarithm of the first one's depths, for its derivative only.
_UNKNOWNS = 11
_PRIOR = 1 / np.array([*[np.inf] * 7, _TILT, _TILT, _FOCAL]) ** 2
_ROUNDS = 5
_DERIVATIVE = 1e-6
# Chi-square with 3 degrees of freedom: the median, and 99 %.
_MEDIAN, _INLIER = 2.37, 11.34


@dataclass(frozen=True)
class RelativePose:
    """x_second = rotation x_first + translation, in the first keyframe's lengths; `log_ratio`
    takes the second keyframe's depth to the first one's.

    sigma_angle (radians), sigma_shift (of the second camera's place, in the first one's lengths),
    sigma_log_ratio: standard deviations, by axis.
    """

    rotation: Floats
    translation: Floats
    log_ratio: float
    sigma_angle: float
    sigma_shift: float
    sigma_log_ratio: float


def relative_pose(
    first: Keyframe,
    second: Keyframe,
    a: NDArray[np.float32],
    b: NDArray[np.float32],
    rotation: Floats,
    translation: Floats,
) -> tuple[RelativePose, NDArray[np.bool_]] | None:
    """The camera that fits matched pixels a, b [N,2] and both depth maps best, from a first guess.

    Also which matches agree [N]. None where the depth cannot explain the matches.
    """
    match = _Match(first, second, a, b)
    unknown = np.zeros(_UNKNOWNS)
    unknown[3:6] = translation
    unknown[6] = np.median(match.residual(rotation, unknown[None])[0, :, 2])
    for _ in range(_ROUNDS):
        tried = unknown + _DERIVATIVE * np.eye(_UNKNOWNS + 1, _UNKNOWNS, -1)
        off, *others = match.residual(rotation, tried)
        if not np.isfinite(others).all():
            return None
        slope = np.stack([(other - off) / _DERIVATIVE for other in others], -1)
        slope, along = slope[..., :-1], slope[..., -1]
        covariance = _DEPTH**2 * along[:, :, None] * along[:, None]
        covariance += np.diag([_PIXEL**2, _PIXEL**2, _DEPTH**2])
        weight = np.linalg.inv(covariance)
        distance = (off * (weight @ off[..., None])[..., 0]).sum(1)
        # Cauchy's weights: a wrong match counts little.
        trust = 1 / (1 + distance / 9)
        trust *= min(1, _INDEPENDENT / trust.sum())
        weighted = (trust[:, None, None] * weight @ slope).reshape(-1, _UNKNOWNS - 1)
        information = weighted.T @ slope.reshape(weighted.shape) + np.diag(_PRIOR)
        step = np.linalg.solve(information, -weighted.T @ off.ravel() - _PRIOR * unknown[:-1])
        unknown[:-1] += step
        rotation, unknown[:3] = cv2.Rodrigues(step[:3])[0] @ rotation, 0
    if np.median(distance) > _MEDIAN:
        return None
    spread = np.linalg.inv(information)
    # The second camera is at -R^T t: it moves with both.
    x, y, z = unknown[3:6]
    place = np.hstack([[[0, -z, y], [z, 0, -x], [-y, x, 0]], np.eye(3)])
    return RelativePose(
        rotation,
        unknown[3:6],
        float(unknown[6]),
        float(np.sqrt(np.trace(spread[:3, :3]) / 3)),
        float(np.sqrt(np.trace(place @ spread[:6, :6] @ place.T) / 3)),
        float(np.sqrt(spread[6, 6])),
    ), distance < _INLIER


class _Match:
    """Matched pixels [N,2] of two keyframes with what the network says about them."""

    def __init__(
        self, first: Keyframe, second: Keyframe, a: NDArray[np.float32], b: NDArray[np.float32]
    ) -> None:
        lens = first.intrinsic.astype(np.float64)
        self._pixel = b.astype(np.float64)
        self._lens = second.intrinsic.astype(np.float64)
        self._rays = np.column_stack([a, np.ones(len(a))]) @ np.linalg.inv(lens).T
        self._depth_a, self._depth_b = depth_at(first.depth, a), depth_at(second.depth, b)
        # From -1 to 1 over the image.
        half = np.array(first.depth.shape[::-1]) / 2
        self._from_middle_a, self._from_middle_b = a / half - 1, b / half - 1

    def residual(self, rotation: Floats, unknown: Floats) -> Floats:
        """x and y (pixels) and logarithm of depth in the second image, too much of each [K,N,3],
        with K sets of unknowns [K,11], whose rotation vectors go before `rotation`."""
        turns = np.array([cv2.Rodrigues(vector)[0] for vector in unknown[:, :3]]) @ rotation
        tilt, zoom = unknown[:, 7:9, None], np.exp(unknown[:, 9])
        depth = self._depth_a * np.exp((self._from_middle_a @ tilt)[..., 0] + unknown[:, 10:])
        rays = self._rays / np.stack([zoom, zoom, np.ones_like(zoom)], -1)[:, None]
        points = (rays * depth[..., None]) @ np.swapaxes(turns, 1, 2) + unknown[:, None, 3:6]
        z = np.maximum(points[..., 2], 1e-6 * depth)
        focal = self._lens.diagonal()[:2] * zoom[:, None, None]
        off = focal * points[..., :2] / z[..., None] + self._lens[:2, 2] - self._pixel
        ratio = np.log(z / self._depth_b) - (self._from_middle_b @ tilt)[..., 0] - unknown[:, 6:7]
        return np.concatenate([off, ratio[..., None]], -1)
