"""Cameras: found by name, interrupted when they fail, and going on afterwards."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.capture import (
    CameraDevice,
    CameraSettings,
    SourceError,
    SourceInterrupted,
    list_cameras,
    open_source,
)
from app.capture._cv2 import cv2
from app.capture.camera import CameraSource
from app.capture.devices import find_camera
from app.cli import main

STALL = 0.15


class FakeCapture:
    """A capture that delivers images, and then does what is told: None is a damaged image, an
    event is waited for, an error is raised; at the end of the script all reads fail.
    """

    def __init__(self, script: list[Any], is_open: bool = True) -> None:
        self.script = list(script)
        self.is_open = is_open
        self.asked: dict[int, float] = {}
        self.released = threading.Event()

    def isOpened(self) -> bool:
        return self.is_open

    def set(self, prop: int, value: float) -> bool:
        self.asked[prop] = value
        return True

    def read(self) -> tuple[bool, np.ndarray | None]:
        step = self.script.pop(0) if self.script else None
        if isinstance(step, threading.Event):
            step.wait(5)
        if isinstance(step, Exception):
            raise step
        return isinstance(step, np.ndarray), step if isinstance(step, np.ndarray) else None

    def release(self) -> None:
        self.is_open = False
        self.released.set()


def image(level: int, size: tuple[int, int] = (4, 6)) -> np.ndarray:
    return np.full((*size, 3), level, np.uint8)


def camera(*captures: Any) -> CameraSource:
    """A camera whose openings give these captures, one after the other."""
    left = list(captures)
    return CameraSource("0", print, CameraSettings(), lambda index: left.pop(0), STALL)


def taken(source: CameraSource, into: list[Any]) -> str:
    """Iterate until the interruption; returns its text."""
    with pytest.raises(SourceInterrupted) as caught:
        into.extend(source)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_an_unplugged_camera_goes_on_where_it_was() -> None:
    first = FakeCapture([image(1), image(2)])
    source = camera(first, FakeCapture([], is_open=False), FakeCapture([image(3), image(4)]))
    frames: list[Any] = []
    assert "unplugged" in taken(source, frames)
    assert first.released.is_set()
    # It stays interrupted until it is opened again, which may fail for as long as it is gone.
    assert "unplugged" in taken(source, frames)
    with pytest.raises(SourceError, match="Camera 0 cannot be opened"):
        source.reopen()
    assert "unplugged" in taken(source, frames)
    source.reopen()
    taken(source, frames)
    source.close()
    assert list(source) == []
    assert [frame.index for frame in frames] == [0, 1, 2, 3]
    assert [frame.image[0, 0, 0] for frame in frames] == [1, 2, 3, 4]
    times = [frame.time for frame in frames]
    assert times == sorted(times)
    # The gap is part of the time.
    assert times[2] - times[1] >= STALL


def test_a_camera_that_stalls_is_interrupted_and_released_when_it_wakes() -> None:
    wake = threading.Event()
    stalled = FakeCapture([image(1), wake])
    source = camera(stalled, FakeCapture([image(2)]))
    frames: list[Any] = []
    assert "stalled" in taken(source, frames)
    source.reopen()
    taken(source, frames)
    assert [frame.image[0, 0, 0] for frame in frames] == [1, 2]
    assert not stalled.released.is_set()
    wake.set()
    assert stalled.released.wait(5)


def test_a_change_of_size_interrupts() -> None:
    source = camera(
        FakeCapture([image(1), image(2, (8, 12)), image(3, (8, 12))]),
        FakeCapture([image(4, (8, 12))]),
    )
    frames: list[Any] = []
    assert "changed its size from 6x4 to 12x8" in taken(source, frames)
    source.reopen()
    taken(source, frames)
    assert [frame.image.shape for frame in frames] == [(4, 6, 3), (8, 12, 3)]


def test_a_damaged_image_is_left_out() -> None:
    source = camera(
        FakeCapture([image(1), None, cv2.error("bad data"), np.zeros((4, 6), np.uint8), image(2)])
    )
    frames: list[Any] = []
    taken(source, frames)
    assert [frame.image[0, 0, 0] for frame in frames] == [1, 2]


def test_a_capture_that_closes_itself_is_not_waited_for() -> None:
    capture = FakeCapture([image(1)])
    source = CameraSource("0", print, CameraSettings(), lambda index: capture, 60)
    frames = iter(source)
    next(frames)
    capture.is_open = False
    with pytest.raises(SourceInterrupted, match="unplugged"):
        next(frames)


def test_a_video_file_as_a_camera(tmp_path: Path) -> None:
    file = str(tmp_path / "clip.avi")
    writer = cv2.VideoWriter(file, cv2.VideoWriter.fourcc(*"MJPG"), 10.0, (48, 32))
    for level in range(6):
        writer.write(image(40 * level, (32, 48)))
    writer.release()
    source = CameraSource("0", print, CameraSettings(), lambda index: cv2.VideoCapture(file), STALL)
    frames: list[Any] = []
    taken(source, frames)
    source.reopen()
    taken(source, frames)
    assert [frame.index for frame in frames] == list(range(12))
    assert abs(int(frames[8].image[9, 9, 0]) - 80) < 8


def test_close_from_another_thread_ends_a_read_that_hangs() -> None:
    hang = threading.Event()
    capture = FakeCapture([image(1), hang])
    source = CameraSource("0", print, CameraSettings(), lambda index: capture, 60)
    frames: list[Any] = []
    reader = threading.Thread(target=lambda: frames.extend(source))
    reader.start()
    while not frames and capture.script:
        hang.wait(0.01)
    closer = threading.Thread(target=source.close)
    closer.start()
    hang.set()
    reader.join(5)
    closer.join(5)
    assert not reader.is_alive()
    assert len(frames) == 1
    assert capture.released.is_set()
    source.close()
    assert list(source) == []


def test_settings_are_asked_for_and_what_comes_instead_is_told() -> None:
    capture = FakeCapture([image(1, (480, 640))])
    warnings: list[str] = []
    settings = CameraSettings(1280, 720, 25)
    source = CameraSource("0", warnings.append, settings, lambda index: capture, STALL)
    taken(source, [])
    assert capture.asked[cv2.CAP_PROP_FRAME_WIDTH] == 1280
    assert capture.asked[cv2.CAP_PROP_FRAME_HEIGHT] == 720
    assert capture.asked[cv2.CAP_PROP_FPS] == 25
    assert warnings == ["Camera 0 gives 640x480, not 1280x720"]


def test_an_opening_that_throws_is_one_line() -> None:
    def fail(index: int) -> Any:
        raise cv2.error("no such thing")

    with pytest.raises(SourceError, match="cannot be opened"):
        CameraSource("0", print, CameraSettings(), fail)


@pytest.fixture
def nodes(tmp_path: Path) -> Callable[..., Path]:
    def make(*cameras: tuple[str, int, str]) -> Path:
        devices = tmp_path / "video4linux"
        devices.mkdir(exist_ok=True)
        for node, index, name in cameras:
            (devices / node).mkdir()
            (devices / node / "index").write_text(f"{index}\n")
            (devices / node / "name").write_text(f"{name}\n")
        return devices

    return make


def test_cameras_have_names_and_metadata_nodes_are_left_out(
    nodes: Callable[..., Path], tmp_path: Path
) -> None:
    assert list_cameras(nodes()) == []
    devices = nodes(
        ("video0", 0, "Front"), ("video1", 1, "Front"), ("video10", 0, ""), ("video2", 0, "Front")
    )
    assert list_cameras(devices) == [
        CameraDevice(0, "Front"),
        CameraDevice(2, "Front no. 2"),
        CameraDevice(10, "Camera"),
    ]
    assert list_cameras(tmp_path / "no" / "names") == [CameraDevice(0, "Camera 0")]


def test_a_camera_is_found_by_name_or_index(nodes: Callable[..., Path]) -> None:
    devices = nodes(("video3", 0, "Été 4K"))
    assert find_camera("camera:été 4k", devices) == CameraDevice(3, "Été 4K")
    assert find_camera("3", devices) == CameraDevice(3, "Été 4K")
    assert find_camera("7", devices) == CameraDevice(7, "Camera 7")
    with pytest.raises(SourceError, match=r"no camera is called 'Back' \(there: Été 4K\)"):
        find_camera("camera:Back", devices)


def test_devices_gives_a_line_for_each_thing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.devices.list_cameras", lambda: [])
    assert main(["devices"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["camera", "processor", "graphics"]
    assert "none: use a video file" in lines[0]
    monkeypatch.setattr(
        "app.devices.list_cameras",
        lambda: [CameraDevice(0, "Front"), CameraDevice(2, "Back")],
    )
    assert main(["devices"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["camera", "camera", "processor", "graphics"]
    assert '"camera:Back"' in lines[1]


@pytest.mark.parametrize(
    ("spec", "device", "settings"),
    [
        ("5", "5", CameraSettings()),
        ("5@1280x720", "5", CameraSettings(1280, 720)),
        ("camera:C920@30", "camera:C920", CameraSettings(rate=30)),
        ("camera:me@work@1920x1080@29.97", "camera:me@work", CameraSettings(1920, 1080, 29.97)),
    ],
)
def test_a_spec_may_ask_for_size_and_rate(
    spec: str, device: str, settings: CameraSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[Any] = []
    monkeypatch.setattr("app.capture.sources.CameraSource", lambda *given: opened.append(given))
    open_source(spec)
    open_source(spec, camera=CameraSettings(rate=7))
    assert [(given[0], given[2]) for given in opened] == [
        (device, settings),
        (device, CameraSettings(rate=7)),
    ]


def test_a_file_named_like_an_index_is_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("0").write_bytes(b"not a camera")
    with pytest.raises(SourceError, match="not a video"):
        open_source("0")
