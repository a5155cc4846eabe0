"""Task losses in the units of the metrics: what errors inside the network are weighed by.

A task k has an output vector y_k, made such that half the squared distance of two of them is the
loss of taking one prediction for the other:

    L_k(prediction, reference) = 1/2 |y_k(prediction) - y_k(reference)|^2

The reference is the prediction in full precision. It supplies every constant (scales, weights),
so that y_k depends on the prediction through what the metric measures and nothing else, and
J_k^T J_k with J_k = dy_k / dh is the Gauss-Newton matrix of L_k for any activation h.

    camera   mean over views of |t - t'|^2 / scale^2 + angle^2 + |log fov - log fov'|^2
    depth    confidence-weighted mean over pixels of (log d - log d')^2
    points   confidence-weighted mean over pixels of |X - X'|^2 / (distance of X' to its camera)^2

All are free of units: relative lengths, radians, natural logarithms. So 1e-4 is an error of 1 %.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from fgq.geometry import quaternion_to_matrix
from fgq.vggt import Predictions

LEAST_FOV = 1e-3  # radians; below it the logarithm is cut off
LEAST_DEPTH = 1e-6
LEAST_DISTANCE = 0.1  # of the median; keeps a point at a camera from outweighing all others


def task_losses(predictions: Predictions, reference: Predictions) -> dict[str, Tensor]:
    """The loss [B] of every task of `task_outputs`; the module's text has the formulas."""
    y, y0 = task_outputs(predictions, reference), task_outputs(reference, reference)
    return {task: 0.5 * (y[task] - y0[task]).square().sum(1) for task in y}


def task_outputs(predictions: Predictions, reference: Predictions) -> dict[str, Tensor]:
    """{task: y [B, N]} for the tasks that the network has heads for.

    Differentiable in `predictions`; nothing flows into `reference`.
    """
    outputs = {}
    if "pose_enc" in predictions:
        pose = reference["pose_enc"].detach()
        outputs["camera"] = camera_output(predictions["pose_enc"], pose, scene_scale(reference))
    if "depth" in predictions:
        log_depth = predictions["depth"].clamp(min=LEAST_DEPTH).log()
        outputs["depth"] = _weighted(log_depth, reference["depth_conf"])
    if "world_points" in predictions:
        relative = predictions["world_points"] / camera_distance(reference)[..., None]
        outputs["points"] = _weighted(relative, reference["world_points_conf"])
    return outputs


@torch.no_grad()
def scene_scale(reference: Predictions) -> Tensor:
    """Median depth [B] of each scene; without a depth head 1, which is what training makes of
    scenes (their points are at a mean distance of 1)."""
    if "depth" not in reference:
        return reference["pose_enc"].new_ones(len(reference["pose_enc"]))
    return reference["depth"].flatten(1).median(dim=1).values.clamp(min=LEAST_DEPTH)


@torch.no_grad()
def camera_distance(reference: Predictions) -> Tensor:
    """Distance [B, S, H, W] of every point to the centre of its camera, in network scale.

    Without a camera head that of the first camera, which is the origin. At least `LEAST_DISTANCE`
    of the scene's median.
    """
    points = reference["world_points"]
    if "pose_enc" in reference:
        pose = reference["pose_enc"]
        centre = -quaternion_to_matrix(pose[..., 3:7]).mT @ pose[..., :3, None]
        points = points - centre[..., None, None, :, 0]
    distance = points.norm(dim=-1)
    median = distance.flatten(1).median(dim=1).values.view(-1, 1, 1, 1)
    return distance.clamp(min=LEAST_DISTANCE * median)


def camera_output(pose_enc: Tensor, reference: Tensor, scale: Tensor) -> Tensor:
    """Pose codes [B, S, 9] -> y [B, S * 8]: per view the translation in scene scales [3], the
    rotation from that of `reference` in radians [3], the logarithms of the fields of view [2].

    Divided by the square root of S, so that the squared length of a difference is a mean over
    views. scale [B].
    """
    translation = pose_enc[..., :3] / scale[:, None, None]
    rotation = rotation_tangent(pose_enc[..., 3:7], reference[..., 3:7])
    fov = pose_enc[..., 7:].clamp(min=LEAST_FOV).log()
    views = pose_enc.shape[1]
    return torch.cat((translation, rotation, fov), dim=-1).flatten(1) / views**0.5


def rotation_tangent(quaternion: Tensor, reference: Tensor) -> Tensor:
    """Quaternions [..., 4] (x y z w) -> the rotation [..., 3] from `reference`: axis times angle.

    The modified Rodrigues vector 4 tan(angle / 4) axis: smooth at no rotation, where the
    logarithm's formula is 0/0, and within 1 % of the angle up to 40 degrees.
    """
    q, q0 = F.normalize(quaternion, dim=-1), F.normalize(reference, dim=-1)
    v, w, v0, w0 = q[..., :3], q[..., 3:], q0[..., :3], q0[..., 3:]
    vector = w0 * v - w * v0 - torch.linalg.cross(v0, v)
    scalar = w0 * w + (v0 * v).sum(-1, keepdim=True)
    sign = torch.where(scalar < 0, -1.0, 1.0)
    return 4 * sign * vector / (1 + scalar.abs())


def _weighted(values: Tensor, confidence: Tensor) -> Tensor:
    """Maps [B, S, H, W, C] -> [B, N]: a difference's squared length is its confidence-weighted
    mean over pixels. confidence [B, S, H, W], >= 1."""
    weights = confidence.detach() / confidence.detach().sum(dim=(1, 2, 3), keepdim=True)
    return (values * weights.sqrt()[..., None]).flatten(1)
