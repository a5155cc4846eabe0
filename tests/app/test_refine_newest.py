"""The newest keyframes refined beside a run: never waited for, and what comes of it stays true."""

import os
import signal
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray
from textured_room import DriftingEngine, TexturedRoom, look, round_tour, turned

from app.capture import Frame
from app.geometry import compose_se3, invert_se3, pose_errors
from app.live import Growth, LiveRun, Subscriber
from app.reconstruction import Keyframe, Reconstructor
from app.refinement.local import LocalRefiner
from app.refinement.newest import NEWEST, NewestRefiner
from app.refinement.outcome import FrameReport, Refinement
from app.refinement.process import RefinedRun, RefineError, RefineProcess

STEPS, TURNS = 24, 1.15


@pytest.fixture(scope="module")
def tour() -> tuple[TexturedRoom, NDArray[np.float64], DriftingEngine]:
    room, poses = TexturedRoom(), round_tour(STEPS, TURNS)
    return room, poses, DriftingEngine(room, poses)


def frames(engine: DriftingEngine) -> list[Frame]:
    return [Frame(i, i / 10, image, f"{i}") for i, image in enumerate(engine.images)]


def exact(
    before: Sequence[Keyframe], room: TexturedRoom, poses: NDArray[np.float64]
) -> list[Keyframe]:
    """True relative cameras and depth, at the scale and place of the first keyframe."""
    truth = [room.render(poses[k.index])[1] for k in before]
    scale = float(np.median(before[0].depth / truth[0]))
    found = []
    for keyframe, depth in zip(before, truth, strict=True):
        relative = compose_se3(invert_se3(poses[keyframe.index]), poses[before[0].index])
        relative[:, 3] *= scale
        extrinsic = compose_se3(relative, before[0].extrinsic.astype(np.float64))
        found.append(
            replace(
                keyframe,
                extrinsic=extrinsic.astype(np.float32),
                depth=(scale * depth).astype(np.float32),
            )
        )
    return found


def relative(first: Keyframe, second: Keyframe) -> NDArray[np.float64]:
    return compose_se3(second.extrinsic.astype(np.float64), invert_se3(first.extrinsic))


def test_what_comes_after_moves_along(tour: Any) -> None:
    room, poses, engine = tour
    reconstructor = Reconstructor(engine, 4, 2)
    for frame in frames(engine)[:10]:
        reconstructor.add(frame)
    keyframes = reconstructor.keyframes
    was = [replace(keyframe) for keyframe in keyframes]
    before = was[2:6]
    # Since it was asked for, a loop has turned, moved and scaled all.
    turn = look(0.4, np.array([1.0, 2.0, 3.0]))
    for keyframe in keyframes:
        moved = keyframe.extrinsic.astype(np.float64)
        moved[:, 3] *= 1.5
        keyframe.extrinsic = compose_se3(moved, invert_se3(turn)).astype(np.float32)
        keyframe.depth = keyframe.depth * np.float32(1.5)
    anchor = keyframes[2].extrinsic
    after = exact(before, room, poses)
    assert reconstructor.take_refined(before, after) == (range(2, 6), range(6, 10))
    assert_allclose(keyframes[2].extrinsic, anchor, atol=1e-5)
    for position, refined in enumerate(after, 2):
        expected = relative(after[0], refined)
        assert_allclose(
            relative(keyframes[2], keyframes[position])[:, :3], expected[:, :3], atol=1e-5
        )
        assert_allclose(
            relative(keyframes[2], keyframes[position])[:, 3], 1.5 * expected[:, 3], atol=1e-4
        )
        assert_allclose(keyframes[position].depth, 1.5 * refined.depth, rtol=1e-5)
    scale = float(np.median(after[-1].depth) / np.median(was[5].depth))
    assert abs(scale - 1) > 0.01
    for position in range(6, 10):
        expected = relative(was[5], was[position])
        found = relative(keyframes[5], keyframes[position])
        assert_allclose(found[:, :3], expected[:, :3], atol=1e-5)
        assert_allclose(found[:, 3], 1.5 * scale * expected[:, 3], atol=1e-4)
        assert_allclose(keyframes[position].depth, 1.5 * scale * was[position].depth, rtol=1e-5)
    for position in range(2):
        assert_allclose(keyframes[position].depth, 1.5 * was[position].depth, rtol=1e-5)


