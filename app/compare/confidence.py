"""Whether a network knows where it is wrong: error against the confidence that it predicted."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.geometry import Floats
from app.reconstruction.cloud import confidence_rank

BINS = 16
"""Of the confidence, in even steps of its logarithm."""

CUTS = np.arange(0, 96) / 100
"""Shares of the least confident pixels that may be hidden, as the window's slider offers them."""

_STRAYS = 0.002


@dataclass(frozen=True)
class ConfidenceCurve:
    """Relative errors of pixels (fractions) by the confidence that was predicted for them.

    confidence [B]: middle of a bin; pixels [B]: how many; median, p90 [B]: of their errors, NaN
    without a pixel. cuts [C]: share of each keyframe's least confident pixels that is hidden;
    kept_error [C]: mean error of those that stay.
    """

    confidence: NDArray[np.float64]
    pixels: NDArray[np.int64]
    median: NDArray[np.float64]
    p90: NDArray[np.float64]
    cuts: NDArray[np.float64]
    kept_error: NDArray[np.float64]

    def cut_for(self, error: float) -> float | None:
        """The smallest share to hide so that the mean error of the rest is at most this.

        None if no cut does it.
        """
        good = np.flatnonzero(self.kept_error <= error)
        return float(self.cuts[good[0]]) if len(good) else None


def confidence_curve(
    confidences: Sequence[NDArray[np.float32]], errors: Sequence[Floats]
) -> ConfidenceCurve:
    """The curve over maps [H,W] of confidence (> 0; 0 = none) and relative error (NaN = none)."""
    usable = [~np.isnan(e) & (c > 0) for c, e in zip(confidences, errors, strict=True)]
    pairs = list(zip(confidences, errors, usable, strict=True))
    confidence = np.concatenate([c[use] for c, _, use in pairs]).astype(np.float64)
    error = np.concatenate([e[use] for _, e, use in pairs]).astype(np.float64)
    rank = np.concatenate([confidence_rank(c)[use] for c, _, use in pairs])

    low, high = np.quantile(confidence, (_STRAYS, 1 - _STRAYS))
    edges = np.geomspace(low, max(high, low * 1.001), BINS + 1)
    place = np.clip(np.searchsorted(edges, confidence, "right") - 1, 0, BINS - 1)
    groups = [error[place == number] for number in range(BINS)]
    # Mean error of the pixels with at least a rank, for all 256 ranks from two sums.
    count = np.cumsum(np.bincount(rank, minlength=256)[::-1])[::-1]
    total = np.cumsum(np.bincount(rank, error, 256)[::-1])[::-1]
    lowest = np.ceil(255 * CUTS).astype(int)
    with np.errstate(invalid="ignore"):
        kept_error = total[lowest] / count[lowest]
    return ConfidenceCurve(
        confidence=np.sqrt(edges[:-1] * edges[1:]),
        pixels=np.array([len(group) for group in groups]),
        median=np.array([np.median(group) if len(group) else np.nan for group in groups]),
        p90=np.array([np.percentile(group, 90) if len(group) else np.nan for group in groups]),
        cuts=CUTS,
        kept_error=kept_error,
    )
