"""The 3D view: real pixels, drawn without a display."""

import gc
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import shiboken6
from numpy.typing import NDArray
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QImage, QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QWidget

from app.ui.adapter import find_adapter
from app.ui.framing import FIELD_OF_VIEW, UP, Viewpoint, viewpoint
from app.ui.scene_view import SceneView
from app.ui.stage import Stage
from tests.app.ui.waiting import wait

RED, GREEN, BLUE = (220, 30, 30), (30, 200, 40), (40, 60, 220)

needs_adapter = pytest.mark.skipif(
    find_adapter() is None, reason="no graphics adapter (apt install mesa-vulkan-drivers)"
)


def pixels(widget: QWidget) -> NDArray[np.int64]:
    """What the widget shows, [H,W,3]."""
    image = widget.grab().toImage().convertToFormat(QImage.Format.Format_RGB888)
    rows = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), -1)
    return rows[:, : 3 * image.width()].reshape(image.height(), image.width(), 3).astype(np.int64)


def mask(picture: NDArray[np.int64], color: tuple[int, int, int]) -> NDArray[np.bool_]:
    """Pixels [H,W] of this colour."""
    return np.abs(picture - np.array(color)).max(axis=-1) <= 2


def project(view: Viewpoint, point: Any, width: int, height: int) -> NDArray[np.float64]:
    """Pixel (u, v) of a world point."""
    back = (view.position - view.target) / np.linalg.norm(view.position - view.target)
    right = np.cross(UP, back) / np.linalg.norm(np.cross(UP, back))
    offset = np.asarray(point) - view.position
    focal = 0.5 * min(width, height) / np.tan(np.radians(FIELD_OF_VIEW / 2))
    x, y, z = offset @ right, offset @ np.cross(back, right), -offset @ back
    return np.array([width / 2 + focal * x / z, height / 2 - focal * y / z])


def patch(center: Any, side: float = 0.2, count: int = 3000) -> NDArray[np.float32]:
    """Points that fill a small cube."""
    rng = np.random.default_rng(0)
    return (np.asarray(center) + rng.uniform(-side / 2, side / 2, (count, 3))).astype(np.float32)


class FixedPace:
    """Passes of one size, however long they take."""

    points_a_picture = float("inf")

    def __init__(self, points: int) -> None:
        self.points_a_pass = points

    def took(self, points: int, seconds: float) -> None:
        pass


@pytest.fixture
def view(qt: QApplication) -> Iterator[SceneView]:
    view = SceneView()
    view.resize(480, 360)
    view.show()
    qt.processEvents()
    yield view
    view.close()


def put(
    view: SceneView, index: int, points: Any, color: Any, rank: Any = 255, x: float = 0
) -> None:
    pose = np.eye(4)
    pose[0, 3] = x
    view.set_keyframe(
        index,
        points,
        np.tile(np.array(color, np.uint8), (len(points), 1)),
        np.broadcast_to(np.asarray(rank, np.uint8), len(points)).copy(),
        pose,
        np.array([[80, 0, 42], [0, 80, 28], [0, 0, 1.0]]),
        (56, 84),
    )


def draw(view: SceneView) -> NDArray[np.int64]:
    view.draw_now()
    return pixels(view)


@needs_adapter
def test_points_appear_in_their_colour_where_they_should(view: SceneView) -> None:
    places = {RED: [-1.0, 0.0, 3.0], GREEN: [0.0, -1.0, 3.0], BLUE: [1.0, 0.5, 4.0]}
    for index, (color, center) in enumerate(places.items()):
        put(view, index, patch(center), color)
    picture = draw(view)
    scene = view.scene
    framed = viewpoint(scene.sample(), scene.centers(), np.array([0, 0, 1.0]), 480 / 360)
    for color, center in places.items():
        rows, columns = np.nonzero(mask(picture, color))
        assert len(rows) > 100
        expected = project(framed, center, 480, 360)
        np.testing.assert_allclose([columns.mean(), rows.mean()], expected, atol=3)


@needs_adapter
def test_the_view_is_upright(view: SceneView) -> None:
    put(view, 0, patch([0, -1, 4]), RED)
    put(view, 1, patch([0, 1, 4]), BLUE)
    picture = draw(view)
    assert np.nonzero(mask(picture, RED))[0].max() < np.nonzero(mask(picture, BLUE))[0].min()


