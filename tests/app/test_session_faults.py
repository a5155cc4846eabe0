"""What is left of a session after a crash, on a full disk, and when somebody tampered with it."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import zlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from recordings import decision, frame, keyframe, record_walk

from app.capture import SourceError, open_source
from app.cli import main
from app.sessions import SessionError, SessionWriter, open_session, read_header
from app.sessions.writer import WAITING

posix = pytest.mark.skipif(sys.platform == "win32", reason="signals and mounts of POSIX")


@pytest.fixture(scope="module")
def walk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Not to be changed (copy it)."""
    return record_walk(tmp_path_factory.mktemp("walk") / "session")


@pytest.fixture
def copy(walk: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(walk, tmp_path / "copy"))


def frames_before(log: bytes, position: int) -> int:
    """How many frames stand in whole lines before a position."""
    return log[: log.rfind(b"\n", 0, position) + 1].count(b'"kind":"frame"')


def one_line(error: Exception) -> str:
    assert "\n" not in str(error)
    return str(error)


def test_a_log_that_is_cut(walk: Path, copy: Path) -> None:
    whole = open_session(walk).frames
    log = (walk / "session.log").read_bytes()
    for position in np.random.default_rng(0).integers(0, len(log), 100):
        (copy / "session.log").write_bytes(log[:position])
        session = open_session(copy)
        count = frames_before(log, position)
        # A line is whole without its end, too.
        assert session.frames in (whole[:count], whole[: count + 1])
        assert not session.ended
        assert any("cut off" in line for line in session.lost)
        missing = len(whole) - len(session.frames)
        line = f"images that session.log says nothing of: {missing}"
        assert (line in session.lost) == (missing > 0)
        for read in session.read_keyframes():
            assert np.isfinite(read.depth).all()


def test_a_log_that_is_cut_goes_on(walk: Path, copy: Path) -> None:
    whole = open_session(walk).frames
    log = (walk / "session.log").read_bytes()
    for position in np.random.default_rng(1).integers(0, len(log), 10):
        (copy / "session.log").write_bytes(log[:position])
        writer = SessionWriter.resume(copy)
        for index in range(len(whole)):
            writer.add_frame(frame(index), decision(index))
        writer.set_keyframes([keyframe(0), keyframe(4)])
        writer.close()
        session = open_session(copy)
        assert session.ended
        assert session.frames == whole
        assert session.lost == []
        assert [k.index for k in session.read_keyframes()] == [0, 4]


def test_a_log_with_a_wrong_byte(walk: Path, copy: Path) -> None:
    whole = open_session(walk).frames
    log = (walk / "session.log").read_bytes()
    rng = np.random.default_rng(2)
    for position in rng.integers(0, len(log), 100):
        wrong = bytearray(log)
        wrong[position] ^= int(rng.integers(1, 256))
        (copy / "session.log").write_bytes(wrong)
        session = open_session(copy)
        # One line is lost; two where the wrong byte was the end of one.
        assert len(session.frames) >= len(whole) - 2
        assert set(map(repr, session.frames)) <= set(map(repr, whole))
        count = frames_before(log, position)
        assert session.frames[:count] == whole[:count]
        # The end of the last line is what a crash leaves out, too.
        said = "session.log is damaged" if position < len(log) - 1 else "cut off"
        assert any(said in line for line in session.lost)


def test_files_with_a_wrong_byte(walk: Path, copy: Path) -> None:
    rng = np.random.default_rng(3)
    files = sorted([*(walk / "frames").iterdir(), *(walk / "depth").iterdir()])
    keyframes = {k.index: k for k in open_session(walk).read_keyframes()}
    for number in rng.integers(0, len(files), 40):
        name = files[number].relative_to(walk)
        data = bytearray((walk / name).read_bytes())
        data[rng.integers(0, len(data))] ^= 16
        (copy / name).write_bytes(data)
        warnings: list[str] = []
        read = open_session(copy).read_keyframes(warnings.append)
        read_frames = list(open_source(str(copy), warnings.append))
        assert len(warnings) == 1 + (name.suffix == ".png")
        assert str(copy / name) in warnings[0]
        assert len(read_frames) == 40 - (name.suffix != ".f16")
        for good in read:
            np.testing.assert_array_equal(good.depth, keyframes[good.index].depth)
        (copy / name).write_bytes((walk / name).read_bytes())


def test_missing_and_short_images(copy: Path) -> None:
    (copy / "frames" / "000003.jpg").unlink()
    short = copy / "frames" / "000008.png"
    short.write_bytes(short.read_bytes()[:-1])
    warnings: list[str] = []
    source = open_source(str(copy), warnings.append)
    assert [seen.index for seen in source] == [i for i in range(40) if i not in (3, 8)]
    assert warnings == [f"{copy}: images missing or damaged: 2 of 40"]


