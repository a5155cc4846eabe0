"""Cameras, rigid and similarity transforms and their errors, in numpy.

Conventions: OpenCV camera axes (x right, y down, z forward); `extrinsic` is camera-from-world
[R|t], `intrinsic` is in pixels; transforms are applied as x' = R x + t.
"""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.floating[Any]]

# A field of view outside of these (radians) has no finite, positive focal length.
_FOV_LIMITS = (0.02, np.pi - 0.02)
# Both ends of each edge of a camera's pyramid: 0 is its tip, 1 to 4 are the corners of its base.
_EDGES = [0, 1, 0, 2, 0, 3, 0, 4, 1, 2, 2, 3, 3, 4, 4, 1]


def quaternion_to_matrix(quaternion: Floats) -> Floats:
    """Rotations [...,3,3] of quaternions [...,4], scalar last, of any length but zero."""
    x, y, z, w = np.moveaxis(quaternion, -1, 0)
    s = 2.0 / np.maximum((quaternion**2).sum(-1), np.finfo(quaternion.dtype).tiny)
    rows = [
        [1 - s * (y * y + z * z), s * (x * y - z * w), s * (x * z + y * w)],
        [s * (x * y + z * w), 1 - s * (x * x + z * z), s * (y * z - x * w)],
        [s * (x * z - y * w), s * (y * z + x * w), 1 - s * (x * x + y * y)],
    ]
    return np.stack([np.stack(row, -1) for row in rows], -2)


def matrix_to_quaternion(rotation: Floats) -> Floats:
    """Unit quaternion [4], scalar last and not negative, of a rotation [3,3]."""
    m = np.asarray(rotation, np.float64)
    # The symmetric matrix whose largest eigenvector is the quaternion: no case distinction needed.
    k = np.array(
        [
            [m[0, 0] - m[1, 1] - m[2, 2], 0, 0, 0],
            [m[1, 0] + m[0, 1], m[1, 1] - m[0, 0] - m[2, 2], 0, 0],
            [m[2, 0] + m[0, 2], m[2, 1] + m[1, 2], m[2, 2] - m[0, 0] - m[1, 1], 0],
            [m[2, 1] - m[1, 2], m[0, 2] - m[2, 0], m[1, 0] - m[0, 1], np.trace(m)],
        ]
    )
    quaternion: Floats = np.linalg.eigh(k)[1][:, -1]
    return quaternion if quaternion[3] >= 0 else -quaternion


def decode_pose(pose_enc: Floats, size: tuple[int, int]) -> tuple[Floats, Floats]:
    """Cameras of VGGT's pose code.

    pose_enc [...,9]: translation, quaternion (scalar last), vertical and horizontal field of view
    in radians; size (H, W) in pixels. Returns extrinsic [...,3,4] and intrinsic [...,3,3] with the
    principal point in the middle of the image. Fields of view without a finite focal length are
    moved to the nearest that has one.
    """
    height, width = size
    extrinsic = np.concatenate(
        [quaternion_to_matrix(pose_enc[..., 3:7]), pose_enc[..., :3, None]], -1
    )
    half_fov = np.clip(pose_enc[..., 7:9], *_FOV_LIMITS) / 2
    intrinsic = np.zeros((*pose_enc.shape[:-1], 3, 3), pose_enc.dtype)
    intrinsic[..., 0, 0] = width / 2 / np.tan(half_fov[..., 1])
    intrinsic[..., 1, 1] = height / 2 / np.tan(half_fov[..., 0])
    intrinsic[..., 0, 2] = width / 2
    intrinsic[..., 1, 2] = height / 2
    intrinsic[..., 2, 2] = 1
    return extrinsic, intrinsic


def unproject_depth(depth: Floats, intrinsic: Floats) -> Floats:
    """Points [...,H,W,3] in the camera's frame of z-depth [...,H,W]; pixel centres at integers."""
    height, width = depth.shape[-2:]
    k = intrinsic[..., None, None, :, :]
    x = (np.arange(width, dtype=depth.dtype) - k[..., 0, 2]) * depth / k[..., 0, 0]
    y = (np.arange(height, dtype=depth.dtype)[:, None] - k[..., 1, 2]) * depth / k[..., 1, 1]
    return np.stack([x, y, depth], -1)


def invert_se3(extrinsic: Floats) -> Floats:
    """Inverse [...,3,4] of rigid transforms [...,3,4]."""
    inverse = np.swapaxes(extrinsic[..., :3], -1, -2)
    return np.concatenate([inverse, -inverse @ extrinsic[..., 3:]], -1)


def to_homogeneous(transform: Floats) -> Floats:
    """[...,3,4] with the row 0 0 0 1 added: [...,4,4]."""
    last = np.broadcast_to(np.array([0, 0, 0, 1], transform.dtype), (*transform.shape[:-2], 1, 4))
    return np.concatenate([transform, last], -2)


def compose_se3(second: Floats, first: Floats) -> Floats:
    """The rigid transforms [...,3,4] that do the first [...,3,4], then the second [...,3,4]."""
    return second.astype(np.float64) @ to_homogeneous(first.astype(np.float64))


def depth_at(depth: Floats, pixels: Floats) -> Floats:
    """Depth [N] in the pixels of a map [H,W] nearest to places [N,2] (x, y), NaN outside."""
    height, width = depth.shape
    column, row = np.rint(pixels).astype(int).T
    inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
    found = np.full(len(pixels), np.nan)
    found[inside] = depth[row[inside], column[inside]]
    return found


