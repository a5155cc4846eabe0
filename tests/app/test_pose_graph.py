"""A graph of cameras with scales is solved exactly, and wrong loops do not bend it."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from app.capture._cv2 import cv2
from app.geometry import Sim3, rotation_angle
from app.reconstruction.pose_graph import Edge, Node, optimize, solve_differences

COUNT = 40

Sigma = tuple[float, float, float]


def small_turn(rng: np.random.Generator, sigma: float) -> np.ndarray:
    return cv2.Rodrigues(rng.normal(scale=sigma, size=3))[0]


def make_path(seed: int) -> list[Node]:
    """A round walk of cameras whose depth has a scale that wanders."""
    rng = np.random.default_rng(seed)
    angles = np.linspace(0, 2 * np.pi, COUNT)
    nodes = []
    for i, angle in enumerate(angles):
        rotation = cv2.Rodrigues(np.array([0.0, angle, 0.0]))[0] @ small_turn(rng, 0.05)
        centre = np.array([np.cos(angle), 0.1 * rng.normal(), np.sin(angle)])
        nodes.append(Node(rotation, centre, 0.0 if i == 0 else float(rng.normal(scale=0.2))))
    return nodes


STEP, LOOP = (0.03, 0.05, 0.05), (0.04, 0.07, 0.07)


def edge(nodes: list[Node], first: int, second: int, sigma: Sigma = LOOP) -> Edge:
    """What the true cameras say about two of them."""
    a, b = nodes[first], nodes[second]
    rotation = b.rotation.T @ a.rotation
    shift = b.rotation.T @ (a.centre - b.centre) / np.exp(a.log_scale)
    difference = b.log_scale - a.log_scale
    return Edge(first, second, rotation, shift, difference, sigma)


def drifting(true: list[Node], seed: int) -> tuple[list[Node], list[Edge]]:
    """Steps that turn and scale too much each time, and the cameras they lead to."""
    rng = np.random.default_rng(seed)
    bias = cv2.Rodrigues(np.array([0.0, 0.02, 0.01]))[0]
    nodes, steps = [true[0]], []
    for k in range(COUNT - 1):
        exact = edge(true, k, k + 1, STEP)
        step = Edge(
            k,
            k + 1,
            bias @ small_turn(rng, 0.004) @ exact.rotation,
            exact.translation * np.exp(rng.normal(scale=0.02)),
            exact.log_scale + 0.03,
            STEP,
        )
        last = nodes[-1]
        rotation = last.rotation @ step.rotation.T
        centre = last.centre - rotation @ step.translation * np.exp(last.log_scale)
        nodes.append(Node(rotation, centre, last.log_scale + step.log_scale))
        steps.append(step)
    return nodes, steps


def off(found: list[Node], true: list[Node]) -> tuple[float, float, float]:
    """Largest angle (radians), distance and difference of log scales."""
    pairs = list(zip(found, true, strict=True))
    return (
        max(float(rotation_angle(a.rotation @ b.rotation.T)) for a, b in pairs),
        max(float(np.linalg.norm(a.centre - b.centre)) for a, b in pairs),
        max(abs(a.log_scale - b.log_scale) for a, b in pairs),
    )


@pytest.mark.parametrize("seed", range(3))
def test_true_edges_give_the_true_cameras(seed: int) -> None:
    true = make_path(seed)
    steps = [edge(true, k, k + 1, STEP) for k in range(COUNT - 1)]
    loops = [edge(true, 0, COUNT - 1), edge(true, 3, 30)]
    start, _ = drifting(true, seed)
    assert max(off(optimize(start, steps, loops), true)) < 1e-3


@pytest.mark.parametrize("seed", range(3))
def test_one_loop_takes_most_of_the_drift(seed: int) -> None:
    true = make_path(seed)
    start, steps = drifting(true, seed)
    loops = [edge(true, a, COUNT - 1 - b) for a, b in ((0, 0), (1, 1), (2, 0))]
    before, after = off(start, true), off(optimize(start, steps, loops), true)
    assert after[0] < before[0] / 3
    assert after[1] < before[1] / 2
    assert after[2] < before[2] / 3


@pytest.mark.parametrize("seed", range(3))
def test_a_wrong_loop_among_true_ones_changes_nothing(seed: int) -> None:
    true = make_path(seed)
    start, steps = drifting(true, seed)
    loops = [edge(true, a, COUNT - 1 - b) for a, b in ((0, 0), (1, 1), (2, 0), (0, 2))]
    wrong = Edge(5, 25, small_turn(np.random.default_rng(seed), 1.5), np.zeros(3), 1.5, LOOP)
    expected = optimize(start, steps, loops)
    turn, shift, scale = off(optimize(start, steps, [*loops, wrong]), expected)
    assert turn < 0.05
    assert shift < 0.15
    assert scale < 0.05


def test_a_loop_weighs_as_much_as_it_is_sure() -> None:
    """Against a chain of COUNT - 1 steps, by the variances of both."""
    true = make_path(0)
    steps = [edge(true, k, k + 1, STEP) for k in range(COUNT - 1)]
    exact = edge(true, 0, COUNT - 1)
    shares = []
    for factor in (0.1, 1.0, 3.0, 30.0):
        sigma = factor * STEP[2] * np.sqrt(COUNT - 1)
        loop = replace(exact, log_scale=exact.log_scale + 0.01, sigma=(1.0, 1.0, float(sigma)))
        moved = optimize(true, steps, [loop])[-1].log_scale - true[-1].log_scale
        shares.append(moved / 0.01)
    expected = [1 / (1 + factor**2) for factor in (0.1, 1.0, 3.0, 30.0)]
    assert shares == pytest.approx(expected, abs=0.02)


def test_a_long_path_with_many_loops_is_solved_as_by_a_dense_solver() -> None:
    rng = np.random.default_rng(0)
    count = 300
    first = np.concatenate([np.arange(count - 1), rng.integers(0, 200, 80)])
    second = np.concatenate([np.arange(1, count), rng.integers(210, count, 80)])
    weight, wanted = rng.uniform(100, 1000, len(first)), rng.normal(size=(len(first), 3))
    incidence = np.zeros((len(first), count))
    incidence[np.arange(len(first)), second] = 1
    incidence[np.arange(len(first)), first] -= 1
    root = np.sqrt(weight)[:, None]
    expected = np.linalg.lstsq(root * incidence[:, 1:], root * wanted)[0]
    found = solve_differences(first, second, weight, wanted)
    assert_allclose(found[1:], expected, atol=1e-3)
    assert_array_equal(found[0], 0)


def test_the_first_camera_and_its_scale_stay() -> None:
    true = make_path(0)
    world = Sim3(1.0, small_turn(np.random.default_rng(1), 1.0), np.array([3.0, 2, 1]))
    moved = [
        Node(world.rotation @ n.rotation, world.apply(n.centre), n.log_scale + 0.4) for n in true
    ]
    steps = [edge(true, k, k + 1, STEP) for k in range(COUNT - 1)]
    first = optimize(moved, steps, [])[0]
    assert off([first], moved[:1]) == pytest.approx((0, 0, 0), abs=1e-7)
