"""Places seen again are recognized, alike ones are not, and loops take drift away."""

from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from textured_room import (
    DriftingEngine,
    TexturedRoom,
    look,
    round_tour,
    turned,
)

from app.capture import Frame
from app.capture._cv2 import cv2
from app.engine import EngineError
from app.geometry import PoseErrors, invert_se3, pose_errors
from app.reconstruction import Keyframe, Reconstructor, WindowUpdate
from app.reconstruction.loops import View, verify_loop
from app.reconstruction.places import describe, similar
from app.reconstruction.two_view import RelativePose

STEPS, TURNS = 32, 1.15


def run(engine: Any, loops: bool) -> tuple[list[Keyframe], list[WindowUpdate]]:
    reconstructor = Reconstructor(engine, views=4, overlap=2, loops=loops)
    updates = [reconstructor.add(frame) for frame in frames(engine)]
    return reconstructor.keyframes, [u for u in [*updates, reconstructor.finish()] if u]


def frames(engine: DriftingEngine) -> list[Frame]:
    return [Frame(i, i / 10, image, f"{i}") for i, image in enumerate(engine.images)]


def errors(keyframes: list[Keyframe], poses: np.ndarray) -> PoseErrors:
    return pose_errors(np.array([k.extrinsic for k in keyframes]), invert_se3(poses))


def scale_spread(keyframes: list[Keyframe], room: TexturedRoom, poses: np.ndarray) -> float:
    """Logarithm of the largest against the smallest scale of the keyframes."""
    truth = [room.render(pose)[1] for pose in poses]
    scales = [np.median(k.depth / depth) for k, depth in zip(keyframes, truth, strict=True)]
    return float(np.log(max(scales) / min(scales)))


@pytest.fixture(scope="module")
def room() -> TexturedRoom:
    return TexturedRoom()


@pytest.fixture(scope="module")
def tour(room: TexturedRoom) -> tuple[np.ndarray, DriftingEngine]:
    poses = round_tour(STEPS, TURNS)
    return poses, DriftingEngine(room, poses)


def test_loops_take_more_than_half_of_the_drift(
    room: TexturedRoom, tour: tuple[np.ndarray, DriftingEngine]
) -> None:
    poses, engine = tour
    without, _ = run(engine, loops=False)
    closed, updates = run(engine, loops=True)
    assert sum(update.loops for update in updates) > 5
    before, after = errors(without, poses), errors(closed, poses)
    assert before.rotation_deg > 5
    assert before.ate_percent > 2
    assert after.rotation_deg < before.rotation_deg / 2
    assert after.ate_percent < before.ate_percent / 2
    assert scale_spread(closed, room, poses) < scale_spread(without, room, poses) / 2


def test_same_frames_same_bits_also_after_failures(
    tour: tuple[np.ndarray, DriftingEngine],
) -> None:
    _, engine = tour
    expected, _ = run(engine, loops=True)
    reconstructor = Reconstructor(engine, views=4, overlap=2)  # type: ignore[arg-type]
    for i, frame in enumerate(frames(engine)):
        engine.fails = 1 if i % 8 == 3 else 0
        with suppress(EngineError):
            reconstructor.add(frame)
    reconstructor.finish()
    for again, keyframe in zip(reconstructor.keyframes, expected, strict=True):
        assert_array_equal(again.extrinsic, keyframe.extrinsic)
        assert_array_equal(again.depth, keyframe.depth)


def test_updates_name_everything_that_moved(tour: tuple[np.ndarray, DriftingEngine]) -> None:
    _, engine = tour
    reconstructor = Reconstructor(engine, views=4, overlap=2)  # type: ignore[arg-type]
    moved = 0
    for frame in frames(engine):
        before = [(k.extrinsic, k.depth) for k in reconstructor.keyframes]
        update = reconstructor.add(frame)
        now = [(k.extrinsic, k.depth) for k in reconstructor.keyframes]
        changed = {
            position
            for position, (old, new) in enumerate(zip(before, now, strict=False))
            if any((a != b).any() for a, b in zip(old, new, strict=True))
        }
        named = {*update.moved, *update.changed} if update else set()
        assert changed <= named
        if update:
            assert not {*update.moved} & {*update.changed, *update.new}
            moved += len(update.moved)
    assert moved > 20


def view(room: TexturedRoom, pose: np.ndarray, depth_noise: float = 0.0) -> View:
    image, depth = room.render(pose)
    rng = np.random.default_rng(0)
    coarse = rng.normal(scale=depth_noise, size=(6, 8)).astype(np.float32)
    depth = depth * np.exp(cv2.resize(coarse, depth.shape[::-1], interpolation=cv2.INTER_CUBIC))
    intrinsic = room.intrinsic.astype(np.float32)
    keyframe = Keyframe(
        0, 0.0, "", image, np.eye(3, 4, dtype=np.float32), intrinsic, depth, np.ones_like(depth)
    )
    return View(keyframe, describe(image))


def test_loop_gives_camera_and_scale(room: TexturedRoom) -> None:
    first, second = look(0.2), look(0.45, np.array([0.4, 0.1, -0.3]))
    a, b = view(room, first, 0.1), view(room, second, 0.1)
    b.keyframe.depth = b.keyframe.depth * np.float32(1.7)
    loop = verify_loop(a, b)
    assert isinstance(loop, RelativePose)
    assert turned(loop.rotation, second[:, :3].T @ first[:, :3]) < 4
    expected = second[:, :3].T @ (first[:, 3] - second[:, 3])
    assert np.linalg.norm(loop.translation - expected) < 0.35
    assert abs(loop.log_ratio + np.log(1.7)) < 0.25


