"""Training losses of VGGT (arXiv 2503.11651), as in its released code.

Shapes: B scenes, S views, H x W pixels. Every loss is a scalar; a batch without enough valid
pixels gives a zero that still has a gradient.
"""

import math
from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from fgq.geometry import compose_se3, invert_se3, quaternion_to_matrix

STAGE_DECAY = 0.6  # the weight of an iteration of the camera head against the next one
FOV_WEIGHT = 0.5
CONFIDENCE_WEIGHT = 0.2  # of -log(confidence)
LARGEST_ERROR = 100.0
SHORT_STEP = 0.02  # of the scene's scale
LEAST_PIXELS = 100  # a scene's first view, or a batch, needs more of them to count
LEAST_FOR_QUANTILE = 1000


class Scene(NamedTuple):
    """Ground truth of B scenes in the frame of their first views and in their own scale."""

    extrinsic: Tensor  # [B, S, 3, 4]
    camera_points: Tensor  # [B, S, H, W, 3]
    world_points: Tensor  # [B, S, H, W, 3]
    depth: Tensor  # [B, S, H, W]


class CameraTerms(NamedTuple):
    translation: Tensor
    rotation: Tensor
    fov: Tensor


class DenseTerms(NamedTuple):
    confidence: Tensor
    regression: Tensor
    gradient: Tensor


def normalize_scene(
    extrinsic: Tensor, camera_points: Tensor, world_points: Tensor, depth: Tensor, mask: Tensor
) -> Scene:
    """Make the first view the world and the mean distance of valid points from it 1.

    extrinsic [B, S, 3, 4], points [B, S, H, W, 3], depth and mask [B, S, H, W].
    """
    first = extrinsic[:, :1]
    extrinsic = compose_se3(extrinsic, invert_se3(first))
    moved = world_points.flatten(2, 3) @ first[..., :3].mT + first[..., 3:].mT
    world_points = moved.view_as(world_points)
    distance = (world_points.norm(dim=-1) * mask).sum((1, 2, 3))
    scale = (distance / (mask.sum((1, 2, 3)) + 1e-3)).clamp(1e-6, 1e6).view(-1, 1, 1, 1)
    extrinsic = torch.cat((extrinsic[..., :3], extrinsic[..., 3:] / scale), dim=-1)
    return Scene(
        extrinsic, camera_points / scale[..., None], world_points / scale[..., None], depth / scale
    )


def camera_terms(
    pose_enc_list: Sequence[Tensor],
    target: Tensor,
    mask: Tensor | None = None,
    norm: Literal[1, 2] = 1,
) -> CameraTerms:
    """Errors of the pose codes [B, S, 9] of all iterations, later ones weighted more.

    Scenes whose first view has few valid pixels in mask [B, S, H, W] do not count. norm 1 is the
    mean over components, norm 2 the mean length.
    """
    if mask is None:
        counts = torch.ones(len(target), dtype=torch.bool, device=target.device)
    else:
        counts = mask[:, 0].sum((1, 2)) > LEAST_PIXELS
    zero = 0 * torch.stack(list(pose_enc_list)).sum()
    if not counts.any():
        return CameraTerms(zero, zero, zero)
    translation = rotation = fov = zero
    for age, code in enumerate(reversed(pose_enc_list)):
        parts = (code[counts] - target[counts]).split((3, 4, 2), dim=-1)
        sizes = [part.abs() if norm == 1 else part.norm(dim=-1) for part in parts]
        weight = STAGE_DECAY**age / len(pose_enc_list)
        translation = translation + weight * sizes[0].clamp(max=LARGEST_ERROR).mean()
        rotation = rotation + weight * sizes[1].mean()
        fov = fov + weight * sizes[2].mean()
    return CameraTerms(translation, rotation, fov)


def camera_loss(
    pose_enc_list: Sequence[Tensor], target: Tensor, mask: Tensor | None = None
) -> Tensor:
    """Weighted sum of `camera_terms`."""
    terms = camera_terms(pose_enc_list, target, mask)
    return terms.translation + terms.rotation + FOV_WEIGHT * terms.fov


def pair_loss(pose_enc_list: Sequence[Tensor], extrinsic: Tensor) -> Tensor:
    """Chords (about radians) by which rotation and direction of motion between every two views are
    wrong, for pose codes [B, S, 9] of all iterations and true extrinsic [B, S, 3, 4].

    `camera_loss` compares lengths, so that it hardly minds the direction of a short step; this is
    what AUC measures. Steps shorter than SHORT_STEP count less: their direction is not to be seen.
    """
    true_turn, true_step = _pairs(extrinsic)
    length = true_step.norm(dim=-1)
    weight = length / (length + SHORT_STEP)
    total = extrinsic.new_zeros(())
    for age, code in enumerate(reversed(pose_enc_list)):
        rotation = quaternion_to_matrix(code[..., 3:7])
        turn, step = _pairs(torch.cat((rotation, code[..., :3, None]), dim=-1))
        # An eps under the root: the slope of a length at zero is no number.
        turned = ((turn - true_turn).square().sum((-1, -2)) / 2 + 1e-6).sqrt()
        aim = step / (step.square().sum(-1, keepdim=True) + SHORT_STEP**2).sqrt()
        aside = ((aim - F.normalize(true_step, dim=-1)).square().sum(-1) + 1e-6).sqrt()
        total = total + STAGE_DECAY**age * (turned.mean() + (aside * weight).mean())
    return total / len(pose_enc_list)


def _pairs(extrinsic: Tensor) -> tuple[Tensor, Tensor]:
    """Rotation [B, N, 3, 3] and translation [B, N, 3] of every view relative to every earlier one
    of extrinsic [B, S, 3, 4]."""
    views = extrinsic.shape[1]
    first, second = torch.triu_indices(views, views, offset=1)
    relative = compose_se3(extrinsic[:, second], invert_se3(extrinsic[:, first]))
    return relative[..., :3], relative[..., 3]