def test_a_damaged_manifest(copy: Path) -> None:
    for content in ('{"format": "pocket-vg', "[]", "\xff\x00", '{"format": 1}'):
        (copy / "session.json").write_text(content, "latin-1")
        session = open_session(copy)
        assert len(session.frames) == 40
        assert session.settings == {}
        assert session.lost == ["session.json is damaged: source and settings are not known"]


def test_a_session_without_its_log_or_images(walk: Path, copy: Path) -> None:
    (copy / "session.log").unlink()
    assert open_session(copy).frames == []
    with pytest.raises(SourceError, match="no frame that can be read"):
        list(open_source(str(copy)))
    shutil.rmtree(copy / "frames")
    with pytest.raises(SessionError) as caught:
        open_session(copy)
    assert "frames" in one_line(caught.value)
    assert read_header(copy).settings == open_session(walk).settings


def test_a_newer_version(copy: Path) -> None:
    manifest = json.loads((copy / "session.json").read_text())
    (copy / "session.json").write_text(json.dumps(manifest | {"version": 99}))
    with pytest.raises(SessionError, match="newer version"):
        open_session(copy)


def test_lines_that_somebody_made_up(copy: Path) -> None:
    good = {"kind": "frame", "index": 40, "time": 1, "name": "x", "keyframe": True}
    good |= {"reason": "", "bytes": 1, "crc": 1}
    pose = {"index": 0, "time": 0, "name": "", "extrinsic": [0] * 12, "intrinsic": [0] * 9}
    pose |= {"size": [10**9, 10**9], "revision": 0, "crc": 0}
    records: list[object] = [
        good | {"index": "../../../etc/passwd"},
        good | {"index": -1},
        good | {"index": 5},
        good | {"bytes": None},
        {"kind": "keyframes", "set": [pose | {"revision": "../x"}], "removed": []},
        {"kind": "keyframes", "set": [pose | {"extrinsic": [1]}], "removed": []},
        {"kind": "keyframes", "set": [pose | {"extrinsic": [float("nan")] * 12}], "removed": []},
        {"kind": "keyframes", "set": [pose | {"size": [0, 1]}], "removed": []},
        {"kind": "keyframes", "set": 5, "removed": [[]]},
        {"kind": "keyframes", "set": [pose], "removed": []},
        {"no kind": 0},
        [1],
        "x",
    ]
    with (copy / "session.log").open("ab") as log:
        for record in records:
            text = json.dumps(record).encode()
            log.write(b"%08x %b\n" % (zlib.crc32(text), text))
    session = open_session(copy)
    assert len(session.frames) == 40
    assert len(session.read_keyframes()) == 9
    assert any("damaged" in line for line in session.lost)


def test_a_link_out_of_the_folder(copy: Path, tmp_path: Path) -> None:
    image = copy / "frames" / "000004.png"
    image.rename(tmp_path / "elsewhere.png")
    try:
        image.symlink_to(tmp_path / "elsewhere.png")
    except OSError:
        pytest.skip("links need a right here")
    session = open_session(copy)
    with pytest.raises(SessionError) as caught:
        session.read_image(next(f for f in session.frames if f.index == 4))
    assert "outside" in one_line(caught.value)


def test_folders_that_are_something_else(tmp_path: Path, copy: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "file").write_text("mine")
    for folder in (other, other / "file", other / "absent"):
        with pytest.raises(SessionError, match="is not a session"):
            open_session(folder)
        with pytest.raises(SessionError, match="is not a session"):
            SessionWriter.resume(folder)
    for folder, words in (
        (other, "not empty"),
        (other / "file", "not empty"),
        (other / "file" / "below", "cannot record to"),
        (copy, "a session already"),
    ):
        with pytest.raises(SessionError) as caught:
            SessionWriter(folder, "wall", {})
        assert words in one_line(caught.value)
    assert [file.name for file in other.iterdir()] == ["file"]


def test_a_session_without_frames(tmp_path: Path) -> None:
    SessionWriter(tmp_path / "session", "wall", {}).close()
    source = open_source(str(tmp_path / "session"))
    with pytest.raises(SourceError, match="no frame"):
        list(source)


