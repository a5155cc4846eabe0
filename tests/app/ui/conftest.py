"""A Qt application without a display, a room to look at, and an engine that knows the room."""

import hashlib
import json
import os
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from PySide6.QtCore import QEvent, QEventLoop, QLocale, QTimer
from PySide6.QtWidgets import QApplication, QMainWindow

from app.capture import open_source
from app.engine import Bundle, EngineError, Prediction
from app.live import OpenSource
from app.ui import style
from app.ui.choices import Choice
from app.ui.compare import ComparePanel
from app.ui.languages import use_language
from app.ui.main_window import MainWindow
from app.ui.scene_view import SceneView
from tests.app.ui.waiting import wait


class Room:
    """A textured box room with exact depth, seen on a walk along an arc.

    OpenCV axes, metres; pixel centres are at integers, as the app has them.
    """

    size = (56, 84)
    half = np.array([3.0, 1.5, 3.0])
    walls = np.array(
        [
            [208, 92, 80],
            [96, 160, 112],
            [104, 128, 200],
            [200, 176, 96],
            [152, 104, 176],
            [96, 176, 184],
        ]
    )
    """Colours of the sides -x, x, -y (ceiling), y (floor), -z, z."""

    def __init__(self, size: tuple[int, int] = size) -> None:
        self.size = size
        height, width = size
        focal = 0.5 * width / np.tan(np.radians(30))
        self.intrinsic = np.array([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1.0]])
        u, v = np.meshgrid(np.arange(width), np.arange(height))
        self.rays = np.stack([u, v, np.ones_like(u)], -1) @ np.linalg.inv(self.intrinsic).T

    def pose(self, step: float) -> NDArray[np.float64]:
        """World-from-camera [4,4]; step from 0 to 1."""
        angle = np.radians(-25 + 50 * step)
        pose = np.eye(4)
        pose[0, [0, 2]] = np.cos(angle), np.sin(angle)
        pose[2, [0, 2]] = -np.sin(angle), np.cos(angle)
        pose[:3, 3] = [1.2 * step - 0.6, 0.1 * np.sin(3 * step), -1.5 + 0.4 * step]
        return pose

    def render(self, pose: NDArray[np.float64]) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        """Image [H,W,3] and z-depth [H,W]."""
        rays = self.rays @ pose[:3, :3].T
        with np.errstate(divide="ignore"):
            distances = (np.where(rays < 0, -self.half, self.half) - pose[:3, 3]) / rays
        axis = np.argmin(distances, axis=-1)
        depth = np.min(distances, axis=-1)
        hit = pose[:3, 3] + depth[..., None] * rays
        far_side = np.take_along_axis(rays, axis[..., None], -1)[..., 0] > 0
        across = np.where(axis == 0, hit[..., 2], hit[..., 0])
        along = np.where(axis == 1, hit[..., 2], hit[..., 1])
        checker = 0.75 + 0.25 * ((np.floor(2 * across) + np.floor(2 * along)) % 2)
        fine = 0.9 + 0.1 * np.sin(23 * across) * np.sin(17 * along)
        image = self.walls[2 * axis + far_side] * (checker * fine)[..., None]
        return image.astype(np.uint8), depth.astype(np.float32)

    def walk(self, steps: int = 8) -> list[NDArray[np.float64]]:
        """Poses of the whole walk."""
        return [self.pose(step) for step in np.linspace(0, 1, steps)]

    def camera_points(self, depth: NDArray[np.float32]) -> NDArray[np.float32]:
        """Points [H*W,3] in the camera's frame."""
        return (self.rays * depth[..., None]).reshape(-1, 3).astype(np.float32)


