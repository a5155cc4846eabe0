"""Depth error after one scale a sequence or one scale an image."""

from __future__ import annotations

import torch
from torch import Tensor


def depth_metrics(predicted: Tensor, truth: Tensor, per_image: bool = False) -> dict[str, float]:
    """AbsRel, RMSE, log-RMSE and delta < 1.25 over the pixels whose truth is known.

    predicted, truth: [S,H,W]; truth is 0 where unknown, and RMSE is in its unit. The scale is the
    median ratio of the sequence, or of each image; all pixels weigh the same. Raises ValueError
    where no pixel is known.
    """
    known = truth > 0
    if not known.any():
        raise ValueError("no pixel has a true depth")
    maps = zip(predicted, truth, strict=True) if per_image else [(predicted, truth)]
    aligned = torch.cat([_aligned(p[t > 0], t[t > 0]) for p, t in maps])
    depth = truth[known].double()
    return {
        "abs_rel": ((aligned - depth).abs() / depth).mean().item(),
        "rmse": (aligned - depth).square().mean().sqrt().item(),
        "log_rmse": (aligned / depth).log().square().mean().sqrt().item(),
        "delta1": (torch.maximum(aligned / depth, depth / aligned) < 1.25).double().mean().item(),
    }


def _aligned(predicted: Tensor, truth: Tensor) -> Tensor:
    """Known depths [N] of a prediction in the scale of the truth, in float64."""
    if len(truth) == 0:
        return truth.double()
    predicted, truth = predicted.double().clamp(min=1e-6), truth.double()
    return predicted * (truth / predicted).median()