def frustum(intrinsic: Floats, size: tuple[int, int], length: float) -> Floats:
    """Line segments [16,3] (pairs of ends) of a camera's pyramid, in its own frame.

    size: (H, W) in pixels; length: depth of the base.
    """
    height, width = size
    corners = np.array([[0, 0, 1], [width, 0, 1], [width, height, 1], [0, height, 1]], np.float64)
    base = length * corners @ np.linalg.inv(intrinsic).T
    return np.concatenate([np.zeros((1, 3)), base])[_EDGES].astype(np.float32)


def transform_points(transform: Floats, points: Floats) -> Floats:
    """Points [...,3] moved by one rigid transform [3,4]."""
    return points @ transform[:3, :3].T + transform[:3, 3]


def rotation_angle(rotation: Floats) -> Floats:
    """Angles [...] in radians of rotations [...,3,3], exact near zero too."""
    # |R - I| = 2 sqrt(2) sin(angle / 2): unlike arccos of the trace this keeps small angles.
    distance = np.linalg.norm(rotation - np.eye(3), axis=(-2, -1))
    return 2 * np.arcsin(np.clip(distance / np.sqrt(8), 0, 1))


def nearest_rotation(matrix: Floats) -> Floats:
    """The rotation [3,3] closest to a matrix [3,3]."""
    u, _, vt = np.linalg.svd(matrix)
    sign = np.array([1.0, 1.0, np.linalg.det(u) * np.linalg.det(vt)])
    return (u * sign) @ vt


@dataclass(frozen=True)
class Sim3:
    """Similarity x' = scale * rotation x + translation."""

    scale: float
    rotation: Floats
    translation: Floats

    @classmethod
    def identity(cls) -> Self:
        """The similarity that moves nothing."""
        return cls(1.0, np.eye(3), np.zeros(3))

    def apply(self, points: Floats) -> Floats:
        """Move points [...,3]."""
        return self.scale * points @ self.rotation.T + self.translation

    def move_extrinsic(self, extrinsic: Floats) -> Floats:
        """Camera-from-world [...,3,4] of the same cameras after the world was moved by this.

        Lengths in the camera's frame (its depth) grow by `scale`.
        """
        rotation = extrinsic[..., :3] @ self.rotation.T
        shift = self.scale * extrinsic[..., 3] - rotation @ self.translation
        return np.concatenate([rotation, shift[..., None]], -1)


def umeyama(source: ArrayLike, target: ArrayLike) -> Sim3:
    """Least-squares similarity from points [N,3] to points [N,3] (Umeyama 1991).

    Needs three points that are not on one line for a unique rotation; the scale of points that
    all coincide is 1.
    """
    x, y = np.asarray(source, np.float64), np.asarray(target, np.float64)
    x_mean, y_mean = x.mean(0), y.mean(0)
    x, y = x - x_mean, y - y_mean
    covariance = y.T @ x
    rotation = nearest_rotation(covariance)
    variance = (x**2).sum()
    scale = float((rotation * covariance).sum() / variance) if variance > 0 else 1.0
    return Sim3(scale, rotation, y_mean - scale * rotation @ x_mean)


@dataclass(frozen=True)
class PoseErrors:
    """Errors of S estimated cameras against the truth.

    rotation_deg: median over all pairs of the angle between the relative rotations.
    translation_deg: median over all pairs of the angle between the directions of the relative
    translations. ate_percent: root mean square distance of the camera centres after the best
    Sim(3), in percent of the length of the true path. All are NaN where they have no meaning
    (fewer than two cameras; fewer than three for ate_percent; no motion).
    """

    rotation_deg: float
    translation_deg: float
    ate_percent: float


def pose_errors(estimate: Floats, truth: Floats) -> PoseErrors:
    """Compare cameras [S,3,4] with the true ones [S,3,4], both camera-from-world in any frame."""
    estimate, truth = np.asarray(estimate, np.float64), np.asarray(truth, np.float64)
    first, second = np.triu_indices(len(truth), 1)
    if len(first) == 0:
        return PoseErrors(np.nan, np.nan, np.nan)
    relative_estimate, relative_truth = (
        compose_se3(cameras[second], invert_se3(cameras[first])) for cameras in (estimate, truth)
    )
    difference = relative_estimate[:, :, :3] @ np.swapaxes(relative_truth[:, :, :3], 1, 2)
    rotation = np.median(rotation_angle(difference))

    a, b = relative_estimate[:, :, 3], relative_truth[:, :, 3]
    moved = np.linalg.norm(b, axis=1) > 0
    a, b = a[moved], b[moved]
    # An estimate that does not move at all has no direction: it counts as 90 degrees off.
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    cosine = (a * b).sum(1) / np.maximum(lengths, np.finfo(np.float64).tiny)
    direction = np.median(np.arccos(np.clip(cosine, -1, 1))) if moved.any() else np.nan

    centres, true_centres = invert_se3(estimate)[:, :, 3], invert_se3(truth)[:, :, 3]
    path = np.linalg.norm(np.diff(true_centres, axis=0), axis=1).sum()
    ate = np.nan
    if len(truth) >= 3 and path > 0:
        aligned = umeyama(centres, true_centres).apply(centres)
        ate = 100 * np.sqrt(((aligned - true_centres) ** 2).sum(1).mean()) / path
    return PoseErrors(float(np.degrees(rotation)), float(np.degrees(direction)), float(ate))