def test_rotations_stay_rotations_however_often_they_are_refined(tour: Any) -> None:
    room, poses, engine = tour
    reconstructor = Reconstructor(engine, 4, 2, loops=False)
    for frame in frames(engine):
        reconstructor.add(frame)
    for start in range(len(reconstructor.keyframes) - NEWEST):
        before = [replace(k) for k in reconstructor.keyframes[start : start + NEWEST]]
        reconstructor.take_refined(before, exact(before, room, poses))
    rotations = np.array([k.extrinsic[:, :3] for k in reconstructor.keyframes], np.float64)
    assert_allclose(
        rotations @ rotations.mT, np.broadcast_to(np.eye(3), rotations.shape), atol=1e-5
    )


def test_loops_still_close_and_do_not_bend_what_is_exact(tour: Any) -> None:
    room, poses, engine = tour
    results = {}
    for refines in (False, True):
        reconstructor, loops = Reconstructor(engine, 4, 2), 0
        for frame in frames(engine):
            update = reconstructor.add(frame)
            loops += update.loops if update else 0
            # Every other window, one too late.
            if refines and update and len(reconstructor.keyframes) % 4 == 0:
                before = [replace(k) for k in reconstructor.keyframes[-10:-2][-NEWEST:]]
                reconstructor.take_refined(before, exact(before, room, poses))
        found = np.array([k.extrinsic for k in reconstructor.keyframes])
        results[refines] = pose_errors(found, invert_se3(poses)), loops
    assert results[True][1] > 0
    assert results[True][0].rotation_deg < 0.5 * results[False][0].rotation_deg
    assert results[True][0].ate_percent < results[False][0].ate_percent


def test_a_few_views_are_made_better_by_few_features() -> None:
    room, poses = (
        TexturedRoom(),
        np.array([look(0.7 + 0.1 * k, np.array([0.4 * k, 0, 0])) for k in range(4)]),
    )
    keyframes, images = [], {}
    for number, pose in enumerate(poses):
        image, depth = room.render(pose)
        images[number] = image
        extrinsic = invert_se3(pose)
        extrinsic[:, :3] = look(0.04 * number)[:, :3] @ extrinsic[:, :3]
        keyframes.append(
            Keyframe(
                number,
                0.0,
                "",
                image,
                extrinsic.astype(np.float32),
                room.intrinsic.astype(np.float32),
                depth,
                np.ones_like(depth),
            )
        )
    refiner = LocalRefiner()
    first = refiner.refine(keyframes[:3], {k: images[k] for k in range(3)})
    # The last three: two of them are known.
    second = refiner.refine(keyframes[1:], {3: images[3]})
    for refinement, start in ((first, 0), (second, 1)):
        assert all(frame.changed for frame in refinement.frames)
        for at in (1, 2):
            found = relative(refinement.keyframes[0], refinement.keyframes[at])
            true = compose_se3(invert_se3(poses[start + at]), poses[start])
            assert turned(found[:, :3], true[:, :3]) < 0.5 * np.degrees(0.04 * at)


class Process:
    """Doubles the depth of what it is given, one request each time it may."""

    def __init__(self) -> None:
        self.go = threading.Semaphore(0)
        self.requests: list[tuple[list[int], list[int]]] = []
        self.dies = False
        self.closed = False

    def refine_newest(
        self, keyframes: Sequence[Keyframe], frames: Mapping[int, NDArray[np.uint8]]
    ) -> RefinedRun:
        self.requests.append(([k.index for k in keyframes], sorted(frames)))
        self.go.acquire(timeout=20)
        if self.dies or self.closed:
            raise RefineError("refinement ended unexpectedly (signal 9)")
        doubled = [replace(k, depth=2 * k.depth) for k in keyframes]
        frame = FrameReport(True, "geometry explains its matches")
        return RefinedRun(Refinement(doubled, [frame] * len(doubled), "all"), 0.5)

    def close(self) -> None:
        self.closed = True
        self.go.release()


@pytest.fixture
def process() -> Process:
    return Process()


def keyframe(index: int) -> Keyframe:
    pixels = np.ones((2, 2), np.float32)
    camera = np.eye(3, 4, dtype=np.float32), np.eye(3, dtype=np.float32)
    return Keyframe(index, 0.0, "", np.zeros((2, 2, 3), np.uint8), *camera, pixels, pixels)


def frame(index: int) -> Frame:
    return Frame(index, 0.0, np.zeros((9, 9, 3), np.uint8), "")


def wait_until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not is_so():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.005)