@pytest.mark.parametrize("share", [0.2, 0.3, 0.4])
@pytest.mark.parametrize("seed", [3, 5])
def test_two_walls_with_one_poster_are_two_places(share: float, seed: int) -> None:
    """Up to two thirds of the picture are the very same."""
    room = TexturedRoom(seed)
    size = room.walls.shape[1]
    low, high = int(size * (0.5 - share / 2)), int(size * (0.5 + share / 2))
    # Both mirrored by the way the sides are mapped: what a camera sees is the same on both.
    room.walls[4, :, low:high] = room.walls[5, :, low:high][:, ::-1]
    front, back = look(0.0), look(np.pi)
    assert verify_loop(view(room, front), view(room, look(0.05))) is not None
    assert verify_loop(view(room, front), view(room, back)) is None


def test_places_alike_in_everything_are_told_by_where_they_are() -> None:
    room = TexturedRoom(4)
    for side in (1, 4, 5):
        room.walls[side] = room.walls[0]
    # All four walls alike: the features of front and back agree wholly.
    room.walls[4], room.walls[1] = room.walls[5][:, ::-1], room.walls[0][:, ::-1]
    assert verify_loop(view(room, look(0.0)), view(room, look(np.pi))) is not None
    poses = np.array([look(angle) for angle in np.linspace(0, np.pi, 20)])
    poses[:, 0, 3] = 0.02 * np.arange(20)
    engine = DriftingEngine(room, poses)
    keyframes, _ = run(engine, loops=True)
    turn = keyframes[0].extrinsic[:, :3] @ keyframes[-1].extrinsic[:, :3].T
    assert turned(turn, np.eye(3)) > 160


def test_no_features_is_no_loop_and_no_fault() -> None:
    room = TexturedRoom()
    room.walls[:] = 128
    blank = view(room, look(0.0))
    assert len(blank.place.pixels) == 0
    assert verify_loop(blank, blank) is None
    assert similar(blank.place, [], 3) == []


def test_a_place_is_found_among_many(room: TexturedRoom) -> None:
    poses = round_tour(24, 1.0)
    places = [describe(room.render(pose)[0]) for pose in poses]
    again = poses[9].copy()
    again[:, 3] += [0.15, 0.05, -0.1]
    assert similar(describe(room.render(again)[0]), places, 3)[0] == 9


def right_or_none(first: np.ndarray, a: View, second: np.ndarray, b: View) -> bool:
    """Whether a loop, if any, has the true camera, within three standard deviations."""
    loop = verify_loop(a, b)
    if loop is None:
        return True
    turn = np.radians(turned(loop.rotation, second[:, :3].T @ first[:, :3]))
    centre = -loop.rotation.T @ loop.translation
    shift = np.linalg.norm(centre - first[:, :3].T @ (second[:, 3] - first[:, 3]))
    return bool(turn < 3 * 3**0.5 * loop.sigma_angle and shift < 3 * 3**0.5 * loop.sigma_shift)


def test_the_very_same_image_is_no_motion(room: TexturedRoom) -> None:
    a = view(room, look(0.3), 0.1)
    loop = verify_loop(a, a)
    assert loop is not None
    assert turned(loop.rotation, np.eye(3)) < 0.1
    assert np.linalg.norm(loop.translation) < 0.01


@pytest.mark.parametrize("angle", [0.15, 0.3, 0.45])
def test_turning_on_the_spot_is_turning(room: TexturedRoom, angle: float) -> None:
    first, second = look(0.2), look(0.2 + angle)
    assert right_or_none(first, view(room, first, 0.1), second, view(room, second, 0.1))


@pytest.mark.parametrize("sigma", [1.5, 3.0])
def test_blurred_images_close_no_wrong_loop(room: TexturedRoom, sigma: float) -> None:
    sharp = look(0.2)
    for second in (look(0.4), look(2.0), look(np.pi)):
        b = view(room, second)
        image = cv2.GaussianBlur(b.keyframe.image, (0, 0), sigma)
        b = View(replace(b.keyframe, image=image), describe(image))
        assert right_or_none(sharp, view(room, sharp), second, b)
        assert second[0, 2] < 0.5 or verify_loop(view(room, sharp), b) is None


@pytest.mark.parametrize("repeats", [4, 8])
def test_repeated_structure_closes_no_wrong_loop(repeats: int) -> None:
    room = TexturedRoom(1)
    size = room.walls.shape[1]
    tile = room.walls[:, :, : size // repeats]
    room.walls = np.tile(tile, (1, 1, repeats, 1))[:, :, :size]
    first = look(0.0)
    for periods in (0.3, 0.5):
        second = look(0.0, np.array([periods * 6.0 / repeats, 0.0, 0.0]))
        assert right_or_none(first, view(room, first), second, view(room, second))
    assert verify_loop(view(room, first), view(room, look(np.pi / 2))) is None


def test_noise_on_blank_walls_is_no_loop() -> None:
    room = TexturedRoom()
    room.walls[:] = 128
    views = []
    for seed in range(2):
        plain = view(room, look(0.5))
        noise = np.random.default_rng(seed).normal(128, 6, plain.keyframe.image.shape)
        image = np.clip(noise, 0, 255).astype(np.uint8)
        views.append(View(replace(plain.keyframe, image=image), describe(image)))
    assert verify_loop(*views) is None
