"""Relative camera pose error over all pairs of views, and what is said of many pairs."""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

THRESHOLDS = (3, 5, 15, 30)  # degrees, of AUC
ACCURACY_THRESHOLDS = (5, 15, 30)  # degrees, of RRA and RTA


def relative_poses(extrinsic: Tensor) -> tuple[Tensor, Tensor]:
    """Second camera from first camera, for every pair of views i < j of extrinsic [S, 3, 4].

    Returns rotations [S*(S-1)/2, 3, 3] and translations [S*(S-1)/2, 3] in float64.
    """
    first, second = torch.triu_indices(len(extrinsic), len(extrinsic), offset=1)
    extrinsic = extrinsic.double()
    rotation = extrinsic[second, :, :3] @ extrinsic[first, :, :3].mT
    translation = extrinsic[second, :, 3:] - rotation @ extrinsic[first, :, 3:]
    return rotation, translation[..., 0]


def relative_pose_errors(predicted: Tensor, truth: Tensor) -> tuple[Tensor, Tensor]:
    """Errors of the relative pose of every pair of views i < j.

    predicted, truth: extrinsics [S,3,4] (camera-from-world), each in a world and scale of its own.
    Returns rotation error and error of the translation's direction, each [S*(S-1)/2] in degrees.
    A direction is not told from its opposite by many benchmarks; here it is: 0 to 180 degrees.
    """
    rotation_p, translation_p = relative_poses(predicted)
    rotation_t, translation_t = relative_poses(truth)
    sine = torch.linalg.cross(translation_p, translation_t).norm(dim=-1)
    direction_error = torch.atan2(sine, (translation_p * translation_t).sum(-1))
    return rotation_angle(rotation_p, rotation_t), torch.rad2deg(direction_error)


def rotation_angle(first: Tensor, second: Tensor) -> Tensor:
    """Degrees between rotations [N, 3, 3] -> [N], without an arc cosine, which cannot tell 0 from
    0.03 degrees in fp32."""
    chord = (first - second).flatten(1).norm(dim=-1) / math.sqrt(8)
    return torch.rad2deg(2 * torch.asin(chord.clamp(max=1)))


def auc_shares(error: NDArray[np.float64], threshold: int) -> NDArray[np.float64]:
    """What each pair adds to the area under the accuracy curve: its mean over pairs is AUC.

    error: degrees, of any shape. AUC is the mean over t = 1..threshold degrees of the share of
    pairs with an error below t (bins of 1 degree, arXiv 2503.11651).
    """
    return np.clip(threshold - np.floor(error), 0, threshold) / threshold


def pose_pair_values(
    rotation: NDArray[np.float64], direction: NDArray[np.float64]
) -> dict[str, NDArray[np.float64]]:
    """Per pair (any shape, degrees) what AUC, RRA and RTA are the mean of.

    AUC takes the larger of both errors; RRA@t and RTA@t are the shares of pairs with a rotation
    or direction error below t degrees.
    """
    worst = np.maximum(rotation, direction)
    values = {f"auc{limit}": auc_shares(worst, limit) for limit in THRESHOLDS}
    for limit in ACCURACY_THRESHOLDS:
        values[f"rra{limit}"] = (rotation < limit).astype(np.float64)
        values[f"rta{limit}"] = (direction < limit).astype(np.float64)
    return values
