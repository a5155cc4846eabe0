"""Refinement makes wrong cameras right, and keeps the network's where geometry says nothing."""

from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from numpy.typing import NDArray
from textured_room import SIZE, TexturedRoom
from textured_room import look as look_from

from app.capture._cv2 import cv2
from app.cli import BAD_INPUT, main
from app.geometry import invert_se3, pose_errors
from app.reconstruction import Keyframe
from app.refinement.clips import MISSING, auc, pair_errors
from app.refinement.depth import correct_depth
from app.refinement.outcome import Refinement
from app.refinement.refine import look, refine

FEW = 5
"""In place of the 8 of which all pairs are matched: ten frames take twice as long as seven."""

# Towards a corner of the room, from places half a metre apart.
POSES = np.array(
    [
        look_from(0.7 + turn, np.array([x, y, z]))
        for turn, x, y, z in ((0, 0, 0, 0), (-0.1, 0.5, 0.05, -0.1), (0.1, -0.3, 0, 0.4))
    ]
)


@pytest.fixture(scope="module")
def room() -> TexturedRoom:
    return TexturedRoom()


def keyframe(
    room: TexturedRoom,
    pose: NDArray[np.float64],
    number: int,
    turn: float = 0.0,
    focal: float = 1.0,
) -> Keyframe:
    """What a network says that turns a camera by so many radians, and takes depth for smooth."""
    image, depth = room.render(pose)
    wrong = np.column_stack([cv2.Rodrigues(np.array([0, 0, turn]))[0] @ pose[:, :3], pose[:, 3]])
    slope = np.exp(np.linspace(-0.3, 0.3, SIZE[1], dtype=np.float32))
    intrinsic = room.intrinsic.astype(np.float32)
    intrinsic[:2, :2] *= focal
    return Keyframe(
        index=number,
        time=float(number),
        name=f"{number}",
        image=image,
        extrinsic=invert_se3(wrong).astype(np.float32),
        intrinsic=intrinsic,
        depth=depth * slope,
        confidence=np.ones_like(depth),
    )


def wrong_keyframes(room: TexturedRoom, focal: float = 1.0) -> list[Keyframe]:
    return [keyframe(room, pose, k, 0.3 * k, focal) for k, pose in enumerate(POSES)]


def rotation_error(keyframes: list[Keyframe]) -> float:
    return pose_errors(np.array([k.extrinsic for k in keyframes]), invert_se3(POSES)).rotation_deg


def assert_kept(refinement: Refinement, given: list[Keyframe], reason: str) -> None:
    for after, before in zip(refinement.keyframes, given, strict=True):
        assert_array_equal(after.extrinsic, before.extrinsic)
        assert_array_equal(after.depth, before.depth)
    assert not any(frame.changed for frame in refinement.frames)
    assert reason in refinement.reason
    assert "\n" not in refinement.reason


@pytest.fixture(scope="module")
def refined(room: TexturedRoom) -> Refinement:
    return refine(wrong_keyframes(room))


def test_wrong_cameras_become_right(room: TexturedRoom, refined: Refinement) -> None:
    given = wrong_keyframes(room)
    assert rotation_error(given) > 15
    assert rotation_error(refined.keyframes) < 0.5
    for frame in refined.frames:
        assert frame.changed
        assert frame.error_after < 0.5 < frame.error_before
        assert frame.track_length >= 2
    # The frame and scale of the network stay: so does the first camera.
    assert_array_equal(refined.keyframes[0].extrinsic, given[0].extrinsic)
    truth = np.array([np.median(room.render(pose)[1]) for pose in POSES])
    depth = np.array([np.median(k.depth) for k in refined.keyframes])
    assert depth == pytest.approx(truth, rel=0.1)


def test_depth_follows_the_points_and_keeps_what_was_given(
    room: TexturedRoom, refined: Refinement
) -> None:
    given = wrong_keyframes(room)
    before, after = (
        np.mean(
            [
                np.abs(np.log(k.depth / room.render(pose)[1]))
                for k, pose in zip(ks, POSES, strict=True)
            ]
        )
        for ks in (given, refined.keyframes)
    )
    assert all(frame.depth_changed for frame in refined.frames)
    assert after < 0.5 * before
    assert_array_equal(given[1].depth, wrong_keyframes(room)[1].depth)


def test_focal_guess_wrong_by_two_is_found(room: TexturedRoom) -> None:
    refined = refine(wrong_keyframes(room, focal=2.0))
    assert rotation_error(refined.keyframes) < 2
    assert refined.keyframes[0].intrinsic[0, 0] == pytest.approx(room.intrinsic[0, 0], rel=0.1)


def test_right_cameras_are_kept(room: TexturedRoom) -> None:
    given = [keyframe(room, pose, k) for k, pose in enumerate(POSES)]
    assert rotation_error(refine(given).keyframes) < 0.5


