"""The command line from start to end, and every bad input in one line with status 2."""

import _thread
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from app.capture import Frame, KeyframeSelector
from app.capture._cv2 import cv2
from app.cli import main
from app.live import LiveRun

quick = pytest.mark.usefixtures("quick_runtime")


def run(*arguments: object) -> int:
    return main(["reconstruct", *(str(argument) for argument in arguments)])


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "results" / "out"


def assert_refused(
    status: int, out: Path, capsys: pytest.CaptureFixture[str], words: str = ""
) -> None:
    """One line, status 2, and not a file left."""
    error = capsys.readouterr().err
    assert status == 2
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert words in error
    assert not out.exists()
    assert not out.parent.exists() or list(out.parent.iterdir()) == []


@quick
def test_reconstruct(
    toy_folder: Path, tiny_bundle: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ("--bundle", tiny_bundle, "--out", out, "--threads", 1)
    assert run(toy_folder, *options) == 0
    text = capsys.readouterr().out
    for words in ("views/s", "peak memory", "model 0.03 MB", "pose error", "AbsRel"):
        assert words in text
    names = {"cameras.json", "trajectory.txt", "cloud.ply", "picture.png", "summary.json"}
    assert names < {file.name for file in out.iterdir()}
    summary = json.loads((out / "summary.json").read_text())
    assert summary["keyframes"] == 7
    assert summary["settings"]["views"] == 4
    # The toy knows the world exactly: what is left is the rounding of the images.
    assert summary["accuracy"]["pose"]["rotation_deg"] < 0.01
    assert summary["accuracy"]["pose"]["ate_percent"] < 0.1
    assert summary["accuracy"]["depth"]["abs_rel"] < 0.005
    assert b"comment made by: python -m app reconstruct" in (out / "cloud.ply").read_bytes()
    # A second run replaces the first.
    assert run(toy_folder, *options, "--max-keyframes", 5) == 0
    assert json.loads((out / "summary.json").read_text())["keyframes"] == 5
    assert [file.name for file in out.parent.iterdir()] == ["out"]


@quick
def test_video_without_truth(
    tiny_bundle: Path, out: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "clip.mp4"
    writer = cv2.VideoWriter(str(file), cv2.VideoWriter.fourcc(*"mp4v"), 10.0, (160, 120))
    picture = cv2.resize(
        np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8), (480, 320)
    )
    for i in range(20):
        writer.write(picture[:120, 8 * i : 8 * i + 160])
    writer.release()
    assert run(file, "--bundle", tiny_bundle, "--out", out, "--threads", 1) == 0
    summary = json.loads((out / "summary.json").read_text())
    assert 5 <= summary["keyframes"] < 20
    assert summary["run"]["frames"] == 20
    assert summary["accuracy"] is None
    assert "pose error" not in capsys.readouterr().out


@quick
def test_one_image(tiny_bundle: Path, out: Path, toy_folder: Path) -> None:
    for file in list(toy_folder.iterdir())[1:]:
        file.unlink()
    assert run(toy_folder, "--bundle", tiny_bundle, "--out", out, "--threads", 1) == 0
    summary = json.loads((out / "summary.json").read_text())
    assert summary["keyframes"] == 1
    assert summary["accuracy"]["pose"]["rotation_deg"] is None


@quick
def test_bad_sources(
    tiny_bundle: Path, out: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = tmp_path / "text.mp4"
    text.write_text("hello\n" * 100)
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "1.png").write_text("hello")
    options = ("--bundle", tiny_bundle, "--out", out, "--threads", 1)
    assert_refused(run(text, *options), out, capsys, "not a video")
    assert_refused(run(tmp_path / "empty", *options), out, capsys, "no images")
    assert_refused(run(tmp_path / "absent", *options), out, capsys, "no such file")
    status = run(tmp_path / "broken", *options)
    captured = capsys.readouterr().err.splitlines()
    assert status == 2
    assert [line.split(":")[0] for line in captured] == ["warning", "error"]
    assert list(out.parent.iterdir()) == []


def test_bad_bundles(
    bundle_copy: Path,
    write_manifest: Callable[..., None],
    toy_folder: Path,
    out: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    options = ("--out", out, "--threads", 1)
    program = bundle_copy / "model.pte"
    data = program.read_bytes()
    program.write_bytes(data[: len(data) // 2])
    status = run(toy_folder, "--bundle", bundle_copy, *options)
    assert_refused(status, out, capsys, "truncated")
    program.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    status = run(toy_folder, "--bundle", bundle_copy, *options)
    assert_refused(status, out, capsys, "does not match its SHA-256")
    # With a manifest that fits, the runtime itself has to notice.
    program.write_bytes(data[: len(data) // 2])
    write_manifest(bundle_copy)
    status = run(toy_folder, "--bundle", bundle_copy, *options)
    assert_refused(status, out, capsys, "the runtime")
    status = run(toy_folder, "--bundle", toy_folder, *options)
    assert_refused(status, out, capsys, "no manifest.json")


@quick
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--views", "3"], "1, 2, 4 views at a time, not 3"),
        (["--overlap", "4"], "cannot overlap"),
        (["--views", "many"], "whole number"),
        (["--quantile", "2"], "from 0 to 1"),
        (["--quantile", "nan"], "from 0 to 1"),
        (["--nonsense"], "unrecognized"),
    ],
)
def test_bad_arguments(
    tiny_bundle: Path,
    toy_folder: Path,
    out: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    words: str,
) -> None:
    status = run(toy_folder, "--bundle", tiny_bundle, "--out", out, *arguments)
    assert_refused(status, out, capsys, words)


def test_unknown_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["reconstrct"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


@quick
def test_other_folders_are_not_replaced(
    tiny_bundle: Path, toy_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(toy_folder.iterdir())
    assert run(toy_folder, "--bundle", tiny_bundle, "--out", toy_folder) == 2
    assert "choose another place" in capsys.readouterr().err
    assert sorted(toy_folder.iterdir()) == before


@quick
def test_bad_truth(
    tiny_bundle: Path, toy_folder: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (toy_folder.parent / "cameras.json").write_text('{"frames": [{"c2w": [1, 2]}]}')
    status = run(toy_folder, "--bundle", tiny_bundle, "--out", out)
    assert_refused(status, out, capsys, "cameras.json")


@quick
def test_truth_of_something_else(
    tiny_bundle: Path, toy_folder: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (toy_folder.parent / "cameras.json").write_text('{"frames": []}')
    options = ("--bundle", tiny_bundle, "--out", out, "--threads", 1, "--max-keyframes", 2)
    assert run(toy_folder, *options) == 0
    assert "warning: no keyframe has a camera" in capsys.readouterr().err
    summary = json.loads((out / "summary.json").read_text())
    assert summary["accuracy"] is None
    assert "no_settings" not in summary["settings"]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system with room for half a reconstruction."""
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(place)]
    if not shutil.which("mount") or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("a tmpfs can only be mounted by root")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


@quick
def test_full_disk(
    small_disk: Path, tiny_bundle: Path, toy_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = small_disk / "out"
    status = run(toy_folder, "--bundle", tiny_bundle, "--out", out, "--threads", 1)
    assert_refused(status, out, capsys, f"{out}: No space left on device")


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_interrupt(tiny_bundle: Path, toy_folder: Path, out: Path) -> None:
    # A pipe instead of a source: opening it blocks, so the interrupt meets a running command.
    pipe = toy_folder / "0.png"
    pipe.unlink()
    os.mkfifo(pipe)
    command = [sys.executable, "-m", "app", "reconstruct", str(toy_folder)]
    command += ["--bundle", str(tiny_bundle), "--out", str(out), "--threads", "1"]

    def heed_interrupts() -> None:
        # A shell's background job, which the whole test run may be, ignores them.
        signal.signal(signal.SIGINT, signal.SIG_DFL)

    with subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, preexec_fn=heed_interrupts
    ) as process:
        while not out.parent.exists() and process.poll() is None:
            time.sleep(0.05)
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=60)[1] == "interrupted: nothing was written\n"
    assert process.returncode == 130
    assert list(out.parent.iterdir()) == []


@quick
def test_an_interrupted_camera_is_written(
    tiny_bundle: Path,
    toy_image: Callable[..., np.ndarray],
    out: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    class Camera:
        is_live = True
        length = None
        ended = False

        def make_selector(self, every: int) -> KeyframeSelector:
            return KeyframeSelector(min_motion=0, every=every)

        def __iter__(self) -> Iterator[Frame]:
            for index in range(10**6):
                if index == 6:
                    _thread.interrupt_main()
                if self.ended:
                    return
                time.sleep(0.01)
                yield Frame(index, index / 30, toy_image(0.1 * (index % 40), seed=index), "")

        def reopen(self) -> None: ...

        def close(self) -> None:
            self.ended = True

    run_camera = partial(LiveRun, open_source=lambda *_: Camera())
    monkeypatch.setattr("app.live.command.LiveRun", run_camera)
    # Canvases that other tests made in this process keep Ctrl-C for themselves.
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        assert run("0", "--bundle", tiny_bundle, "--out", out, "--threads", 1) == 0
    finally:
        signal.signal(signal.SIGINT, handler)
    assert "what was captured is written" in capsys.readouterr().err
    summary = json.loads((out / "summary.json").read_text())
    assert summary["keyframes"] >= 1
    assert summary["ended_by"] is None
    assert summary["settings"]["fuse"] == 0.01
    assert (out / "cloud.ply").is_file()


@pytest.fixture
def kill_runtime(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """kill_runtime(times): the runtime of the next run is killed so often, at every window."""
    from app.engine import Engine

    infer = Engine.infer
    left = 0

    def die_first(self: Engine, images: np.ndarray) -> object:
        nonlocal left
        if left:
            left -= 1
            assert self._child
            self._child.process.kill()
        return infer(self, images)

    def prepare(times: int) -> None:
        nonlocal left
        left = times

    monkeypatch.setattr(Engine, "infer", die_first)
    return prepare


@quick
def test_a_runtime_that_always_dies(
    kill_runtime: Callable[[int], None],
    tiny_bundle: Path,
    toy_folder: Path,
    out: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    kill_runtime(100)
    assert run(toy_folder, "--bundle", tiny_bundle, "--out", out, "--threads", 1) == 2
    *warnings, last = capsys.readouterr().err.splitlines()
    assert [line[line.index("started again") :] for line in warnings] == [
        "started again (2 of 3 tries)",
        "started again (3 of 3 tries)",
    ]
    assert last.startswith("error: the runtime ended unexpectedly")
    assert list(out.parent.iterdir()) == []


@quick
def test_a_runtime_that_dies_is_started_again(
    kill_runtime: Callable[[int], None],
    tiny_bundle: Path,
    toy_folder: Path,
    out: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    options = ("--bundle", tiny_bundle, "--threads", 1)
    assert run(toy_folder, *options, "--out", out) == 0
    whole = (out / "cameras.json").read_bytes()
    kill_runtime(2)
    assert run(toy_folder, *options, "--out", out) == 0
    assert capsys.readouterr().err.count("warning: ") == 2
    assert (out / "cameras.json").read_bytes() == whole
