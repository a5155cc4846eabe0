"""From results by clip to figures of a set with intervals, and to differences of two networks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fgq.evaluate.intervals import Interval, Statistic, bootstrap_interval, paired_bootstrap
from fgq.evaluate.measure import ClipResult
from fgq.evaluate.pose import pose_pair_values

POOLED: dict[str, tuple[str, Statistic]] = {
    "rotation_median_deg": ("pair_rotation_deg", "median"),
    "rotation_mean_deg": ("pair_rotation_deg", "mean"),
    "translation_median_deg": ("pair_direction_deg", "median"),
    "motion_median_deg": ("pair_motion_deg", "median"),
    "fidelity_rotation_median_deg": ("pair_fidelity_rotation_deg", "median"),
    "fidelity_rotation_mean_deg": ("pair_fidelity_rotation_deg", "mean"),
    "fidelity_translation_median": ("pair_fidelity_translation", "median"),
    "fidelity_translation_mean": ("pair_fidelity_translation", "mean"),
}


class Samples(NamedTuple):
    """Values of a metric by clip [N], or by clip and pair of views [N, pairs], NaN for a clip
    without it; the metric of the set is their mean or median."""

    values: NDArray[np.float64]
    statistic: Statistic


def results_by_set(report: Mapping[str, Any]) -> dict[tuple[str, int], list[ClipResult]]:
    """The results by clip in the JSON of `fgq evaluate`, by name of the set and number of views."""
    sets: dict[tuple[str, int], list[ClipResult]] = {}
    for clip in report["clips"]:
        sets.setdefault((clip["set"], clip["views"]), []).append(clip)
    return sets


def metric_samples(clips: Sequence[ClipResult]) -> dict[str, Samples]:
    """Every metric that some clip has, pose first. The clips have the same number of views."""
    by_pair = {
        key: np.array([clip[key] for clip in clips], np.float64)
        for key in clips[0]
        if key.startswith("pair_")
    }
    samples = {
        name: Samples(by_pair[key], statistic)
        for name, (key, statistic) in POOLED.items()
        if key in by_pair
    }
    pose = pose_pair_values(by_pair["pair_rotation_deg"], by_pair["pair_direction_deg"])
    samples |= {name: Samples(values, "mean") for name, values in pose.items()}
    # Not every clip has every metric: the first that has it places it. Labels are no floats.
    for name in dict.fromkeys(k for clip in clips for k, v in clip.items() if isinstance(v, float)):
        values = np.array([clip.get(name, np.nan) for clip in clips], np.float64)
        samples[name] = Samples(values, "mean")
    return samples


def summarize(clips: Sequence[ClipResult], seed: int) -> dict[str, Interval]:
    """Every metric of a set with its 95 % interval, over the clips that have it."""
    return {
        name: bootstrap_interval(values[_complete(values)], seed, statistic)
        for name, (values, statistic) in metric_samples(clips).items()
    }


def compare(
    first: Sequence[ClipResult], second: Sequence[ClipResult], seed: int
) -> dict[str, Interval]:
    """Second minus first in every metric that both have, with a paired 95 % interval.

    ValueError unless both are results of the same clips in the same order.
    """
    if [clip["clip"] for clip in first] != [clip["clip"] for clip in second]:
        raise ValueError("the results to compare are not of the same clips")
    others = metric_samples(second)
    differences = {}
    for name, (values, statistic) in metric_samples(first).items():
        if name not in others:
            continue
        both = _complete(values) & _complete(others[name].values)
        if both.any():
            a, b = values[both], others[name].values[both]
            differences[name] = paired_bootstrap(a, b, seed, statistic)
    return differences


def _complete(values: NDArray[np.float64]) -> NDArray[np.bool_]:
    return np.asarray(np.isfinite(values.reshape(len(values), -1)).all(1))
