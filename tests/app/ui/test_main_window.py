"""The window at work: what it shows while a source runs through an engine."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from PySide6.QtCore import Qt
from PySide6.QtGui import QImage
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLabel, QPushButton, QWidget

from app.cli import main
from app.export.images import color_depth
from app.ui.adapter import find_adapter
from app.ui.choices import Choice
from app.ui.main_window import MainWindow
from tests.app.ui.waiting import wait

needs_adapter = pytest.mark.skipif(
    find_adapter() is None, reason="no graphics adapter (apt install mesa-vulkan-drivers)"
)


def pixels(widget: QWidget) -> NDArray[np.int64]:
    """What the widget shows, [H,W,3]."""
    image = widget.grab().toImage().convertToFormat(QImage.Format.Format_RGB888)
    rows = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), -1)
    return rows[:, : 3 * image.width()].reshape(image.height(), image.width(), 3).astype(np.int64)


def press(window: MainWindow, text: str) -> None:
    """Click the button with this text."""
    (button,) = (b for b in window.findChildren(QPushButton) if b.text() == text)
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)


def enabled(window: MainWindow, text: str) -> bool:
    (button,) = (b for b in window.findChildren(QPushButton) if b.text() == text)
    return button.isEnabled()


def hint(window: MainWindow) -> list[str]:
    """Title and buttons of the message in the middle of the 3D view."""
    message = window.view.hint
    if message is None:
        return []
    title = next(t for t in message.findChildren(QLabel) if t.property("role") == "title")
    return [title.text(), *(b.text() for b in message.findChildren(QPushButton))]


def test_it_starts_with_a_hint_and_no_figures(driver: Any) -> None:
    window = driver.window
    assert hint(window) == ["Nothing captured yet", "Start: Walk", "Open video…"]
    assert not window.view.banner.isVisible()
    assert window.status.figure("keyframes") == window.status.figure("points") == "–"
    assert enabled(window, "Start")
    assert not any(enabled(window, text) for text in ("Pause", "Stop", "Export…"))


def test_a_run_fills_the_scene_with_the_room(pictures: None, driver: Any, room: Any) -> None:
    driver.run()
    scene = driver.window.view.scene.scene
    assert sorted(scene.keyframes) == list(range(8))
    # The engine's windows have scales of their own: they must have been joined.
    walk = np.array(room.walk())
    truth = (np.linalg.inv(walk[0]) @ walk)[:, :3, 3]
    np.testing.assert_allclose(scene.centers(), truth, atol=1e-3)
    world = scene.shown_cloud().points @ walk[0, :3, :3].T + walk[0, :3, 3]
    np.testing.assert_allclose((np.abs(world) - room.half).max(axis=1), 0, atol=0.01)
    status = driver.window.status
    assert status.figure("keyframes") == "8"
    assert status.figure("points") == f"{scene.shown_count:,} of {scene.point_count:,}"
    assert status.figure("memory") == "123 MiB"
    assert status.figure("speed") == "40.0 views/s"
    assert status.figure("latency").endswith(" s")
    assert driver.engines[0].closed
    assert not hint(driver.window)


def test_a_run_fills_the_views_of_video_and_depth(driver: Any, room: Any) -> None:
    driver.run()
    window = driver.window
    image, depth = room.render(room.walk()[-1])
    near, far = np.quantile(depth, [0.02, 0.98])
    video, picture = window.display.video_view, window.display.depth_view._picture
    for widget, expected in ((video, image), (picture, color_depth(depth, near, far))):
        shown = pixels(widget)
        scale = min(shown.shape[0] / room.size[0], shown.shape[1] / room.size[1])
        for v, u in ((14, 20), (28, 42), (40, 70)):
            # The middle of a pixel, where smooth scaling shows its own colour.
            row = round(shown.shape[0] / 2 + (v + 0.5 - room.size[0] / 2) * scale)
            column = round(shown.shape[1] / 2 + (u + 0.5 - room.size[1] / 2) * scale)
            np.testing.assert_allclose(shown[row, column], expected[v, u], atol=12)
    legend = pixels(window.display.depth_view._legend)
    assert len(np.unique(legend.reshape(-1, 3), axis=0)) > 100
    assert window.display.depth_view._near.text() == f"near {near:.2f}"


@needs_adapter
def test_a_run_shows_points_in_the_whole_window(pictures: None, driver: Any, room: Any) -> None:
    window = driver.window
    before = pixels(window)
    driver.run()
    QApplication.processEvents()
    window.view.scene.draw_now()
    picture = pixels(window)
    view = window.view.scene
    corner = view.mapTo(window, view.rect().topLeft())
    part = picture[corner.y() :, corner.x() :][: view.height(), : view.width()]
    # The far wall, the side walls and the floor, each by its hue.
    for side in (0, 1, 3, 5):
        wall = room.walls[side] / np.linalg.norm(room.walls[side])
        cosine = (part * wall).sum(-1) / np.maximum(np.linalg.norm(part, axis=-1), 1)
        assert ((cosine > 0.995) & (part.max(-1) > 90)).sum() > 200
    assert picture.shape == before.shape
    colored = np.ptp(part, axis=-1) > 30
    window.view.confidence.slider.setValue(90)
    window.view.scene.draw_now()
    fewer = np.ptp(pixels(window.view.scene), axis=-1) > 30
    assert fewer.sum() < 0.7 * colored.sum()


def test_the_slider_counts_and_hides(driver: Any) -> None:
    driver.run()
    scene = driver.window.view.scene.scene
    counts = []
    for percent in (0, 50, 95):
        driver.window.view.confidence.slider.setValue(percent)
        assert driver.window.status.figure("points").startswith(f"{scene.shown_count:,} of")
        counts.append(scene.shown_count)
        assert counts[-1] == len(scene.shown_cloud().points)
    # Of what several keyframes see the surest is kept, so more than half is surer than half.
    assert counts[0] == scene.point_count > counts[1] > 0.5 * counts[0] > counts[2] > 0


def test_the_window_goes_on_while_the_engine_works(
    pictures: None, driver: Any, qt: QApplication
) -> None:
    window = driver.window
    engine = driver.start_and_hold()
    # The engine answers only after the window has answered to these.
    while window.display.video_view._image is None:
        wait(10)
    window.view.confidence.slider.setValue(60)
    QTest.keyClick(window, "]")
    assert window.view.point_size.value == 4
    assert not window.is_idle
    engine.go.set()
    driver.wait_for_end()
    assert window.status.figure("keyframes") == "8"


def test_space_pauses_and_goes_on(driver: Any) -> None:
    window = driver.window
    window.start()
    QTest.keyClick(window, Qt.Key.Key_Space)
    assert enabled(window, "Resume")
    wait(400)
    seen = window.runs.session.latest_frame()
    wait(300)
    assert window.runs.session.latest_frame() is seen
    assert not window.is_idle
    QTest.keyClick(window, Qt.Key.Key_Space)
    assert enabled(window, "Pause")
    driver.wait_for_end()
    assert window.status.figure("keyframes") == "8"


def test_stop_keeps_what_was_captured(driver: Any) -> None:
    window = driver.window
    engine = driver.start_and_hold()
    while window.runs.session.latest_frame() is None:
        wait(5)
    press(window, "Stop")
    assert enabled(window, "End now")
    engine.go.set()
    driver.wait_for_end()
    assert window.failure == ""
    assert len(window.view.scene.scene.keyframes) <= 8


def test_stopping_twice_ends_at_once(driver: Any) -> None:
    window = driver.window
    engine = driver.start_and_hold()
    wait(50)
    press(window, "Stop")
    press(window, "End now")
    assert engine.closed
    driver.wait_for_end()
    assert window.failure == ""


def test_a_second_run_starts_from_nothing(pictures: None, driver: Any) -> None:
    driver.run()
    driver.run()
    assert len(driver.engines) == 2
    assert driver.window.status.figure("keyframes") == "8"
    assert len(driver.window.view.scene.scene.keyframes) == 8


def test_a_missing_source_says_what_to_do(driver: Any, tmp_path: Path) -> None:
    window = driver.window
    window.sources.add(Choice("gone.mp4", str(tmp_path / "gone.mp4")))
    driver.run()
    assert "gone.mp4" in window.failure
    assert window.view.banner.isVisible()
    assert "Choose another source." in window.view.banner._text.text()
    assert hint(window) == ["Nothing captured yet", "Start: Walk", "Open video…"]
    press(window, "Dismiss")
    assert not window.view.banner.isVisible()


def test_a_damaged_bundle_says_what_to_do(driver: Any, tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text("{}")
    driver.window.models.add(Choice("broken", str(tmp_path)))
    driver.run()
    assert "Choose another model." in driver.window.view.banner._text.text()
    assert enabled(driver.window, "Start")


def test_an_engine_that_fails_leaves_what_there_is(driver: Any) -> None:
    window = driver.window
    driver.windows_left = 1
    driver.run()
    assert "signal 9" in window.failure
    assert "Press Start" in window.view.banner._text.text()
    assert len(window.view.scene.scene.keyframes) == 4
    assert not hint(window)


def in_order(points: NDArray[np.float32]) -> NDArray[np.float32]:
    """Each coordinate by size: the same of two clouds that differ in order."""
    return np.sort(points, axis=0)


def test_export_writes_what_is_shown(driver: Any, tmp_path: Path) -> None:
    driver.run()
    window = driver.window
    window.view.confidence.slider.setValue(60)
    done: list[str] = []
    window.exporter.ended.connect(done.append)
    window.export("ply", tmp_path / "cloud.ply")
    while not done:
        wait(5)
    assert done == [""]
    said = [label.text() for label in window.status.findChildren(QLabel)]
    assert f"Exported: {tmp_path / 'cloud.ply'}" in said
    header, data = (tmp_path / "cloud.ply").read_bytes().split(b"end_header\n", 1)
    cloud = window.view.scene.scene.shown_cloud()
    assert f"element vertex {len(cloud.points)}\n".encode() in header
    assert b"confidence quantile 0.6," in header
    assert b"python -m app reconstruct" in header
    vertices = np.frombuffer(data, np.dtype([("xyz", "<f4", 3), ("rgb", "u1", 3)]))
    assert len(vertices) == len(cloud.points)
    np.testing.assert_allclose(in_order(vertices["xyz"]), in_order(cloud.points), atol=2e-3)


def test_an_export_that_fails_says_so(driver: Any, tmp_path: Path) -> None:
    driver.run()
    done: list[str] = []
    driver.window.exporter.ended.connect(done.append)
    driver.window.export("ply", tmp_path / "nowhere" / "cloud.ply")
    while not done:
        wait(5)
    assert "cloud.ply could not be written" in done[0]
    assert driver.window.view.banner.isVisible()


def test_without_a_model_it_says_how_to_get_one(qt: QApplication) -> None:
    window = MainWindow([], [])
    window.show()
    assert not enabled(window, "Start")
    assert not window._bar._views.isEnabled()
    window.start()
    assert window.is_idle
    assert hint(window) == ["No model yet", "Open bundle…"]
    window.models.add(Choice("toy", "toy"))
    assert hint(window) == ["Nothing captured yet", "Open video…"]
    window.sources.add(Choice("a.mp4", "a.mp4"))
    assert enabled(window, "Start")
    window.close()


def test_closing_ends_the_engine(driver: Any) -> None:
    window = driver.window
    engine = driver.start_and_hold()
    wait(100)
    window.close()
    assert engine.closed


def test_the_real_runtime_in_its_process(
    qt: QApplication, tiny_bundle: Path, toy_image: Any, tmp_path: Path
) -> None:
    for index in range(5):
        image = toy_image(0.4 + 0.5 * index, seed=index)
        Image.fromarray(image).save(tmp_path / f"{index}.png")
    window = MainWindow([Choice("toy", str(tmp_path))], [Choice("toy", str(tiny_bundle))])
    window.show()
    done: list[bool] = []
    window.run_ended.connect(lambda: done.append(True))
    window.start()
    while not done:
        wait(20)
    assert window.failure == ""
    assert len(window.view.scene.scene.keyframes) == 5
    window.close()


Run = Callable[..., tuple[int, str]]


@pytest.fixture
def run_app(
    qt: QApplication,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Run:
    """run_app(argument...): status and errors of `python -m app` in an empty folder.

    It is the tests' application that runs; test_no_sockets.py starts the command as a process.
    """

    class Running(QApplication):
        """There can be no second one."""

        def __new__(cls, arguments: list[str]) -> QApplication:  # type: ignore[misc]
            return qt

    monkeypatch.setattr("app.ui.main_window.QApplication", Running)
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> tuple[int, str]:
        return main(list(arguments)), capsys.readouterr().err

    return run


@pytest.mark.usefixtures("quick_runtime")
def test_a_screenshot_shows_the_finished_run(
    run_app: Run, tiny_bundle: Path, toy_image: Any, tmp_path: Path
) -> None:
    (tmp_path / "images").mkdir()
    for index in range(5):
        image = toy_image(0.4 + 0.5 * index, seed=index)
        Image.fromarray(image).save(tmp_path / "images" / f"{index}.png")
    options = ["--bundle", str(tiny_bundle), "--screenshot", "window.png"]
    assert run_app("--source", "images", *options)[0] == 0
    with Image.open(tmp_path / "window.png") as picture:
        assert picture.size == (1280, 800)
        assert len(picture.getcolors(10**7)) > 5000


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--screenshot", "x.png"], "--screenshot needs --source"),
        (["--colour"], "unrecognized arguments"),
        (["--screenshot", "x.png", "--source", "gone.mp4", "--bundle", "gone"], "gone"),
    ],
)
def test_bad_arguments_give_one_line(
    run_app: Run, arguments: list[str], words: str, tmp_path: Path
) -> None:
    status, errors = run_app(*arguments)
    assert status == 2
    assert len(errors.splitlines()) == 1
    assert errors.startswith("error: ")
    assert words in errors
    assert list(tmp_path.iterdir()) == []
