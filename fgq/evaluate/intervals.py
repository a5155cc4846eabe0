"""Bootstrap intervals over clips: how far a figure could be off, how sure a difference is.

Resampling takes whole clips: the pairs of views of a clip share its images, and pairs drawn one by
one would make every interval too narrow. Clips of one sequence share a scene too, so an interval
speaks of other clips of that sequence, not of other scenes.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from statistics import NormalDist
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]
Statistic = Literal["mean", "median"]
RESAMPLES = 2000


class Interval(NamedTuple):
    """An estimate with the bounds of its interval; None where one clip is all there is."""

    value: float
    low: float | None
    high: float | None


def bootstrap_interval(
    values: ArrayLike, seed: int, statistic: Statistic = "mean", level: float = 0.95
) -> Interval:
    """Interval of the mean or median of per-clip values [N], or of values of each clip's pairs
    [N, pairs] that are pooled. ValueError if there is no clip or a value is not finite."""
    clips = _by_clip(values)
    return _interval(lambda chosen: _reduce(clips, chosen, statistic), len(clips), seed, level)


def paired_bootstrap(
    a: ArrayLike, b: ArrayLike, seed: int, statistic: Statistic = "mean", level: float = 0.95
) -> Interval:
    """Interval of statistic(b) - statistic(a), where row i of both [N] or [N, pairs] is the same
    clip: both are resampled together, so what makes a clip hard for both cancels.

    It excludes 0 where the difference is significant at 1 - level. ValueError as above, or if the
    shapes differ.
    """
    first, second = _by_clip(a), _by_clip(b)
    if first.shape != second.shape:
        raise ValueError(f"not the same clips: {first.shape} values against {second.shape}")

    def difference(chosen: Indices) -> Floats:
        return _reduce(second, chosen, statistic) - _reduce(first, chosen, statistic)

    return _interval(difference, len(first), seed, level)


def _by_clip(values: ArrayLike) -> Floats:
    clips = np.asarray(values, np.float64)
    if clips.ndim == 0 or clips.size == 0 or not np.isfinite(clips).all():
        raise ValueError("a bootstrap needs at least one clip and finite values")
    return clips.reshape(len(clips), -1)


def _reduce(clips: Floats, chosen: Indices, statistic: Statistic) -> Floats:
    """Statistic of the pooled values of each row of clip indices [R, N] -> [R]."""
    if statistic == "mean":  # every clip has as many values, so means of clips pool
        return np.asarray(clips.mean(1)[chosen].mean(1))
    return np.asarray(np.median(clips[chosen].reshape(len(chosen), -1), axis=1))


def _interval(
    estimate: Callable[[Indices], Floats], count: int, seed: int, level: float
) -> Interval:
    """Expanded percentile interval (Hesterberg 2015, The American Statistician 69(4)).

    The plain percentile interval is too narrow for few clips: by sqrt((n - 1) / n) because the
    sample's own variance is resampled, and by normal instead of t quantiles.
    """
    value = float(estimate(np.arange(count)[None])[0])
    if count == 1:
        return Interval(value, None, None)
    estimates = estimate(np.random.default_rng(seed).integers(count, size=(RESAMPLES, count)))
    z = _t_quantile(1 - (1 - level) / 2, count - 1) * math.sqrt(count / (count - 1))
    tail = NormalDist().cdf(-z)
    low, high = np.quantile(estimates, (tail, 1 - tail))
    return Interval(value, float(low), float(high))


def _t_quantile(probability: float, freedom: int) -> float:
    """Student's t quantile by its Cornish-Fisher series (Abramowitz and Stegun 26.7.5)."""
    z = NormalDist().inv_cdf(probability)
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
    )
    return z + sum(term / freedom**power for power, term in enumerate(terms, 1))