def test_frame_without_matches_follows_its_neighbour(room: TexturedRoom) -> None:
    given = wrong_keyframes(room)
    blank = replace(given[2], image=np.full_like(given[2].image, 128))
    refined = refine([*given[:2], blank])
    assert [frame.changed for frame in refined.frames] == [True, True, False]
    assert "too few matches" in refined.frames[2].reason
    relative, kept = (
        ks[2].extrinsic[:, :3] @ ks[1].extrinsic[:, :3].T for ks in (refined.keyframes, given)
    )
    np.testing.assert_allclose(relative, kept, atol=1e-5)


def test_more_frames_than_all_pairs_are_matched_of(
    room: TexturedRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lens is found on a stretch of them; the first one stays, even if it has no features."""
    for name in ("features", "refine"):
        monkeypatch.setattr(import_module(f"app.refinement.{name}"), "FEW", FEW)
    poses = [
        look_from(0.7 + 0.04 * k, np.array([0.5 - 0.12 * k, 0, 0.05 * k])) for k in range(FEW + 2)
    ]
    given = [keyframe(room, pose, k, 0.1 * k, focal=1.5) for k, pose in enumerate(poses)]
    given[0].image[:] = 128
    refined = refine(given)
    assert [frame.changed for frame in refined.frames] == [False, *[True] * (FEW + 1)]
    np.testing.assert_allclose(refined.keyframes[0].extrinsic, given[0].extrinsic, atol=1e-5)
    known = np.array([k.extrinsic for k in refined.keyframes[1:]])
    assert pose_errors(known, invert_se3(np.array(poses[1:]))).rotation_deg < 2


def blank(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.full_like(image, 128)


def blurred(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.asarray(cv2.GaussianBlur(image, (0, 0), 12), np.uint8)


def repeated(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    tile = image[:24, :32]
    return np.tile(tile, (7, 7, 1))


@pytest.mark.parametrize("fault", [blank, blurred, repeated])
def test_images_without_clear_features_change_nothing(
    room: TexturedRoom, fault: Callable[[NDArray[np.uint8]], NDArray[np.uint8]]
) -> None:
    given = [replace(k, image=fault(k.image)) for k in wrong_keyframes(room)]
    assert_kept(refine(given), given, "no two frames")


def test_pure_rotation_changes_nothing(room: TexturedRoom) -> None:
    given = [keyframe(room, look_from(0.7 + 0.15 * k), k, 0.3 * k) for k in range(3)]
    assert_kept(refine(given), given, "parallax")


def test_identical_frames_change_nothing(room: TexturedRoom) -> None:
    given = [keyframe(room, POSES[0], k, 0.3 * k) for k in range(2)]
    assert_kept(refine(given), given, "parallax")


def test_object_that_moves_in_half_of_the_view_makes_nothing_worse(room: TexturedRoom) -> None:
    """Smooth motions of two halves can look like one camera's: then evidence cannot tell."""
    given = wrong_keyframes(room)
    for k, shift in zip(given, ([0, 0, 0], [0, 0.5, 0], [0.4, -0.3, 0]), strict=True):
        other = room.render(look_from(-2.0, np.array(shift)))[0]
        k.image[:, SIZE[1] // 2 :] = other[:, SIZE[1] // 2 :]
    assert rotation_error(refine(given).keyframes) <= rotation_error(given)


@pytest.mark.parametrize("asked", [0, 5, 8, 9])
def test_cancelled_at_any_step_changes_nothing(room: TexturedRoom, asked: int) -> None:
    given = wrong_keyframes(room)
    answers = iter(range(1000))
    assert_kept(refine(given, cancelled=lambda: next(answers) >= asked), given, "cancelled")


def test_depth_is_not_corrected_through_points_that_say_nothing() -> None:
    depth = np.full(SIZE, 2.0, np.float32)
    rng = np.random.default_rng(0)
    pixels = rng.uniform(0, 160, (1000, 2))
    assert correct_depth(depth, pixels, np.exp(rng.normal(np.log(2), 0.5, 1000))) is None
    assert correct_depth(depth, pixels[:10], np.full(10, 3.0)) is None


def test_features_are_looked_for_once_for_all_networks(room: TexturedRoom) -> None:
    given = wrong_keyframes(room)
    seen = look(given, lambda keyframe: keyframe.image)

    def unread(keyframe: Keyframe) -> NDArray[np.uint8]:
        raise AssertionError

    assert rotation_error(refine(given, unread, seen=seen).keyframes) < 0.5


def test_command_says_in_one_line_what_is_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["refine-bench", str(tmp_path)]) == BAD_INPUT
    assert "--bundles, --colmap or both" in capsys.readouterr().err
    assert main(["refine-bench", str(tmp_path), "--bundles", "none"]) == BAD_INPUT
    assert capsys.readouterr().err.splitlines() == [
        f"error: {tmp_path} has no cameras.json and clips.json to measure on"
    ]


def test_auc_counts_missing_poses_as_wrong() -> None:
    truth = list(invert_se3(POSES))
    assert pair_errors(truth, truth) == pytest.approx(0, abs=1e-5)
    assert auc(pair_errors(truth, truth), 5) == 1
    errors = pair_errors([truth[0], None, truth[2]], truth)
    assert (errors == MISSING).sum() == 2
    assert auc(errors, 30) == pytest.approx(1 / 3)
