"""Refinement in a process of its own: what it gives is the same, and no fault of it does harm."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from textured_room import TexturedRoom, look

from app.capture._cv2 import cv2
from app.geometry import invert_se3
from app.reconstruction import Keyframe
from app.refinement.frames import SourceFrames
from app.refinement.process import RefineError, RefineProcess, refine_apart
from app.refinement.refine import refine

POSES = np.array([look(0.7 + 0.1 * k, np.array([0.5 * k, 0, 0])) for k in (0, -1, 1)])


@pytest.fixture(scope="module")
def keyframes() -> list[Keyframe]:
    """Three views of a room, with cameras that are a little off."""
    room, off = TexturedRoom(), np.random.default_rng(0)
    views = []
    for number, pose in enumerate(POSES):
        image, depth = room.render(pose)
        extrinsic = invert_se3(pose)
        extrinsic[:, :3] = cv2.Rodrigues(off.normal(scale=0.03, size=3))[0] @ extrinsic[:, :3]
        views.append(
            Keyframe(
                number,
                float(number),
                f"{number}.png",
                image,
                extrinsic.astype(np.float32),
                room.intrinsic.astype(np.float32),
                np.float32(1.1) * depth,
                np.ones_like(depth),
            )
        )
    return views


@pytest.fixture(scope="module")
def child() -> Iterator[RefineProcess]:
    process = RefineProcess()
    yield process
    process.close()


def killed_at_once() -> RefineProcess:
    process = RefineProcess()
    os.kill(process.pid, signal.SIGKILL)
    return process


def test_the_child_gives_what_refine_gives(keyframes: list[Keyframe]) -> None:
    shares: list[float] = []
    run = refine_apart(keyframes, None, progress=shares.append)
    refinement = run.refinement
    expected = refine(keyframes)
    assert refinement.reason == expected.reason == "3 of 3 frames changed"
    assert run.seconds > 0
    assert shares == sorted(shares)
    assert len(shares) > 3
    for apart, here, before in zip(
        refinement.keyframes, expected.keyframes, keyframes, strict=True
    ):
        np.testing.assert_allclose(apart.extrinsic, here.extrinsic, atol=1e-5)
        np.testing.assert_allclose(apart.intrinsic, here.intrinsic, rtol=1e-5)
        np.testing.assert_allclose(apart.depth, here.depth, rtol=1e-5)
        assert (apart.index, apart.time, apart.name) == (before.index, before.time, before.name)
        # Not another copy of what did not change.
        assert apart.image is before.image
        assert apart.confidence is before.confidence
    assert [vars(f) for f in refinement.frames] == [vars(f) for f in expected.frames]


def test_a_killed_child_keeps_the_network_s_result(keyframes: list[Keyframe]) -> None:
    refinement = refine_apart(keyframes, None, start=killed_at_once).refinement
    assert all(a is b for a, b in zip(refinement.keyframes, keyframes, strict=True))
    assert refinement.reason == (
        "refinement ended unexpectedly (signal 9: killed, perhaps for want of memory): "
        "the network's result is kept"
    )
    assert {frame.reason for frame in refinement.frames} == {refinement.reason}


def test_a_child_killed_in_the_middle_keeps_the_network_s_result(keyframes: list[Keyframe]) -> None:
    processes: list[RefineProcess] = []

    def start() -> RefineProcess:
        processes.append(RefineProcess())
        return processes[0]

    refinement = refine_apart(
        keyframes,
        None,
        progress=lambda share: os.kill(processes[0].pid, signal.SIGKILL),
        start=start,
    ).refinement
    assert "killed" in refinement.reason
    assert "\n" not in refinement.reason


def test_a_crash_is_told_in_one_line(keyframes: list[Keyframe]) -> None:
    """Without the addresses that pycolmap ends its account with."""
    process = RefineProcess()
    os.kill(process.pid, signal.SIGSEGV)
    with pytest.raises(RefineError) as fault:
        process.refine(keyframes, None)
    process.close()
    assert str(fault.value).startswith("refinement ended unexpectedly (signal 11)")
    assert "@" not in str(fault.value)
    assert "\n" not in str(fault.value)


@pytest.mark.parametrize("when", ["at once", "in the middle"])
def test_cancelling_ends_the_child_at_once(keyframes: list[Keyframe], when: str) -> None:
    processes: list[RefineProcess] = []
    asked = threading.Event()

    def start() -> RefineProcess:
        processes.append(RefineProcess())
        return processes[0]

    if when == "at once":
        asked.set()
    told: list[float] = []

    def progress(share: float) -> None:
        told.append(time.monotonic())
        asked.set()

    refinement = refine_apart(
        keyframes, None, cancelled=asked.is_set, progress=progress, start=start
    ).refinement
    assert refinement.reason == "cancelled: the network's result is kept"
    assert len(told) <= 1
    with pytest.raises(ProcessLookupError):
        os.kill(processes[0].pid, 0)


def test_a_fault_inside_is_one_line(keyframes: list[Keyframe]) -> None:
    """An image that no network gives: the child says what is wrong with it."""
    spoilt = [vars(k) | {"image": k.image[..., :2]} for k in keyframes]
    refinement = refine_apart([Keyframe(**fields) for fields in spoilt], None).refinement
    assert refinement.reason.startswith("refinement failed: ")
    assert refinement.reason.endswith(": the network's result is kept")
    assert "\n" not in refinement.reason


def test_what_cannot_be_started_is_said(
    keyframes: list[Keyframe], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.executable", "/nowhere/python")
    with pytest.raises(RefineError, match="refinement cannot be started: No such file"):
        RefineProcess()
    refinement = refine_apart(keyframes, None).refinement
    assert refinement.reason.startswith("refinement cannot be started")


def test_frames_are_read_again_in_full(tmp_path: Path) -> None:
    """Those that are gone, and all of a source that is, are the network's images."""
    full = np.random.default_rng(0).integers(0, 256, (3, 40, 60, 3), np.uint8)
    for number in (0, 2):
        cv2.imwrite(str(tmp_path / f"{number}.png"), full[number][..., ::-1])
    small = np.zeros((20, 30, 3), np.uint8)
    keyframes = [
        Keyframe(
            at, 0.0, name, small, np.eye(3, 4, dtype=np.float32), *[np.ones((1, 1), np.float32)] * 3
        )
        for at, name in ((0, "0.png"), (1, "1.png"), (1, "2.png"))
    ]
    warned: list[str] = []

    def read(source: str | None) -> list[NDArray[np.uint8]]:
        frames = SourceFrames(source, warned.append)
        return [frames.read(keyframe) for keyframe in keyframes]

    for image, expected in zip(read(str(tmp_path)), (full[0], small, full[2]), strict=True):
        np.testing.assert_array_equal(image, expected)
    assert all(image is small for image in read(None))
    assert not warned
    assert all(image is small for image in read(str(tmp_path / "gone")))
    assert "refined with the network's images" in warned[0]


