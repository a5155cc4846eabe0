"""The lens that is taken where matches hardly tell it, and how far depth is believed then."""

import numpy as np
import pytest

from app.refinement.depth import correct_depth
from app.refinement.evidence import Cameras
from app.refinement.lens import Candidate, choose, is_credible, tells_lens
from app.refinement.mapping import Model, Observations

POINTS = 100


def candidate(
    focal: float, score: float, bend: float = 0.0, track_length: int = 2, parallax: float = 0.3
) -> Candidate:
    """Two frames of a lens; log depth of half of the points is off by twice the bend."""
    depth = np.full(POINTS, focal / 100)
    depth[::2] *= np.exp(2 * bend)
    seen = Observations(
        np.arange(POINTS, dtype=np.uint32),
        np.zeros((POINTS, 2)),
        depth,
        np.zeros(POINTS),
        np.full(POINTS, float(track_length)),
    )
    cameras = Cameras({0: np.eye(3, 4), 1: np.eye(3, 4)}, np.full(2, focal))
    return Candidate(Model(cameras, {0: seen, 1: seen}, parallax), {}, score)


def test_of_lenses_that_explain_as_much_the_middle_one_is_taken_with_their_disagreement() -> None:
    lenses = [candidate(600, 30, 0.2), candidate(300, 29.5), candidate(400, 29.8, 0.1)]
    chosen = choose([*lenses, candidate(900, 20, 5.0)])
    assert chosen.model is lenses[2].model
    assert chosen.doubt == pytest.approx(0.1)


def test_points_that_three_frames_see_tell_the_lens() -> None:
    best = candidate(600, 30, 0.2, track_length=3)
    assert tells_lens(best.model)
    assert not tells_lens(candidate(600, 30).model)
    chosen = choose([candidate(300, 29.9), best, candidate(400, 29.9)])
    assert chosen.model is best.model
    assert chosen.doubt == 0


def test_models_that_share_no_points_leave_depth_in_doubt() -> None:
    first, second = candidate(300, 30), candidate(400, 30)
    for seen in second.model.observations.values():
        seen.features[:] += POINTS
    assert choose([first, second]).doubt == np.inf


@pytest.mark.parametrize(
    ("focal", "degrees", "credible"),
    [(400, 2, True), (700, 2, False), (200, 2, False), (700, 20, True)],
)
def test_another_lens_takes_parallax(focal: float, degrees: float, credible: bool) -> None:
    model = candidate(focal, 30, parallax=np.radians(degrees)).model
    assert is_credible(model, np.array([400.0, 410.0])) == credible


@pytest.mark.parametrize(("doubt", "corrected"), [(0.0, True), (0.05, True), (0.15, False)])
def test_depth_moves_only_if_it_is_farther_off_than_the_lens_leaves_open(
    doubt: float, corrected: bool
) -> None:
    pixels = np.random.default_rng(0).uniform(0, 39, (200, 2))
    known = 2 * np.exp(0.3 * pixels[:, 0] / 39 - 0.15)
    moved = correct_depth(np.full((40, 40), 2, np.float32), pixels, known, doubt)
    assert (moved is not None) == corrected