@needs_adapter
def test_the_confidence_quantile_removes_points(view: SceneView) -> None:
    sure, unsure = patch([-0.7, 0, 3]), patch([0.7, 0, 3])
    put(view, 0, sure, RED, rank=200)
    put(view, 1, unsure, BLUE, rank=50)
    before = draw(view)
    assert mask(before, BLUE).sum() > 100
    view.set_confidence_quantile(0.5)
    after = draw(view)
    assert mask(after, BLUE).sum() == 0
    assert mask(after, RED).sum() == mask(before, RED).sum()
    assert view.scene.shown_count == len(sure)


@needs_adapter
def test_points_grow_with_their_size(view: SceneView) -> None:
    put(view, 0, np.array([[0, 0, 3]], np.float32), RED)
    for pixels_wide in (2, 6):
        view.set_point_size(pixels_wide)
        assert mask(draw(view), RED).sum() == pixels_wide**2


@needs_adapter
def test_a_pose_moves_points_without_a_new_upload(view: SceneView) -> None:
    put(view, 0, patch([-1, 0, 3]), GREEN)
    put(view, 1, patch([1, 0, 3]), GREEN)
    put(view, 2, patch([0, 0, 3]), RED)
    before = np.nonzero(mask(draw(view), RED))[1].mean()
    pose = np.eye(4)
    pose[0, 3] = 0.6
    view.set_pose(2, pose)
    assert np.nonzero(mask(draw(view), RED))[1].mean() > before + 20
    np.testing.assert_allclose(view.scene.shown_cloud().points[-3000:, 0].mean(), 0.6, atol=0.01)


@needs_adapter
def test_clear_leaves_nothing(view: SceneView) -> None:
    empty = draw(view)
    put(view, 0, patch([0, 0, 3]), RED)
    put(view, 1, patch([0, 0, 3]), RED, x=1)
    assert (draw(view) != empty).any()
    view.clear()
    np.testing.assert_array_equal(draw(view), empty)


@needs_adapter
def test_cameras_and_trajectory_are_drawn(view: SceneView) -> None:
    none = np.empty((0, 3), np.float32)
    background = draw(view)
    for index in range(4):
        put(view, index, none, RED, x=0.5 * index)
    changed = np.abs(draw(view) - background).max(axis=-1) > 40
    _, columns = np.nonzero(changed)
    assert changed.sum() > 300
    assert columns.max() - columns.min() > 200


def _canvas(view: SceneView) -> QWidget:
    canvas = view.findChild(QWidget)
    assert canvas is not None
    return canvas


def _drag(view: SceneView, button: Qt.MouseButton = Qt.MouseButton.LeftButton) -> None:
    QTest.mousePress(_canvas(view), button, pos=QPoint(200, 200))
    for x in range(200, 300, 10):
        QTest.mouseMove(_canvas(view), QPoint(x, 210))
        wait(20)
    QTest.mouseRelease(_canvas(view), button, pos=QPoint(300, 210))
    wait(300)


