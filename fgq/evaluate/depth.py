"""Depth error after one scale a sequence."""

from __future__ import annotations

import torch
from torch import Tensor


def depth_metrics(predicted: Tensor, truth: Tensor) -> dict[str, float]:
    """AbsRel, log-RMSE and delta < 1.25 over the pixels whose truth is known.

    predicted, truth: [S,H,W]; truth is 0 where unknown. The scale is the median
    ratio of the sequence. Raises ValueError where no pixel is known.
    """
    known = truth > 0
    if not known.any():
        raise ValueError("no pixel has a true depth")
    p, t = predicted[known].double().clamp(min=1e-6), truth[known].double()
    p = p * (t / p).median()
    ratio = torch.maximum(p / t, t / p)
    return {
        "abs_rel": ((p - t).abs() / t).mean().item(),
        "log_rmse": (p / t).log().square().mean().sqrt().item(),
        "delta1": (ratio < 1.25).double().mean().item(),
    }