def depth_loss(prediction: Tensor, confidence: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    """Sum of `dense_terms` of depth [B, S, H, W, 1], with the gradient of the error."""
    return sum_terms(dense_terms(prediction, confidence, target, mask, "difference", 0.98))


def point_loss(prediction: Tensor, confidence: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    """Sum of `dense_terms` of points [B, S, H, W, 3], with their surface normals."""
    return sum_terms(dense_terms(prediction, confidence, target, mask, "normal", 0.98))


def sum_terms(terms: DenseTerms) -> Tensor:
    return terms.confidence + terms.regression + terms.gradient


def dense_terms(
    prediction: Tensor,
    confidence: Tensor,
    target: Tensor,
    mask: Tensor,
    gradient: Literal["difference", "difference_confidence", "normal"],
    quantile: float | None = None,
) -> DenseTerms:
    """Errors of maps [B, S, H, W, C] where mask [B, S, H, W] holds.

    With a quantile the largest errors of the batch are left out of the first two terms: they are
    wrong ground truth more often than not.
    """
    if mask.sum() < LEAST_PIXELS:
        zero = 0 * (prediction.sum() + confidence.sum())
        return DenseTerms(zero, zero, zero)
    error = (prediction - target).norm(dim=-1)
    weighted = error * confidence - CONFIDENCE_WEIGHT * confidence.log()
    maps = [x.flatten(0, 1) for x in (prediction, target, mask, confidence)]
    if gradient == "normal":
        slope = _over_scales(normal_error, maps[:3], scales=3)
    elif gradient == "difference":
        slope = _over_scales(difference_error, maps[:3], scales=4)
    else:
        slope = _over_scales(difference_error, maps, scales=4)
    return DenseTerms(
        _robust_mean(weighted, mask, quantile), _robust_mean(error, mask, quantile), slope
    )


def _robust_mean(values: Tensor, mask: Tensor, quantile: float | None) -> Tensor:
    """Mean of values [B, S, H, W] where mask holds, those that are not finite counted as 0 and
    those beyond the quantile left out."""
    values = values.nan_to_num(0, 0, 0).clamp(-LARGEST_ERROR, LARGEST_ERROR)
    if quantile is None:
        return (values * mask).sum() / mask.sum()
    values = values[mask]
    if len(values) > LEAST_FOR_QUANTILE:
        rank = max(1, math.ceil(quantile * len(values)))
        inliers = values < values.detach().kthvalue(rank).values
        if inliers.sum() > LEAST_FOR_QUANTILE:
            values = values[inliers]
    return values.mean()


def _over_scales(function: Callable[..., Tensor], maps: Sequence[Tensor], scales: int) -> Tensor:
    """Mean of a loss over maps [N, H, W, ...] subsampled by 1, 2, 4, ..."""
    losses = [function(*(x[:, :: 2**i, :: 2**i] for x in maps)) for i in range(scales)]
    return torch.stack(losses).mean()


def difference_error(
    prediction: Tensor, target: Tensor, mask: Tensor, confidence: Tensor | None = None
) -> Tensor:
    """Mean change of the error of maps [N, H, W, C] from a pixel to the next, right and down.

    With confidence [N, H, W] each change is weighted by that of the right or lower pixel.
    """
    valid = mask[..., None].to(prediction.dtype)
    error = (prediction - target) * valid
    total = error.new_zeros(())
    for dim in (1, 2):
        length = error.shape[dim] - 1
        both = valid.narrow(dim, 0, length) * valid.narrow(dim, 1, length)
        change = (error.diff(dim=dim).abs() * both).clamp(max=LARGEST_ERROR)
        if confidence is not None:
            score = confidence[..., None].narrow(dim, 1, length)
            change = change * score - CONFIDENCE_WEIGHT * score.log()
        total = total + change.sum()
    return total / (valid.sum() * error.shape[-1]).clamp(min=1)


def normal_error(prediction: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    """Mean of 1 - cos between the surface normals of point maps [N, H, W, 3]."""
    valid = _corner_validity(mask)
    if valid.sum() < 10:
        return 0 * prediction.sum()
    cosine = (point_normals(prediction)[valid] * point_normals(target)[valid]).sum(-1)
    return (1 - cosine).mean()


def point_normals(points: Tensor) -> Tensor:
    """Unit normals [4, N, H, W, 3] at the four corners of each pixel of a map [N, H, W, 3].

    Each is spanned by the steps to two neighbours: up and left, left and down, down and right,
    right and up. Neighbours outside the map are at the origin.
    """
    sides = [side - points for side in _neighbours(points)]
    following = sides[1:] + sides[:1]
    normals = torch.stack([torch.linalg.cross(a, b) for a, b in zip(sides, following, strict=True)])
    return F.normalize(normals, dim=-1, eps=1e-8)


def _corner_validity(mask: Tensor) -> Tensor:
    """Whether the three pixels of each of `point_normals` are valid, [4, N, H, W]."""
    sides = [side[..., 0] for side in _neighbours(mask[..., None])]
    following = sides[1:] + sides[:1]
    return torch.stack([mask & a & b for a, b in zip(sides, following, strict=True)])


def _neighbours(x: Tensor) -> list[Tensor]:
    """The pixel above, to the left, below and to the right in maps [N, H, W, C]; 0 outside."""
    padded = F.pad(x, (0, 0, 1, 1, 1, 1))
    return [padded[:, :-2, 1:-1], padded[:, 1:-1, :-2], padded[:, 2:, 1:-1], padded[:, 1:-1, 2:]]
