"""Keyframes are chosen for reasons that can be shown."""

from collections.abc import Callable
from functools import cache

import numpy as np
import pytest

from app.capture import Frame, KeyframeSelector
from app.capture._cv2 import cv2

HEIGHT, WIDTH = 96, 128
MIN_MOTION = 0.07


@cache
def texture(seed: int = 0, side: int = 400) -> np.ndarray:
    """A picture [side,side,3] with structure at every place and of several sizes."""
    rng = np.random.default_rng(seed)
    layers = [
        np.kron(rng.uniform(20, 230, (side // cell, side // cell, 3)), np.ones((cell, cell, 1)))
        for cell in (40, 20, 10)
    ]
    return np.rint(np.mean(layers, 0)).astype(np.uint8)


def view(x: int, y: int = 0) -> np.ndarray:
    """A flat scene, from a camera at x."""
    return np.ascontiguousarray(texture()[y : y + HEIGHT, x : x + WIDTH])


def deep_view(x: int) -> np.ndarray:
    """A scene with pillars at half the distance, from a camera at x: they move twice as far."""
    image, pillars = view(x), texture(seed=1)[:HEIGHT, 2 * x : 2 * x + WIDTH]
    is_pillar = (np.arange(2 * x, 2 * x + WIDTH) // 40) % 2 == 0
    return np.where(is_pillar[None, :, None], pillars, image)


def turned_view(angle: float) -> np.ndarray:
    """The flat scene from a camera that turns in its place, in radians."""
    focal = 150.0
    intrinsic = np.array([[focal, 0, WIDTH / 2], [0, focal, HEIGHT / 2], [0, 0, 1]])
    place = np.array([[1.0, 0, 130], [0, 1, 150], [0, 0, 1]])
    rotation = cv2.Rodrigues(np.array([0, angle, 0]))[0]
    homography = place @ intrinsic @ rotation @ np.linalg.inv(intrinsic)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpPerspective(texture(), homography, (WIDTH, HEIGHT), flags=flags)


def frame(image: np.ndarray, index: int = 0) -> Frame:
    return Frame(index, index / 30, image, str(index))


def accepted(see: Callable[[float], np.ndarray], places: np.ndarray) -> tuple[list[int], list[str]]:
    """Which of the frames at these places become keyframes, and the reasons for all."""
    selector = KeyframeSelector(min_motion=MIN_MOTION)
    decisions = [selector.consider(frame(see(place))) for place in places]
    chosen = [i for i, decision in enumerate(decisions) if decision.accepted]
    return chosen, [decision.reason for decision in decisions]


def test_selector_says_why() -> None:
    selector = KeyframeSelector(min_motion=0.1, min_parallax=0)
    assert selector.consider(frame(view(0))).reason == "first"
    similar = selector.consider(frame(view(3)))
    assert not similar.accepted
    assert "too similar" in similar.reason
    moved = selector.consider(frame(view(20)))
    assert moved.accepted
    assert "moved" in moved.reason
    blurred = selector.consider(frame(cv2.blur(view(20), (15, 15))))
    assert blurred.reason == "blurred"
    assert selector.consider(frame(view(60) // 12)).reason == "too dark"
    assert selector.consider(frame(np.full_like(view(0), 255))).reason == "too bright"
    assert selector.consider(frame(texture(seed=9)[:HEIGHT, :WIDTH])).reason == "view changed"


def test_motion_is_measured_from_the_last_keyframe() -> None:
    selector = KeyframeSelector(min_motion=0.1, min_parallax=0)
    taken = [x for x in range(0, 80, 4) if selector.consider(frame(view(x))).accepted]
    steps = np.diff(taken)
    assert len(taken) >= 5
    assert (steps >= 0.1 * WIDTH).all()
    assert (steps <= 0.1 * WIDTH + 4).all()


def test_bare_views_are_taken_only_when_they_change() -> None:
    selector = KeyframeSelector()
    wall = np.full((HEIGHT, WIDTH, 3), 120, np.uint8)
    assert selector.consider(frame(wall)).accepted
    assert not selector.consider(frame(wall + 1)).accepted
    assert selector.consider(frame(wall + 40)).accepted


def test_size_may_change_in_mid_stream() -> None:
    selector = KeyframeSelector()
    assert selector.consider(frame(view(0))).accepted
    assert selector.consider(frame(view(0)[:40])).accepted


def test_moving_sideways_gives_a_keyframe_as_soon_as_it_is_far_enough() -> None:
    chosen, reasons = accepted(deep_view, np.arange(0, 60, 3))
    assert np.diff(chosen).max() <= 4
    assert not any("sideways" in reason for reason in reasons)


def test_turning_in_its_place_is_told_and_still_connects_the_path() -> None:
    angles = np.arange(0, 0.6, 0.02)
    chosen, reasons = accepted(turned_view, angles)
    motion = 0.02 * 150 / WIDTH
    assert len(chosen) >= 4
    # Twice as far apart as keyframes with parallax would be, and no farther.
    assert np.diff(chosen).min() * motion > 1.5 * MIN_MOTION
    assert np.diff(chosen).max() * motion < 3 * MIN_MOTION
    between = [reason for i, reason in enumerate(reasons) if i not in chosen]
    assert all("move sideways" in reason or "too similar" in reason for reason in between)
    assert any("turning only" in reason for reason in between)


@pytest.mark.parametrize("shape", [(1, 1), (1, 3000), (3000, 1), (2, 2), (7, 5), (2000, 30)])
def test_tiny_and_thin_images_are_judged(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    selector = KeyframeSelector()
    for level in (60, 60, 180):
        image = rng.integers(level - 20, level + 20, (*shape, 3), np.uint8)
        assert selector.consider(frame(image)).reason


def test_the_same_frames_give_the_same_decisions() -> None:
    places = np.arange(0, 60, 3)
    assert accepted(deep_view, places) == accepted(deep_view, places)
