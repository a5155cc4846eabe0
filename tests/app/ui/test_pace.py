"""How the size of a pass follows the time that passes take."""

from app.ui.pace import FEWEST, FEWEST_A_PICTURE, PASS_SECONDS, Pace


def settle(pace: Pace, seconds_a_point: float, fixed: float = 0.0, passes: int = 60) -> float:
    """Time of a pass after many."""
    seconds = 0.0
    for _ in range(passes):
        points = int(min(pace.points_a_pass, 5_000_000))
        seconds = fixed + points * seconds_a_point
        pace.took(points, seconds)
    return seconds


def test_passes_settle_just_below_what_they_should_take() -> None:
    for is_cpu in (True, False):
        for seconds_a_point in (1e-6, 2e-7):
            seconds = settle(Pace(is_cpu), seconds_a_point, fixed=0.005)
            assert 0.6 * PASS_SECONDS < seconds < 1.1 * PASS_SECONDS


def test_a_fast_adapter_draws_all_at_once() -> None:
    pace = Pace(is_cpu=False)
    settle(pace, 1e-9)
    assert pace.points_a_pass > 5_000_000
    assert pace.points_a_picture > 50_000_000


def test_a_slow_one_draws_few_but_never_none() -> None:
    pace = Pace(is_cpu=True)
    settle(pace, 1e-4)
    assert FEWEST <= pace.points_a_pass < 1.01 * FEWEST
    assert pace.points_a_picture == FEWEST_A_PICTURE


def test_one_delayed_pass_is_not_the_measure_of_all() -> None:
    pace = Pace(is_cpu=True)
    settle(pace, 1e-6)
    before = pace.points_a_pass
    pace.took(int(before), 3.0)
    assert pace.points_a_pass > 0.49 * before
    assert settle(pace, 1e-6, passes=10) > 0.6 * PASS_SECONDS


def test_a_small_pass_says_nothing_about_large_ones() -> None:
    pace = Pace(is_cpu=True)
    before = pace.points_a_pass, pace.points_a_picture
    pace.took(3, 0.5)
    pace.took(3, 1e-4)
    assert (pace.points_a_pass, pace.points_a_picture) == before