@posix
def test_one_program_at_a_time(tmp_path: Path) -> None:
    writer = SessionWriter(tmp_path / "session", "wall", {})
    with pytest.raises(SessionError) as caught:
        SessionWriter.resume(tmp_path / "session")
    assert "another program" in one_line(caught.value)
    writer.close()
    SessionWriter.resume(tmp_path / "session").close()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system with room for a part of the walk."""
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=96k", "tmpfs", str(place)]
    if not shutil.which("mount") or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("a tmpfs can only be mounted by root")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def test_full_disk(small_disk: Path) -> None:
    folder = small_disk / "session"
    with pytest.raises(SessionError) as caught:
        record_walk(folder)
    assert "the disk is full; what was recorded is kept" in one_line(caught.value)
    frames = open_session(folder).frames
    assert 4 < len(frames) < 40
    for number, recorded in enumerate(frames):
        assert recorded.decision == decision(number)
        assert open_session(folder).read_image(recorded).any()
    # With some room again, it goes on where it was.
    subprocess.run(["mount", "-o", "remount,size=4m", str(small_disk)], check=True)
    writer = SessionWriter.resume(folder)
    for index in range(40):
        writer.add_frame(frame(index), decision(index))
    writer.close()
    session = open_session(folder)
    assert [f.index for f in session.frames] == list(range(40))
    assert not any("damaged" in line for line in session.lost), session.lost


def test_read_only(small_disk: Path, capsys: pytest.CaptureFixture[str], walk: Path) -> None:
    shutil.copytree(record_walk(small_disk.parent / "short", 4), small_disk / "session")
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    assert len(open_session(small_disk / "session").frames) == 4
    for arguments in (["new"], ["session", "--resume"]):
        out = [str(small_disk / arguments[0]), *arguments[1:]]
        assert main(["record", str(walk), "--out", *out]) == 2
        error = capsys.readouterr().err
        assert error.startswith("error: cannot record to ")
        assert error.count("\n") == 1
        assert "Read-only file system" in error


RECORD_FOR_EVER = """
import itertools, sys, time
from recordings import decision, frame, keyframe
from app.sessions import SessionWriter
writer = SessionWriter(sys.argv[1], "wall", {})
for index in itertools.count():
    writer.add_frame(frame(index % 200).__class__(index, index / 30, frame(index % 200).image, ""),
                     decision(index))
    if index % 8 == 0:
        writer.set_keyframes([keyframe(i) for i in range(0, min(index, 40) + 1, 4)])
    print(index, flush=True)
    time.sleep(0.002)
"""


@posix
@pytest.mark.parametrize("frames", [3, 50, 117, 200])
def test_killed_while_recording(tmp_path: Path, frames: int) -> None:
    folder = tmp_path / "session"
    paths = os.pathsep.join([str(Path(__file__).parents[1]), *sys.path])
    with subprocess.Popen(
        [sys.executable, "-c", RECORD_FOR_EVER, str(folder)],
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": paths},
        text=True,
    ) as process:
        assert process.stdout
        for line in process.stdout:
            if int(line) >= frames:
                break
        process.send_signal(signal.SIGKILL)
        given = int(([line, *process.stdout.read().split()])[-1])
    session = open_session(folder)
    # What waited and what was being written.
    assert len(session.frames) >= given + 1 - (WAITING + 1)
    assert [recorded.index for recorded in session.frames] == list(range(len(session.frames)))
    for recorded in session.frames:
        assert recorded.decision == decision(recorded.index)
        session.read_image(recorded)
    assert len(session.read_keyframes()) >= min(frames, 40) // 4 - 2
    assert not any("damaged" in line for line in session.lost), session.lost
    SessionWriter.resume(folder).close()
    assert open_session(folder).ended


@posix
def test_interrupted_command(tmp_path: Path) -> None:
    source, folder = tmp_path / "source", tmp_path / "session"
    source.mkdir()
    shutil.copy(record_walk(tmp_path / "walk", 1) / "frames" / "000000.png", source / "0.png")
    # Reading a pipe blocks, as a camera does that has nothing to show.
    pipe = source / "1.png"
    os.mkfifo(pipe)

    def heed_interrupts() -> None:
        signal.signal(signal.SIGINT, signal.SIG_DFL)

    command = [sys.executable, "-m", "app", "record", str(source), "--out", str(folder)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, preexec_fn=heed_interrupts
    ) as process:
        writer = -1
        while writer < 0:
            assert process.poll() is None
            # Not before it is being read: Python may miss an interrupt on its way into a call.
            with suppress(OSError):
                writer = os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        try:
            output = process.communicate(timeout=60)[0]
        finally:
            process.kill()
            os.close(writer)
    assert "recorded   1 frames" in output
    assert process.returncode == 0
    session = open_session(folder)
    assert session.ended
    assert session.lost == []
    assert len(session.frames) == 1