class RoomEngine:
    """Answers like the network: in the frame of the first view, at a scale of each window's own.

    go: while it is not set, the engine works on a window without an end; windows_left: after so
    many it fails.
    """

    peak_memory = 123 * 2**20
    base_memory = 45 * 2**20

    def __init__(self, room: Room, bundle: Bundle) -> None:
        self.bundle = bundle
        self.go = threading.Event()
        self.closed = False
        self.windows = 0
        self.windows_left = 1000
        self._room = room
        self._known = {room.render(pose)[0].tobytes(): pose for pose in room.walk()}

    def infer(self, images: NDArray[np.uint8]) -> Prediction:
        self.go.wait()
        if self.windows == self.windows_left:
            raise EngineError("the runtime ended unexpectedly (signal 9)")
        poses = [self._known[image.tobytes()] for image in images]
        scale = 1 + 0.3 * (self.windows % 3)
        self.windows += 1
        world = np.linalg.inv(poses[0])
        extrinsic = np.stack([np.linalg.inv(world @ pose)[:3] for pose in poses])
        extrinsic[:, :, 3] /= scale
        depth = np.stack([self._room.render(pose)[1] for pose in poses]) / scale
        return Prediction(
            pose_enc=np.zeros((len(poses), 9), np.float32),
            extrinsic=extrinsic.astype(np.float32),
            intrinsic=np.tile(self._room.intrinsic.astype(np.float32), (len(poses), 1, 1)),
            depth=depth.astype(np.float32),
            confidence=(1 + 1 / depth).astype(np.float32),
            seconds=0.1,
        )

    def wait_until_loaded(self) -> None:
        pass

    def restart(self) -> None:
        pass

    @property
    def is_closed(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True
        self.go.set()


@pytest.fixture(autouse=True)
def _own_folders(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test touches the settings and measurements of the user who runs it."""
    home = tmp_path_factory.mktemp("home")
    for name in ("XDG_CONFIG_HOME", "XDG_CACHE_HOME", "LOCALAPPDATA", "HOME"):
        monkeypatch.setenv(name, str(home))


@pytest.fixture(autouse=True)
def _no_widgets_left() -> Iterator[None]:
    """Python keeps windows that are closed, and each one makes the next style take longer.

    Popups are left to the widgets that own them: Qt crashes when both delete them.
    """
    yield
    for widget in QApplication.topLevelWidgets():
        if isinstance(widget, QMainWindow):
            widget.deleteLater()
            QApplication.sendPostedEvents(widget, QEvent.Type.DeferredDelete)


@pytest.fixture
def german(qt: QApplication) -> Iterator[None]:
    before = QLocale()
    use_language(qt, "de")
    yield
    use_language(qt, "en")
    QLocale.setDefault(before)


@pytest.fixture
def room() -> Room:
    return Room()


@pytest.fixture(scope="session")
def qt() -> QApplication:
    application = QApplication.instance() or QApplication([])
    assert isinstance(application, QApplication)
    style.apply(application)
    use_language(application, "en")
    return application


@pytest.fixture(scope="session")
def walk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with the images of the walk through the room."""
    folder = tmp_path_factory.mktemp("walk")
    room = Room()
    for index, pose in enumerate(room.walk()):
        Image.fromarray(room.render(pose)[0]).save(folder / f"{index:03d}.png")
    return folder


class Driver:
    """A window on the walk, and what a test does with it."""

    def __init__(self, source: Path, bundle: Path) -> None:
        self.engines: list[RoomEngine] = []
        self.hold = False
        self.windows_left = 1000
        self.open_source: OpenSource = open_source
        self.window = MainWindow(
            [Choice("Walk", str(source))],
            [Choice("toy, 4 bit", str(bundle))],
            self._start_engine,  # type: ignore[arg-type]
            lambda spec, warn: self.open_source(spec, warn),
        )
        # Another process for every run; its own tests switch it on.
        self.window.actions_["refine_newest"].setChecked(False)
        self.window.show()
        QApplication.processEvents()

    def _start_engine(self, bundle: Bundle) -> RoomEngine:
        engine = RoomEngine(Room(), bundle)
        engine.windows_left = self.windows_left
        if not self.hold:
            engine.go.set()
        self.engines.append(engine)
        return engine

    def start_and_hold(self) -> RoomEngine:
        """Press Start; returns an engine that works until its `go` is set."""
        self.hold = True
        self.window.start()
        while not self.engines:
            wait(5)
        return self.engines[0]

    def run(self) -> None:
        """Press Start and wait for the end of the run."""
        self.window.start()
        self.wait_for_end()

    def wait_for_end(self) -> None:
        """Wait until the run is over."""
        loop = QEventLoop()
        self.window.run_ended.connect(loop.quit)
        QTimer.singleShot(60_000, loop.quit)
        loop.exec()
        assert self.window.is_idle, "the run did not end"


@pytest.fixture
def pictures() -> None:
    """For tests in which the driver's window draws its scene, which takes a processor long."""


@pytest.fixture
def driver(
    qt: QApplication,
    walk: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> Iterator[Driver]:
    if "pictures" not in request.fixturenames:
        for name, kind in (
            ("scene_panel.SceneView", SceneView),
            ("run_display.ComparePanel", ComparePanel),
        ):
            monkeypatch.setattr(f"app.ui.{name}", partial(kind, adapter=lambda: None))
    bundle = tmp_path / "bundle"
    bundle.mkdir()
    (bundle / "model.pte").write_bytes(b"not a program")
    digest = hashlib.sha256(b"not a program").hexdigest()
    height, width = Room().size
    manifest = {
        "format": "pocket-vggt-bundle",
        "format_version": 1,
        "model": {"name": "toy", "license": "none"},
        "quantization": {"name": "8da4w-g32"},
        "backend": "xnnpack",
        "input": {"height": height, "width": width, "range": [0, 1]},
        "methods": {"1": "forward_s1", "2": "forward_s2", "4": "forward_s4"},
        "outputs": ["pose_enc", "depth", "depth_conf"],
        "files": {"model.pte": {"sha256": digest, "bytes": 13}},
    }
    (bundle / "manifest.json").write_text(json.dumps(manifest))
    driver = Driver(walk, bundle)
    yield driver
    driver.window.close()
