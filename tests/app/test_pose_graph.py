"""A graph of cameras with scales is solved exactly, and wrong loops do not bend it."""

import numpy as np
import pytest

from app.capture._cv2 import cv2
from app.geometry import Sim3, rotation_angle
from app.reconstruction.pose_graph import Edge, Node, optimize

COUNT = 40


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


def edge(nodes: list[Node], first: int, second: int, robust: bool = False) -> Edge:
    """What the true cameras say about two of them."""
    a, b = nodes[first], nodes[second]
    rotation = b.rotation.T @ a.rotation
    shift = b.rotation.T @ (a.centre - b.centre) / np.exp(a.log_scale)
    difference = b.log_scale - a.log_scale
    return Edge(first, second, rotation, shift, difference, 0.5 if robust else 1.0, robust)


def drifting(true: list[Node], seed: int) -> tuple[list[Node], list[Edge]]:
    """Steps that turn and scale too much each time, and the cameras they lead to."""
    rng = np.random.default_rng(seed)
    bias = cv2.Rodrigues(np.array([0.0, 0.02, 0.01]))[0]
    nodes, steps = [true[0]], []
    for k in range(COUNT - 1):
        exact = edge(true, k, k + 1)
        step = Edge(
            k,
            k + 1,
            bias @ small_turn(rng, 0.004) @ exact.rotation,
            exact.translation * np.exp(rng.normal(scale=0.02)),
            exact.log_scale + 0.03,
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
    edges = [edge(true, k, k + 1) for k in range(COUNT - 1)]
    edges += [edge(true, 0, COUNT - 1, True), edge(true, 3, 30, True)]
    start, _ = drifting(true, seed)
    assert max(off(optimize(start, edges), true)) < 1e-4


@pytest.mark.parametrize("seed", range(3))
def test_one_loop_takes_most_of_the_drift(seed: int) -> None:
    true = make_path(seed)
    start, steps = drifting(true, seed)
    loops = [edge(true, a, COUNT - 1 - b, True) for a, b in ((0, 0), (1, 1), (2, 0))]
    before, after = off(start, true), off(optimize(start, steps + loops), true)
    assert after[0] < before[0] / 3
    assert after[1] < before[1] / 2
    assert after[2] < before[2] / 3


@pytest.mark.parametrize("seed", range(3))
def test_a_wrong_loop_among_true_ones_changes_nothing(seed: int) -> None:
    true = make_path(seed)
    start, steps = drifting(true, seed)
    loops = [edge(true, a, COUNT - 1 - b, True) for a, b in ((0, 0), (1, 1), (2, 0), (0, 2))]
    wrong = Edge(5, 25, small_turn(np.random.default_rng(seed), 1.5), np.zeros(3), 1.5, 0.5, True)
    expected = optimize(start, steps + loops)
    turn, shift, scale = off(optimize(start, [*steps, *loops, wrong]), expected)
    assert turn < 0.05
    assert shift < 0.15
    assert scale < 0.05


def test_the_first_camera_and_its_scale_stay() -> None:
    true = make_path(0)
    world = Sim3(1.0, small_turn(np.random.default_rng(1), 1.0), np.array([3.0, 2, 1]))
    moved = [
        Node(world.rotation @ n.rotation, world.apply(n.centre), n.log_scale + 0.4) for n in true
    ]
    edges = [edge(true, k, k + 1) for k in range(COUNT - 1)]
    first = optimize(moved, edges)[0]
    assert off([first], moved[:1]) == pytest.approx((0, 0, 0), abs=1e-7)
