"""Relative camera pose error over all pairs of views, and the area under its accuracy curve."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def relative_pose_errors(predicted: Tensor, truth: Tensor) -> tuple[Tensor, Tensor]:
    """Errors of the relative pose of every pair of views i < j.

    predicted, truth: extrinsics [S,3,4] (camera-from-world), each in a world and scale of its own.
    Returns rotation error and error of the translation's direction, each [S*(S-1)/2] in degrees.
    A direction is not told from its opposite by many benchmarks; here it is: 0 to 180 degrees.
    """
    first, second = torch.triu_indices(len(truth), len(truth), offset=1)
    rotation_p, translation_p = _relative(predicted.double(), first, second)
    rotation_t, translation_t = _relative(truth.double(), first, second)
    # Neither angle goes through an arc cosine, which cannot tell 0 from 0.03 degrees in fp32.
    chord = (rotation_p - rotation_t).flatten(1).norm(dim=-1) / math.sqrt(8)
    rotation_error = 2 * torch.asin(chord.clamp(max=1))
    sine = torch.linalg.cross(translation_p, translation_t).norm(dim=-1)
    direction_error = torch.atan2(sine, (translation_p * translation_t).sum(-1))
    return torch.rad2deg(rotation_error), torch.rad2deg(direction_error)


def auc(rotation_error: Tensor, translation_error: Tensor, threshold: int) -> float:
    """Mean over t = 1..threshold degrees of the share of pairs whose larger error is below t."""
    worst = torch.maximum(rotation_error, translation_error)
    limits = torch.arange(1, threshold + 1, dtype=worst.dtype)
    return (worst[:, None] < limits).double().mean().item()


def pose_metrics(rotation_error: Tensor, translation_error: Tensor) -> dict[str, float]:
    """Summary of the pairs of a whole set: degrees, and AUC at 3, 5, 15 and 30 degrees."""
    metrics = {
        "rotation_median_deg": rotation_error.median().item(),
        "rotation_mean_deg": rotation_error.mean().item(),
        "translation_median_deg": translation_error.median().item(),
    }
    for limit in (3, 5, 15, 30):
        metrics[f"auc{limit}"] = auc(rotation_error, translation_error, limit)
    return metrics


def _relative(extrinsic: Tensor, first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    rotation = extrinsic[second, :, :3] @ extrinsic[first, :, :3].transpose(-1, -2)
    translation = extrinsic[second, :, 3:] - rotation @ extrinsic[first, :, 3:]
    return rotation, translation[..., 0]