@needs_adapter
def test_a_right_drag_takes_the_scene_along_and_the_wheel_zooms(view: SceneView) -> None:
    put(view, 0, patch([0, 0, 3]), RED)
    before = np.argwhere(mask(draw(view), RED))
    _drag(view, Qt.MouseButton.RightButton)
    after = np.argwhere(mask(draw(view), RED))
    moved = after.mean(0) - before.mean(0)
    assert 45 < moved[1] < 110, "the pointer went 90 to 100 pixels"
    wheel = QWheelEvent(
        QPointF(240, 180),
        QPointF(240, 180),
        QPoint(),
        QPoint(0, 360),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(_canvas(view), wheel)
    wait(400)
    assert len(np.argwhere(mask(draw(view), RED))) > 1.2 * len(after)


@needs_adapter
def test_it_follows_the_scene_until_the_user_takes_the_camera(view: SceneView) -> None:
    put(view, 0, patch([0, 0, 3]), RED)
    draw(view)
    put(view, 1, patch([8, 0, 3]), BLUE)
    followed = draw(view)
    assert mask(followed, BLUE).sum() > 20
    _drag(view)
    dragged = draw(view)
    assert (dragged != followed).any()
    assert mask(dragged, RED).sum() > 5, "an orbit keeps the scene in view"
    put(view, 2, patch([40, 0, 3]), GREEN)
    kept = draw(view)
    np.testing.assert_allclose(
        np.argwhere(mask(kept, RED)).mean(0), np.argwhere(mask(dragged, RED)).mean(0), atol=2
    )
    view.reset_view()
    assert mask(draw(view), GREEN).sum() > 5


def passes_until_still(stage: Stage) -> int:
    """How many passes were drawn when none came for 0.3 seconds, and none was under way."""
    painter = stage._painter
    for _ in range(100):
        drawn, is_at_work = stage.passes.count, painter._running or painter._waiting
        wait(300)
        if stage.passes.count == drawn and not is_at_work:
            return drawn
    raise AssertionError("it never stops drawing")


@needs_adapter
def test_it_draws_only_when_something_changed(view: SceneView, qt: QApplication) -> None:
    put(view, 0, patch([0, 0, 3]), RED)
    stage = view._stage
    assert stage is not None
    stage.passes.pace = FixedPace(10_000)
    drawn = passes_until_still(stage)
    view.set_confidence_quantile(0.1)
    while stage.passes.count == drawn:
        wait(20)
    assert passes_until_still(stage) == drawn + 1


@needs_adapter
def test_passes_add_up_to_the_whole_picture(view: SceneView) -> None:
    for index, (color, x) in enumerate(((RED, -1), (GREEN, 0), (BLUE, 1))):
        put(view, index, patch([x, 0, 3], side=0.5), color)
    whole = draw(view)
    stage = view._stage
    assert stage is not None
    stage.passes.pace = FixedPace(2000)
    before = stage.passes.count
    view.reset_view()
    view.set_point_size(2.0001)
    while stage.passes.count < before + 5:
        wait(20)
    wait(200)
    assert stage.passes.count == before + 5, "9000 points, 2000 a pass"
    np.testing.assert_array_equal(pixels(view), whole)


@needs_adapter
def test_a_pass_under_way_does_not_shorten_the_picture_that_is_asked_for(
    view: SceneView, qt: QApplication, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.ui.pace.PASS_SECONDS", 1e-9)  # every pass is too slow
    draw(view)
    for index in range(4):
        put(view, index, patch([0, 0, 3], side=2, count=20_000), RED)
    while not view._stage._painter._running:  # as it is while keyframes arrive
        qt.processEvents()
    early = draw(view)
    assert np.array_equal(early, draw(view))


@needs_adapter
def test_nothing_holds_on_to_points_that_were_replaced(view: SceneView) -> None:
    def bindings() -> int:
        return sum(type(thing).__name__ == "GPUBindGroup" for thing in gc.get_objects())

    put(view, 0, patch((0, 0, 2)), (255, 0, 0))
    draw(view)
    before = bindings()
    for _ in range(3):
        put(view, 0, patch((0, 0, 2)), (255, 0, 0))
        draw(view)
    assert bindings() == before > 0


@pytest.mark.parametrize("sizes", [(1, 1, 5000), (3, 7, 11)])
def test_keyframes_of_any_size_are_drawn(
    view: SceneView, sizes: tuple[int, ...], caplog: pytest.LogCaptureFixture
) -> None:
    stage = view._stage
    assert stage is not None
    stage.passes.pace = FixedPace(5)
    for index, size in enumerate(sizes):
        put(view, index, patch([index, 0, 3], count=size), RED)
    wait(400)
    assert "error" not in caplog.text.lower()


@needs_adapter
def test_it_may_be_deleted_while_a_picture_is_on_its_way(
    qt: QApplication, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(5):
        view = SceneView()
        view.show()
        put(view, 0, patch([0, 0, 3]), RED)
        stage = view._stage
        assert stage is not None
        while not stage.passes.count:
            wait(1)
        shiboken6.delete(view)
        wait(50)
    assert "error" not in caplog.text.lower()


def test_without_an_adapter_there_is_a_message_and_the_scene_is_kept(qt: QApplication) -> None:
    view = SceneView(adapter=lambda: None)
    view.resize(480, 360)
    put(view, 0, patch([0, 0, 3]), RED, rank=np.arange(3000) % 256)
    view.set_confidence_quantile(0.5)
    view.set_point_size(3)
    view.reset_view()
    view.draw_now()
    assert view._stage is None
    assert 0 < view.scene.shown_count < 3000
    assert len(np.unique(pixels(view).reshape(-1, 3), axis=0)) > 1
    view.clear()
    assert view.scene.shown_count == 0
