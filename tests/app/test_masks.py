"""Sky, black and white backgrounds, on pictures where the answer is known."""

import numpy as np
import pytest
from numpy.typing import NDArray

from app.reconstruction.masks import MASKS, mask_bits, mask_flags, sky_mask

SIZE = (84, 112)
HORIZON = 36


def outdoors(
    top: tuple[int, int, int], bottom: tuple[int, int, int], noise: float = 2.0
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """A sky from one colour to another over rough ground, and the depths of both."""
    rng = np.random.default_rng(0)
    blend = np.linspace(0, 1, HORIZON)[:, None, None]
    image = np.empty((*SIZE, 3))
    image[:HORIZON] = np.array(top) * (1 - blend) + np.array(bottom) * blend
    image[:HORIZON] += rng.normal(0, noise, (HORIZON, SIZE[1], 1))
    image[HORIZON:] = np.array([110, 120, 70]) + rng.normal(0, 25, (SIZE[0] - HORIZON, SIZE[1], 1))
    depth = np.empty(SIZE, np.float32)
    depth[:HORIZON] = 40 + rng.normal(0, 1, (HORIZON, SIZE[1]))
    depth[HORIZON:] = np.linspace(20, 2, SIZE[0] - HORIZON)[:, None]
    return np.clip(image, 0, 255).astype(np.uint8), depth


@pytest.mark.parametrize(
    ("top", "bottom"),
    [((90, 140, 220), (190, 210, 235)), ((170, 175, 180), (225, 226, 228))],
    ids=["blue", "overcast"],
)
@pytest.mark.parametrize("unit", [1.0, 0.01])
def test_a_sky_is_found_and_the_ground_is_not(top: object, bottom: object, unit: float) -> None:
    image, depth = outdoors(top, bottom)  # type: ignore[arg-type]
    sky = sky_mask(image, depth * np.float32(unit))
    assert sky[:HORIZON].mean() > 0.95
    assert not sky[HORIZON:].any()


def test_a_sky_whose_depth_is_unknown_is_found() -> None:
    image, depth = outdoors((90, 140, 220), (190, 210, 235))
    depth[:HORIZON] = 0
    assert sky_mask(image, depth)[:HORIZON].mean() > 0.95


def test_what_stands_before_the_sky_stays() -> None:
    image, depth = outdoors((90, 140, 220), (190, 210, 235))
    image[10:HORIZON, 50:60] = (120, 60, 50)
    depth[10:HORIZON, 50:60] = 8
    sky = sky_mask(image, depth)
    assert not sky[10:HORIZON, 50:60].any()
    assert sky[:HORIZON].mean() > 0.6


def test_a_white_ceiling_is_no_sky() -> None:
    """Bright, smooth and at the upper edge, but nearer than the far wall."""
    rng = np.random.default_rng(1)
    image, depth = outdoors((225, 225, 228), (215, 215, 220))
    depth[:HORIZON] = np.linspace(2, 6, HORIZON)[:, None]
    image[HORIZON:] = 120 + rng.normal(0, 20, (SIZE[0] - HORIZON, SIZE[1], 1))
    depth[HORIZON:] = 6
    assert not sky_mask(image, depth).any()


def test_a_bright_window_in_the_middle_is_no_sky() -> None:
    image, depth = outdoors((90, 140, 220), (190, 210, 235))
    image[:6] = (90, 60, 40)
    depth[:6] = 3
    assert not sky_mask(image, depth).any()


def test_backgrounds_are_told_by_their_colour() -> None:
    image = np.full((4, 6, 3), 128, np.uint8)
    image[0], image[1] = (5, 9, 3), (250, 255, 246)
    image[2] = (5, 5, 60)
    flags = mask_flags(image, np.ones((4, 6), np.float32))
    assert (flags[0] == mask_bits(["black"])).all()
    assert (flags[1] == mask_bits(["white"])).all()
    assert (flags[2:] == 0).all()


def test_every_mask_has_a_bit_of_its_own() -> None:
    assert [mask_bits([name]) for name in MASKS] == [1, 2, 4]
    assert mask_bits(("sky", "white", "sky")) == 5
    assert mask_bits(()) == 0
