"""Two models in the window, recordings that are made and opened there, and a camera that goes."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QFileDialog, QPushButton

from app.capture import Frame, SourceError, SourceInterrupted
from app.engine.forecast import Forecast, Machine
from app.sessions import is_session, open_session
from app.ui.choices import bundle_choice
from app.ui.compare import Mode
from app.ui.controls import State
from app.ui.main_window import MainWindow
from app.ui.planning import together
from tests.app.ui.waiting import wait_until


def press(window: MainWindow, text: str) -> None:
    (button,) = (b for b in window.findChildren(QPushButton) if b.text() == text and b.isVisible())
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)


def compared(window: MainWindow) -> int:
    """Keyframes that are compared so far."""
    comparison = window.display.comparison().comparison
    apart = comparison.differences[1] if comparison else None
    return len(apart.keyframes) if apart else 0


@pytest.fixture
def second(driver: Any, tmp_path: Path) -> Path:
    """Another model that the window offers: the same in full precision."""
    first = Path(driver.window.models.choice.value)
    folder = tmp_path / "full"
    shutil.copytree(first, folder)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["quantization"]["name"] = "fp32"
    (folder / "manifest.json").write_text(json.dumps(manifest))
    choice = bundle_choice(folder)
    driver.window.models.insertItem(1, choice.label, choice.value)
    driver.window.compare.refresh()
    return folder


def test_a_second_model_runs_on_the_same_frames(
    pictures: None,
    driver: Any,
    second: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    window = driver.window
    QTest.keyClick(window, Qt.Key.Key_D, Qt.KeyboardModifier.ControlModifier)
    assert window.compare.choice.value == str(second)
    assert window.actions_["compare"].isChecked()
    assert not window.actions_["wipe"].isEnabled()
    driver.run()
    assert window.failure == ""
    assert window.display.is_comparing
    panel = window.display.comparison()
    wait_until(lambda: compared(window) == 8)
    assert [lane.title for lane in panel.lanes] == ["4 bit", "full precision"]
    a, b = ([k.index for k in lane.keyframes] for lane in panel.lanes)
    assert a == b
    assert all(engine.closed for engine in driver.engines)
    assert len(driver.engines) == 2
    assert panel.figures.text("Peak memory of the runtime", 1) != "–"

    # Tools of the one scene have no use here; their keys are free.
    assert not window.view.bar.box.isEnabled()
    QTest.keyClick(window, Qt.Key.Key_5)
    assert panel.linked.mode is Mode.WIPE
    QTest.keyClick(window, Qt.Key.Key_4)
    assert panel.linked.mode is Mode.SIDE

    # What a report has in it is tested with the panel: its pictures take long.
    asked: list[tuple[Any, ...]] = []
    monkeypatch.setattr(panel.writer, "start", lambda *what: asked.append(what))
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(tmp_path / "new"), ""))
    window.actions_["report"].trigger()
    ((out, compare, command),) = asked
    assert out == tmp_path / "new"
    assert f"--bundles {window.models.choice.value} {second}" in command
    assert [len(lane.keyframes) for lane in compare().lanes] == [8, 8]

    QTest.keyClick(window, Qt.Key.Key_D, Qt.KeyboardModifier.ControlModifier)
    assert not window.display.is_comparing
    assert len(window.view.scene.scene.keyframes) == 8
    assert window.view.bar.box.isEnabled()


def test_a_model_that_fails_leaves_the_other(driver: Any, second: Path) -> None:
    window = driver.window
    window.actions_["compare"].trigger()
    start = driver._start_engine

    def fail_second(bundle: Any) -> Any:
        driver.windows_left = 1 if bundle.precision == "fp32" else 1000
        return start(bundle)

    window.runs._start_engine = fail_second
    driver.run()
    panel = window.display.comparison()
    assert window.failure == ""
    assert panel.banner.isVisible()
    assert len(panel.lanes[0].keyframes) == 8
    assert len(panel.lanes[1].keyframes) < 8


@pytest.fixture
def recorded(driver: Any) -> Path:
    """A session that was recorded while the window captured."""
    driver.window.actions_["record"].trigger()
    driver.run()
    driver.window.actions_["record"].trigger()
    (folder,) = (p for p in (Path.home() / "Documents" / "Pocket VGGT").iterdir())
    return folder


def test_what_is_captured_is_recorded(driver: Any, recorded: Path) -> None:
    assert is_session(recorded)
    session = open_session(recorded)
    assert len(session.frames) == 8
    assert not session.lost
    assert [k.index for k in session.read_keyframes()] == list(range(8))
    assert str(recorded) in driver.window.status._state.text()


def test_a_recording_is_opened_looked_through_and_compared_with(
    driver: Any, recorded: Path, second: Path, room: Any
) -> None:
    window = driver.window
    window.opener.open_paths([recorded])
    wait_until(lambda: window.display.timeline.isVisible())
    assert window.sources.choice.value == str(recorded)
    assert len(window.view.scene.scene.keyframes) == 8
    depth = window.display.depth_view
    assert depth.positions == set(range(8))
    assert depth.shown == 0
    window.display.timeline._slider.setValue(5)
    assert depth.shown == 5
    shown = window.display.video_view._image
    expected = room.render(room.walk()[5])[0]
    color = shown.pixelColor(42, 28)
    np.testing.assert_allclose([color.red(), color.green(), color.blue()], expected[28, 42], atol=4)

    window.compare.setCurrentIndex(window.compare.findText("the recording"))
    window.compare.picked.emit()
    driver.run()
    panel = window.display.comparison()
    wait_until(lambda: compared(window) == 8)
    assert [lane.is_recorded for lane in panel.lanes] == [True, False]
    assert not window.display.timeline.isHidden()


def test_undo_and_redo_take_the_depth_along(driver: Any) -> None:
    driver.run()
    window = driver.window
    depth = window.display.depth_view
    assert depth.positions == set(range(8))
    assert depth.shown == 7
    QTest.keyClick(window, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert depth.positions == set(range(7))
    assert depth.shown == 6
    assert window.display._depth_panel._note.text() == "Keyframe 7, frame 7"
    depth.previous.click()
    assert depth.shown == 5
    window.view.bar.redo.trigger()
    assert depth.positions == set(range(8))
    assert depth.shown == 5


class Camera:
    """Frames of the walk; after five the camera is gone until `plugged` and opened again."""

    is_live, length = True, None

    def __init__(self, room: Any) -> None:
        self._room = room
        self.plugged = False
        self.given = 0
        self.closed = False

    def __iter__(self) -> Iterator[Frame]:
        while not self.closed:
            if self.given == 5 and not self.plugged:
                raise SourceInterrupted("the camera is gone")
            if self.given < 8:
                image = self._room.render(self._room.walk()[self.given])[0]
                yield Frame(self.given, float(self.given), image, "frame")
                self.given += 1
            else:
                QTest.qSleep(10)
                yield Frame(self.given, 8.0, np.zeros((*self._room.size, 3), np.uint8), "dark")

    def reopen(self) -> None:
        if not self.plugged:
            raise SourceError("the camera is still gone")

    def close(self) -> None:
        self.closed = True


def test_a_camera_that_was_gone_goes_on_with_resume(driver: Any, room: Any) -> None:
    camera = Camera(room)
    driver.open_source = lambda spec, warn: camera
    window = driver.window
    window.start()
    wait_until(lambda: window.view.banner.isVisible())
    assert window.view.banner._text.text() == (
        "The camera is gone. Plug the camera in again, then press Resume."
    )
    assert window.runs.state is State.PAUSED
    press(window, "Resume")
    wait_until(lambda: "still gone" in window.view.banner._text.text())
    camera.plugged = True
    press(window, "Resume")
    assert not window.view.banner.isVisible()
    wait_until(lambda: camera.given == 8)
    press(window, "Stop")
    driver.wait_for_end()
    assert window.failure == ""
    # A camera gives frames while the engine is busy, too: not all of them become keyframes.
    frames = [k.index for k in window.runs.keyframes]
    assert min(frames) < 5 <= max(frames)


def test_the_forecast_of_a_comparison_counts_both_models() -> None:
    machine = Machine("toy", 2, 2**33, 1000)
    first = [Forecast(2, 300, 0.1, True, True), Forecast(4, 400, 0.2, True, True)]
    second = [Forecast(4, 600, 0.5, False, True), Forecast(8, 700, 0.6, False, True)]
    (both,) = together([first, second], machine)
    assert (both.views, both.memory, both.measured) == (4, 1000, False)
    assert both.seconds == pytest.approx(0.7)
    assert not both.fits, "each fits by itself, but not both"
    assert together([first], machine) == first


def test_the_forecast_follows_the_choice_of_a_second_model(driver: Any, second: Path) -> None:
    window = driver.window
    plan = window.plan
    wait_until(lambda: plan._check.error is not None)
    alone = plan.chosen
    assert window._bar.forecast.startswith("Needs")
    window.compare.setCurrentIndex(1)
    window.compare.picked.emit()
    wait_until(lambda: window._bar.forecast.startswith("Both need"))
    assert plan.chosen.memory > 1.5 * alone.memory
    window.compare.setCurrentIndex(0)
    window.compare.picked.emit()
    assert window._bar.forecast.startswith("Needs")
