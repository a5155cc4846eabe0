"""Bootstrap intervals where the truth is known, and summaries of results by clip."""

import numpy as np
import pytest

from fgq.evaluate import bootstrap_interval, compare, paired_bootstrap, summarize
from fgq.evaluate.intervals import Interval, _t_quantile


def width(interval: Interval) -> float:
    assert interval.low is not None
    assert interval.high is not None
    return interval.high - interval.low


def covers(interval: Interval, truth: float) -> bool:
    assert interval.low is not None
    assert interval.high is not None
    return interval.low <= truth <= interval.high


@pytest.mark.parametrize("count", [12, 24])
def test_an_interval_covers_the_true_mean_as_often_as_it_says(count: int) -> None:
    rng = np.random.default_rng(0)
    trials = rng.normal(3, 2, size=(400, count))
    share = np.mean([covers(bootstrap_interval(x, seed), 3) for seed, x in enumerate(trials)])
    assert 0.92 <= share <= 0.975


def test_an_interval_covers_the_true_median_of_pairs_that_share_a_clip() -> None:
    rng = np.random.default_rng(0)
    trials = rng.normal(size=(150, 25, 1)) + 0.3 * rng.normal(size=(150, 25, 4))
    hits = [covers(bootstrap_interval(x, s, "median"), 0) for s, x in enumerate(trials)]
    assert 0.91 <= np.mean(hits) <= 0.99
    # Pairs drawn one by one would seem to know far more.
    pairs = bootstrap_interval(trials[0].ravel(), 0, "median")
    assert width(bootstrap_interval(trials[0], 0, "median")) > 1.5 * width(pairs)


def test_pooled_values_of_a_clip_count_once() -> None:
    by_clip = np.random.default_rng(0).normal(size=24)
    for statistic in ("mean", "median"):
        once = bootstrap_interval(by_clip, 5, statistic)
        repeated = bootstrap_interval(np.repeat(by_clip[:, None], 6, axis=1), 5, statistic)
        np.testing.assert_allclose(once, repeated)
    assert bootstrap_interval(by_clip, 5).value == by_clip.mean()
    assert bootstrap_interval(by_clip, 5, "median").value == np.median(by_clip)


def test_pairing_removes_what_makes_a_clip_hard() -> None:
    rng = np.random.default_rng(0)
    hard = rng.normal(size=40)
    a, b = hard + 0.05 * rng.normal(size=(2, 40))
    b += 0.1
    difference = paired_bootstrap(a, b, seed=0)
    assert difference.value == pytest.approx(b.mean() - a.mean())
    assert width(difference) < 0.1 * width(bootstrap_interval(a, seed=0))
    assert difference.low is not None
    assert difference.low > 0
    backwards = paired_bootstrap(b, a, seed=0)
    np.testing.assert_allclose(backwards, (-difference.value, -difference.high, -difference.low))


def test_paired_intervals_cover_the_true_difference() -> None:
    rng = np.random.default_rng(1)
    hits = []
    for seed in range(300):
        a = rng.exponential(size=30)
        b = a + rng.normal(0.2, 0.3, size=30)
        hits.append(covers(paired_bootstrap(a, b, seed), 0.2))
    assert 0.92 <= np.mean(hits) <= 0.98


def test_intervals_are_reproducible_and_wider_at_a_higher_level() -> None:
    values = np.random.default_rng(0).normal(size=24)
    assert bootstrap_interval(values, 1) == bootstrap_interval(values, 1)
    assert bootstrap_interval(values, 1) != bootstrap_interval(values, 2)
    assert width(bootstrap_interval(values, 1, level=0.99)) > width(bootstrap_interval(values, 1))


def test_what_has_no_interval() -> None:
    assert bootstrap_interval([2.0], 0) == (2, None, None)
    for bad in ([], [1.0, float("nan")]):
        with pytest.raises(ValueError, match="finite"):
            bootstrap_interval(bad, 0)
    with pytest.raises(ValueError, match="same clips"):
        paired_bootstrap([1.0, 2.0], [1.0], 0)


@pytest.mark.parametrize(("freedom", "table"), [(7, 2.3646), (23, 2.0687), (63, 1.9983)])
def test_t_quantiles_are_those_of_the_table(freedom: int, table: float) -> None:
    assert _t_quantile(0.975, freedom) == pytest.approx(table, abs=1e-3)


def clip_result(index: int, rotation: list[float], **values: float) -> dict[str, object]:
    pairs = {
        "pair_rotation_deg": rotation,
        "pair_direction_deg": [2 * error for error in rotation],
        "pair_motion_deg": [10.0] * len(rotation),
    }
    return {"clip": f"clip {index}", **pairs, **values}


def test_a_summary_pools_pairs_and_skips_clips_without_a_metric() -> None:
    clips = [
        clip_result(0, [0.2, 4.0, 6.0], abs_rel=0.1),
        clip_result(1, [1.0, 2.0, 50.0]),
        clip_result(2, [3.0, 3.0, 3.0], abs_rel=0.4),
    ]
    summary = summarize(clips, seed=0)
    assert summary["rotation_median_deg"].value == 3
    assert summary["translation_median_deg"].value == 6
    assert summary["motion_median_deg"] == (10, 10, 10)
    assert summary["rotation_mean_deg"].value == pytest.approx(72.2 / 9)
    assert summary["abs_rel"].value == pytest.approx(0.25)
    assert summary["rra5"].value == pytest.approx(7 / 9)
    worst = 2 * np.array([0.2, 4, 6, 1, 2, 50, 3, 3, 3])
    assert summary["auc15"].value == pytest.approx(
        np.mean([(worst < t).mean() for t in range(1, 16)])
    )


def test_two_networks_are_compared_clip_by_clip() -> None:
    rng = np.random.default_rng(0)
    errors = rng.uniform(1, 30, size=(20, 6))
    first = [clip_result(i, row.tolist(), abs_rel=row[0]) for i, row in enumerate(errors)]
    second = [clip_result(i, (row + 0.5).tolist(), abs_rel=row[0]) for i, row in enumerate(errors)]
    del second[3]["abs_rel"]
    differences = compare(first, second, seed=0)
    np.testing.assert_allclose(differences["rotation_mean_deg"], (0.5, 0.5, 0.5))
    assert differences["abs_rel"] == (0, 0, 0)
    auc = differences["auc30"]
    assert auc.high is not None
    assert auc.high < 0
    with pytest.raises(ValueError, match="same clips"):
        compare(first, second[::-1], seed=0)