def turned_only(keyframes: list[Keyframe]) -> list[Keyframe]:
    images = [TexturedRoom().render(look(0.5 + 0.1 * k))[0] for k in range(3)]
    return [replace(k, image=image) for k, image in zip(keyframes, images, strict=True)]


def blurred(keyframes: list[Keyframe]) -> list[Keyframe]:
    return [
        replace(k, image=cv2.GaussianBlur(k.image, (0, 0), 25).astype(np.uint8)) for k in keyframes
    ]


def repeated(keyframes: list[Keyframe]) -> list[Keyframe]:
    tile = np.random.default_rng(1).integers(0, 256, (14, 14, 3), np.uint8)
    images = [np.roll(np.tile(tile, (12, 16, 1)), 3 * at, 1) for at in range(3)]
    return [replace(k, image=image) for k, image in zip(keyframes, images, strict=True)]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda keyframes: [replace(k, image=np.full_like(k.image, 90)) for k in keyframes],
        lambda keyframes: [replace(k, image=keyframes[0].image) for k in keyframes],
        turned_only,
        blurred,
        repeated,
    ],
    ids=["featureless", "identical", "turned only", "blurred", "repeated"],
)
def test_frames_that_tell_nothing_keep_the_network_s_result(
    keyframes: list[Keyframe],
    child: RefineProcess,
    spoil: Callable[[list[Keyframe]], list[Keyframe]],
) -> None:
    """As the window, the command and a run that is captured ask for it."""
    spoilt = spoil(keyframes)
    images = {k.index: k.image for k in spoilt}
    for run in (child.refine(spoilt, None), child.refine_newest(spoilt, images)):
        assert not run.changed
        assert "\n" not in run.refinement.reason
        assert run.refinement.reason
        for kept, before in zip(run.refinement.keyframes, spoilt, strict=True):
            np.testing.assert_array_equal(kept.extrinsic, before.extrinsic)
            assert kept.depth is before.depth


def test_a_focal_length_wrong_by_two_is_found_or_left_alone(
    keyframes: list[Keyframe], child: RefineProcess
) -> None:
    wrong = [replace(k, intrinsic=k.intrinsic * np.float32([[2], [2], [1]])) for k in keyframes]
    for keyframe in wrong:
        keyframe.intrinsic[:2, 2] /= 2
    right = keyframes[0].intrinsic[0, 0]
    full = child.refine(wrong, None)
    assert full.changed
    np.testing.assert_allclose(full.refinement.keyframes[1].intrinsic[0, 0], right, rtol=0.1)
    newest = child.refine_newest(wrong, {k.index: k.image for k in wrong})
    found = newest.refinement.keyframes[1].intrinsic[0, 0]
    assert not newest.changed or abs(np.log(found / right)) < 0.1
