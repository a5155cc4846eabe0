"""A session gives back what was recorded, and a replay gives what the capture gave."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from recordings import HEIGHT, WIDTH, decision, frame, keyframe, record_walk

from app.capture import Decision, Frame, default_selector, open_source
from app.capture._cv2 import cv2
from app.cli import main
from app.engine import Engine, open_bundle
from app.reconstruction import Keyframe, Reconstructor
from app.sessions import (
    ContinuedSource,
    SessionSource,
    SessionWriter,
    is_session,
    open_session,
)


class Camera:
    """A source that begins to count anew whenever it is opened."""

    is_live = True
    length = None

    def __init__(self, frames: list[Frame]) -> None:
        self._frames = frames

    def __iter__(self):  # type: ignore[no-untyped-def]
        return iter(self._frames)

    def reopen(self) -> None: ...

    def close(self) -> None: ...


@pytest.fixture
def walk(tmp_path: Path) -> Path:
    return record_walk(tmp_path / "Aufnahme über Mittag 東京")


def test_what_was_recorded_is_read(walk: Path) -> None:
    session = open_session(walk)
    assert is_session(walk)
    assert session.lost == []
    assert session.ended
    assert (session.source, session.settings) == ("wall", {"views": 4})
    assert [recorded.decision for recorded in session.frames] == [decision(i) for i in range(40)]
    for index, recorded in enumerate(session.frames):
        given = frame(index)
        assert (recorded.index, recorded.time, recorded.name) == (index, given.time, given.name)
        image = session.read_image(recorded)
        if recorded.decision.accepted:
            np.testing.assert_array_equal(image, given.image)
        else:
            assert np.abs(image.astype(int) - given.image).mean() < 8


def test_keyframes_are_as_they_were_last(walk: Path) -> None:
    keyframes = open_session(walk).read_keyframes()
    assert [k.index for k in keyframes] == list(range(0, 40, 4))
    for read in keyframes:
        given = keyframe(read.index, 37 if read.index == 0 else 1)
        np.testing.assert_array_equal(read.extrinsic, given.extrinsic)
        np.testing.assert_array_equal(read.intrinsic, given.intrinsic)
        np.testing.assert_allclose(read.depth, given.depth, rtol=2**-11)
        np.testing.assert_allclose(read.confidence, given.confidence, rtol=2**-11)
        assert read.image.shape == (*given.depth.shape, 3)
        assert read.image.any()
    # Depths that others replaced are not kept.
    assert len(list((walk / "depth").iterdir())) == len(keyframes)


def test_a_keyframe_that_was_taken_back(tmp_path: Path) -> None:
    writer = SessionWriter(tmp_path / "session", "wall", {})
    for index in range(9):
        writer.add_frame(frame(index), decision(index))
    keyframes = [keyframe(0), keyframe(4), keyframe(8)]
    writer.set_keyframes(keyframes)
    moved = replace(keyframes[2], extrinsic=keyframe(5).extrinsic)
    writer.set_keyframes([keyframes[0], moved])
    writer.close()
    writer.close()
    read = open_session(tmp_path / "session").read_keyframes()
    assert [k.index for k in read] == [0, 8]
    np.testing.assert_array_equal(read[1].extrinsic, moved.extrinsic)


def test_a_replay_chooses_the_same_keyframes(walk: Path) -> None:
    source = open_source(str(walk))
    assert isinstance(source, SessionSource)
    assert source.length == 40
    assert not source.is_live
    selector = default_selector(source)
    for index, replayed in enumerate(source):
        assert selector.consider(replayed) == decision(index)


def test_close_ends_a_replay(walk: Path) -> None:
    source = open_source(str(walk))
    frames = iter(source)
    next(frames)
    source.close()
    assert list(frames) == []


def test_every_other_frame_is_chosen_anew(walk: Path) -> None:
    source = open_source(str(walk))
    selector = default_selector(source, every=2)
    reasons = [selector.consider(replayed).reason for replayed in source]
    assert reasons[0] == "first"
    assert set(reasons[1::2]) == {"between the frames looked at"}


def test_a_source_that_is_read_again_goes_on(tmp_path: Path) -> None:
    whole, parts = record_walk(tmp_path / "whole", 12), record_walk(tmp_path / "parts", 7)
    writer = SessionWriter.resume(parts)
    for index in range(12):
        writer.add_frame(frame(index), decision(index))
    writer.close()
    assert open_session(parts).frames == open_session(whole).frames


def test_a_camera_begins_after_the_last_frame(tmp_path: Path) -> None:
    folder = record_walk(tmp_path / "session", 6)
    writer = SessionWriter.resume(folder)
    for index in range(3):
        writer.add_frame(frame(index, time=0.01 + index / 30), decision(index))
    writer.set_keyframes([keyframe(0)])
    writer.close()
    session = open_session(folder)
    assert session.lost == []
    assert [recorded.index for recorded in session.frames] == list(range(9))
    times = [recorded.time for recorded in session.frames]
    assert times == sorted(times)
    assert [k.index for k in session.read_keyframes()] == [6]
    np.testing.assert_array_equal(session.read_image(session.frames[6]), frame(0).image)


def test_another_video_is_not_taken_for_the_first(tmp_path: Path) -> None:
    folder = record_walk(tmp_path / "session", 6)
    writer = SessionWriter.resume(folder)
    for index in range(3):
        other = frame(index)
        writer.add_frame(replace(other, image=255 - other.image), decision(index))
    writer.close()
    assert len(open_session(folder).frames) == 9


def test_a_capture_goes_on_after_its_replay(tmp_path: Path) -> None:
    folder = record_walk(tmp_path / "session", 6)
    camera = Camera([frame(index, time=0.01 + index / 30) for index in range(4)])
    source = ContinuedSource(open_session(folder), camera)
    selector = default_selector(source)
    writer = SessionWriter.resume(folder)
    live, decisions = [], []
    for seen in source:
        live.append(source.is_live)
        decisions.append(selector.consider(seen))
        writer.add_frame(seen, decisions[-1])
    writer.close()
    assert live == 6 * [False] + 4 * [True]
    assert decisions[:7] == [*map(decision, range(6)), Decision(True, "first")]
    session = open_session(folder)
    assert [recorded.decision for recorded in session.frames] == decisions
    assert [recorded.index for recorded in session.frames] == list(range(10))


@pytest.mark.parametrize(
    "image",
    [
        np.full((1, 1, 3), 7, np.uint8),
        np.tile(np.arange(2048, dtype=np.uint8)[:, None], (1152, 1, 3)),
    ],
    ids=["smallest", "largest"],
)
def test_images_of_any_size(tmp_path: Path, image: np.ndarray) -> None:
    writer = SessionWriter(tmp_path / "session", "picture", {})
    writer.add_frame(Frame(0, 0.0, image, "0"), Decision(True, "first"))
    writer.close()
    session = open_session(tmp_path / "session")
    np.testing.assert_array_equal(session.read_image(session.frames[0]), image)


@pytest.fixture
def video(tmp_path: Path) -> Path:
    file = tmp_path / "clip.mp4"
    writer = cv2.VideoWriter(str(file), cv2.VideoWriter.fourcc(*"mp4v"), 10.0, (WIDTH, HEIGHT))
    for index in range(60):
        writer.write(frame(index).image[..., ::-1])
    writer.release()
    return file


def reconstruct(source: Path, bundle: Path) -> list[Keyframe]:
    frames = open_source(str(source))
    selector = default_selector(frames)
    with Engine(open_bundle(bundle), threads=1) as engine:
        reconstructor = Reconstructor(engine)
        for seen in frames:
            if selector.consider(seen).accepted:
                reconstructor.add(seen)
        reconstructor.finish()
        return reconstructor.keyframes


@pytest.mark.usefixtures("quick_runtime")
def test_a_replay_is_equal_bit_for_bit(video: Path, tiny_bundle: Path, tmp_path: Path) -> None:
    assert main(["record", str(video), "--out", str(tmp_path / "session")]) == 0
    captured = reconstruct(video, tiny_bundle)
    assert len(captured) > 4
    for _ in range(2):
        replayed = reconstruct(tmp_path / "session", tiny_bundle)
        assert len(replayed) == len(captured)
        for again, first in zip(replayed, captured, strict=True):
            for name, value in vars(first).items():
                np.testing.assert_array_equal(getattr(again, name), value)


def test_record(video: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "session"
    assert main(["record", str(video), "--out", str(out), "--seconds", "2"]) == 0
    assert "recorded   20 frames, " in capsys.readouterr().out
    first = open_session(out)
    assert Path(first.source) == video
    assert first.settings["command"].startswith("python -m app record ")
    assert main(["record", str(video), "--out", str(out)]) == 2
    assert "resume" in capsys.readouterr().err
    assert main(["record", str(video), "--out", str(out), "--resume"]) == 0
    # As if it had never been interrupted.
    assert main(["record", str(video), "--out", str(tmp_path / "whole")]) == 0
    assert open_session(out).frames == open_session(tmp_path / "whole").frames
    limited = ["--every", "3", "--max-keyframes", "2"]
    assert main(["record", str(video), "--out", str(tmp_path / "few"), *limited]) == 0
    chosen = [f.index for f in open_session(tmp_path / "few").frames if f.decision.accepted]
    assert len(chosen) == 2
    assert not any(index % 3 for index in chosen)


@pytest.mark.usefixtures("quick_runtime")
def test_replay(
    toy_folder: Path, tiny_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    session, out = tmp_path / "session", tmp_path / "out"
    writer = SessionWriter(session, str(toy_folder), {"views": 2, "overlap": 1})
    source = open_source(str(toy_folder))
    for seen in source:
        writer.add_frame(seen, Decision(seen.index != 3, "by hand"))
    writer.close()
    options = ["--bundle", str(tiny_bundle), "--threads", "1", "--out", str(out)]
    assert main(["replay", *options, str(session)]) == 0
    summary = json.loads((out / "summary.json").read_text())
    assert summary["settings"]["views"] == 2
    assert summary["keyframes"] == 6
    # The truth is that of the source, which the session knows.
    assert summary["accuracy"]["pose"]["rotation_deg"] < 0.01
    assert main(["replay", *options, "--views", "4", str(session)]) == 0
    summary = json.loads((out / "summary.json").read_text())
    assert (summary["settings"]["views"], summary["settings"]["overlap"]) == (4, 1)
    capsys.readouterr()
    assert main(["replay", *options, str(toy_folder)]) == 2
    assert "is not a session" in capsys.readouterr().err
