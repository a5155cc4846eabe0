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
from app.geometry import Floats
from app.reconstruction.keyframe import Keyframe

# Standard deviations: of a feature's place (pixels of the network's image), of one depth (its
# logarithm), of a tilt (logarithm of depth from the middle of the image to its edge, across and
# down), and of the logarithm of the focal length.
_PIXEL, _DEPTH = 1.0, 0.1
_TILT, _FOCAL = 0.3, 0.1
# Depth errors nearby are alike: all the matches tell no more than so many that are independent.
_INDEPENDENT = 16
_ROUNDS = 6
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
    shift = np.zeros(10)
    shift[3:6] = translation
    shift[6] = np.median(match.residual(rotation, shift)[:, 2])
    inverse_prior = np.zeros(10)
    inverse_prior[7:] = 1 / np.array([_TILT, _TILT, _FOCAL]) ** 2
    for _ in range(_ROUNDS):
        off = match.residual(rotation, shift)
        slope = np.stack(
            [
                (match.residual(rotation, shift + step) - off) / _DERIVATIVE
                for step in _DERIVATIVE * np.eye(10)
            ],
            -1,
        )
        along = (match.residual(rotation, shift, _DERIVATIVE) - off) / _DERIVATIVE
        covariance = _DEPTH**2 * along[:, :, None] * along[:, None]
        covariance += np.diag([_PIXEL**2, _PIXEL**2, _DEPTH**2])
        weight = np.linalg.inv(covariance)
        distance = np.einsum("ni,nij,nj->n", off, weight, off)
        # Cauchy's weights: a wrong match counts little.
        trust = 1 / (1 + distance / 9)
        trust *= min(1, _INDEPENDENT / trust.sum())
        weighted = np.einsum("n,nij,nip->njp", trust, weight, slope)
        information = np.einsum("njp,njq->pq", weighted, slope) + np.diag(inverse_prior)
        step = np.linalg.solve(
            information, -np.einsum("njp,nj->p", weighted, off) - inverse_prior * shift
        )
        rotation, shift = cv2.Rodrigues(step[:3])[0] @ rotation, shift + step
        shift[:3] = 0
    if np.median(distance) > _MEDIAN or not np.isfinite(shift).all():
        return None
    spread = np.linalg.inv(information)
    # The second camera is at -R^T t: it moves with both.
    x, y, z = shift[3:6]
    place = np.hstack([[[0, -z, y], [z, 0, -x], [-y, x, 0]], np.eye(3)])
    return RelativePose(
        rotation,
        shift[3:6],
        float(shift[6]),
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
        self._rays = (np.column_stack([a, np.ones(len(a))]) @ np.linalg.inv(lens).T)[:, :2]
        self._depth_a, self._depth_b = depth_at(first, a), depth_at(second, b)
        # From -1 to 1 over the image.
        half = np.array(first.depth.shape[::-1]) / 2
        self._from_middle_a, self._from_middle_b = a / half - 1, b / half - 1

    def residual(self, rotation: Floats, shift: Floats, log_depth: float = 0.0) -> Floats:
        """[N,3]: x and y (pixels) and logarithm of the depth in the second image, too much of.

        shift [10]: a rotation vector after `rotation`, translation, log_ratio, tilt [2], logarithm
        of the focal length; log_depth: added to all depths of the first.
        """
        tilt, zoom = shift[7:9], np.exp(shift[9])
        depth = self._depth_a * np.exp(self._from_middle_a @ tilt + log_depth)
        points = np.column_stack([self._rays / zoom, np.ones(len(depth))]) * depth[:, None]
        points = points @ (cv2.Rodrigues(shift[:3])[0] @ rotation).T + shift[3:6]
        z = np.maximum(points[:, 2], 1e-6 * depth)
        focal = np.diag(self._lens)[:2] * zoom
        off = focal * points[:, :2] / z[:, None] + self._lens[:2, 2] - self._pixel
        ratio = np.log(z / self._depth_b) - self._from_middle_b @ tilt - shift[6]
        return np.column_stack([off, ratio])


def depth_at(keyframe: Keyframe, pixels: NDArray[np.float32]) -> NDArray[np.float64]:
    """Depth [N] at the nearest of the keyframe's pixels to each of [N,2] (x, y)."""
    x, y = np.rint(pixels).astype(np.int64).T
    return keyframe.depth[y, x].astype(np.float64)