def test_the_newest_wins_and_a_frame_is_sent_once(process: Process) -> None:
    refiner = NewestRefiner(lambda text: None, lambda: process)  # type: ignore[arg-type, return-value]
    known: list[Keyframe] = []
    for index in range(12):
        refiner.add(frame(index))
        known.append(keyframe(index))
        if index % 2:
            refiner.offer(known)
        if index == 3:
            wait_until(lambda: len(process.requests) == 1)
    assert refiner.take() == []
    process.go.release(2)
    taken = refiner.take(timeout=20)
    assert process.requests[-1] == ([4, 5, 6, 7, 8, 9, 10, 11], [4, 5, 6, 7, 8, 9, 10, 11])
    assert len(process.requests) == 2
    assert len(taken[-1].before) == NEWEST
    assert_array_equal(taken[-1].run.refinement.keyframes[0].depth, 2)
    assert_array_equal(taken[-1].before[0].depth, 1)
    refiner.add(frame(12))
    refiner.offer([*known, keyframe(12)])
    process.go.release()
    assert len(refiner.take(timeout=20)) == 1
    assert process.requests[-1] == ([5, 6, 7, 8, 9, 10, 11, 12], [12])
    assert (refiner.asked, refiner.accepted, refiner.seconds) == (3, 3, 1.5)
    refiner.close()
    assert process.closed


def test_a_child_that_dies_is_told_once_and_nobody_waits(process: Process) -> None:
    warnings: list[str] = []
    refiner = NewestRefiner(warnings.append, lambda: process)  # type: ignore[arg-type, return-value]
    process.dies = True
    process.go.release()
    refiner.offer([keyframe(0), keyframe(1)])
    assert refiner.take(timeout=20) == []
    wait_until(lambda: bool(warnings))
    assert warnings == ["refinement ended unexpectedly (signal 9): the rest is not refined"]
    start = time.monotonic()
    refiner.offer([keyframe(0), keyframe(1)])
    assert refiner.take(timeout=20) == []
    assert time.monotonic() - start < 10
    refiner.close()


class Listener(Subscriber):
    def __init__(self) -> None:
        self.growths: list[Growth] = []
        self.warnings: list[str] = []

    def grown(self, growth: Growth) -> None:
        self.growths.append(growth)

    def warned(self, message: str) -> None:
        self.warnings.append(message)


def run_toy(bundle: Path, folder: Path, start: Any, monkeypatch: pytest.MonkeyPatch) -> Listener:
    monkeypatch.setattr("app.live.run.NewestRefiner", lambda warn: NewestRefiner(warn, start))
    listener = Listener()
    run = LiveRun(str(folder), [bundle], listener, threads=1, refine_newest=True, fuse=0.0)
    run.start()
    assert run.join(timeout=60)
    return listener


def test_a_run_takes_what_was_refined(
    process: Process, tiny_bundle: Path, toy_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = Listener()
    run = LiveRun(str(toy_folder), [tiny_bundle], plain, threads=1, fuse=0.0)
    run.start()
    assert run.join(timeout=60)
    # Only what is asked for at the end is answered in time.
    process.go.release(9)
    refined = run_toy(tiny_bundle, toy_folder, lambda: process, monkeypatch)
    assert process.requests[-1][0] == [0, 1, 2, 3, 4, 5, 6]
    last, network = refined.growths[-1], plain.growths[-1]
    times = last.keyframes[0].depth / network.keyframes[0].depth
    assert np.median(times) >= 2
    shown: dict[int, NDArray[np.float32]] = {}
    for growth in refined.growths:
        for moved in growth.moved:
            shown[moved.position] = shown[moved.position] * np.float32(moved.depth_factor)
        shown |= {view.position: view.depth for view in growth.views}
    for position, keyframe_ in enumerate(last.keyframes):
        assert_allclose(shown[position], keyframe_.depth, rtol=1e-4)
    assert process.closed


def test_a_run_goes_on_when_the_child_is_killed(
    tiny_bundle: Path, toy_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed_at_once() -> RefineProcess:
        process = RefineProcess()
        os.kill(process.pid, signal.SIGKILL)
        return process

    listener = run_toy(tiny_bundle, toy_folder, killed_at_once, monkeypatch)
    assert len(listener.growths[-1].keyframes) == 7
    assert len(listener.warnings) == 1
    assert listener.warnings[0].endswith("perhaps for want of memory): the rest is not refined")
