"""The tools of the 3D view, worked by clicks and keys."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QPushButton, QToolButton, QWidget

from app.reconstruction import Keyframe
from app.ui.adapter import find_adapter
from app.ui.scene import packed_keyframe
from app.ui.scene_panel import ScenePanel
from app.ui.scene_view import SceneView
from app.ui.tools.handles import CURSORS, REACH, face_centers
from tests.app.ui.waiting import wait

needs_adapter = pytest.mark.skipif(
    find_adapter() is None, reason="no graphics adapter (apt install mesa-vulkan-drivers)"
)


def fill(view: SceneView, room: Any, count: int = 4) -> list[Keyframe]:
    """Keyframes of the walk, in the view and as the reconstruction has them."""
    keyframes = []
    for position, pose in enumerate(room.walk(count)):
        image, depth = room.render(pose)
        keyframes.append(
            Keyframe(
                index=3 * position,
                time=0.1 * position,
                name=f"{position}.png",
                image=image,
                extrinsic=np.linalg.inv(pose)[:3].astype(np.float32),
                intrinsic=room.intrinsic.astype(np.float32),
                depth=depth,
                confidence=np.random.default_rng(position).random(depth.shape).astype(np.float32),
            )
        )
        add(view, position, keyframes[-1])
    return keyframes


def add(view: SceneView, position: int, keyframe: Keyframe) -> None:
    view.add_packed(position, packed_keyframe(keyframe))


@pytest.fixture
def panel(qt: QApplication) -> Iterator[ScenePanel]:
    panel = ScenePanel(lambda: None)
    panel.resize(760, 560)
    panel.show()
    QTest.qWaitForWindowExposed(panel)
    panel.confidence.slider.setValue(0)
    yield panel
    panel.close()


def press(panel: QWidget, text: str) -> None:
    """Click the button with this text."""
    buttons = [*panel.findChildren(QToolButton), *panel.findChildren(QPushButton)]
    (button,) = (b for b in buttons if b.text() == text and b.isVisible())
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)


def click(view: SceneView, x: float, y: float) -> None:
    canvas = view._stage.canvas  # type: ignore[union-attr]
    QTest.mouseClick(canvas, Qt.MouseButton.LeftButton, pos=QPoint(round(x), round(y)))
    wait(30)


def places(view: SceneView, count: int) -> list[tuple[float, float]]:
    """Places of the view where a click meets a point, away from what lies over it."""
    assert view._stage is not None
    rng = np.random.default_rng(3)
    found: list[tuple[float, float]] = []
    for x, y in rng.uniform([60, 60], [view.width() - 60, view.height() - 120], (400, 2)):
        pick = view._stage.pick(round(x), round(y))
        if pick and pick.point is not None:
            found.append((round(x), round(y)))
        if len(found) == count:
            return found
    raise AssertionError("the scene is not in view")


def test_undo_takes_back_the_newest_and_redo_brings_it_back(panel: ScenePanel, room: Any) -> None:
    view = panel.scene
    fill(view, room)
    whole = view.scene.shown_count
    QTest.keyClick(panel, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    QTest.keyClick(panel, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert view.scene.shown_positions == [0, 1]
    assert view.scene.shown_count < whole
    redo = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier
    QTest.keyClick(panel, Qt.Key.Key_Z, redo)
    assert view.scene.shown_positions == [0, 1, 2]
    press(panel, "↷")
    assert view.scene.shown_count == whole
    assert not panel.bar.redo.isEnabled()


def test_the_list_switches_keyframes(panel: ScenePanel, room: Any) -> None:
    view = panel.scene
    fill(view, room)
    QTest.keyClick(panel, "k")
    wait(120)
    items = panel.keyframes.list
    assert [items.item(row).text() for row in range(4)] == [f"Keyframe {n}" for n in (1, 2, 3, 4)]
    assert not items.item(0).icon().isNull()
    items.item(1).setCheckState(Qt.CheckState.Unchecked)
    assert view.scene.shown_positions == [0, 2, 3]
    items.setCurrentRow(2)
    press(panel, "Only this")
    wait(120)
    assert view.scene.shown_positions == [2]
    assert items.item(0).checkState() is Qt.CheckState.Unchecked
    press(panel, "All")
    assert view.scene.shown_positions == [0, 1, 2, 3]
    view.remove_keyframe(3)
    wait(120)
    assert items.count() == 3


def test_masks_hide_without_packing_anew(panel: ScenePanel, room: Any) -> None:
    view = panel.scene
    keyframes = fill(view, room, 2)
    for keyframe in keyframes:
        keyframe.image[:20] = 3
        keyframe.image[20:28] = 252
    for position, keyframe in enumerate(keyframes):
        add(view, position, keyframe)
    packed = [keyframe.packed for keyframe in view.scene.keyframes.values()]
    whole = view.scene.shown_count
    _, black, white = panel.bar.masks
    black.trigger()
    assert view.scene.shown_cloud().colors.max(axis=1).min() >= 16
    assert view.scene.shown_count == len(view.scene.shown_cloud().points) < whole
    white.trigger()
    assert view.scene.shown_cloud().colors.min(axis=1).max() <= 240
    assert view.scene.shown_count == len(view.scene.shown_cloud().points)
    black.trigger()
    white.trigger()
    assert view.scene.shown_count == whole
    for before, keyframe in zip(packed, view.scene.keyframes.values(), strict=True):
        assert keyframe.packed is before


def test_the_box_hides_what_is_outside(panel: ScenePanel, room: Any) -> None:
    view = panel.scene
    fill(view, room)
    whole = view.scene.shown_count
    QTest.keyClick(panel, "b")
    right = panel.crop.sliders[1]
    right.setValue(100)
    assert panel.crop.on.isChecked()
    crop = view.scene.crop
    assert crop is not None
    cloud = view.scene.shown_cloud().points
    assert 0 < view.scene.shown_count == len(cloud) < whole
    assert (cloud >= np.float32(crop[0])).all()
    assert (cloud <= np.float32(crop[1])).all()
    # The ends of an axis do not pass each other.
    panel.crop.sliders[0].setValue(160)
    low, high = panel.crop.box
    assert low[0] < high[0]
    QTest.mouseClick(panel.crop.on, Qt.MouseButton.LeftButton, pos=QPoint(8, 8))
    assert view.scene.crop is None
    assert view.scene.shown_count == whole
    press(panel, "Fit to scene")
    assert [slider.value() for slider in panel.crop.sliders] == [0, 200] * 3


def test_an_end_of_the_box_can_be_typed(panel: ScenePanel, room: Any) -> None:
    view = panel.scene
    fill(view, room)
    view.scene.metres_per_unit = 2.0
    QTest.keyClick(panel, "b")
    field = panel.crop.numbers[1]
    field.selectAll()
    QTest.keyClicks(field, "1")
    QTest.keyClick(field, Qt.Key.Key_Return)
    assert view.scene.crop is not None
    assert view.scene.crop[1][0] == pytest.approx(0.5)
    assert view.scene.shown_cloud().points[:, 0].max() <= 0.5
    # What cannot be is not taken over: the ends stay in the scene, and in order.
    field.selectAll()
    QTest.keyClicks(field, "-100")
    QTest.keyClick(field, Qt.Key.Key_Return)
    (low, *_), (high, *_) = panel.crop.box
    assert low < high < 0.5


@needs_adapter
def test_the_box_is_dragged_by_its_handles(panel: ScenePanel, room: Any) -> None:
    view = panel.scene
    fill(view, room)
    view.draw_now()
    QTest.keyClick(panel, "b")
    wait(50)
    before = panel.crop.box
    assert view.scene.crop is None
    handle = panel.crop.handles._handles[0]
    assert handle.isVisible()
    assert handle.cursor().shape() in CURSORS
    middle = QPoint(REACH // 2, REACH // 2)
    own, opposite = view.on_screen(face_centers(panel.crop._ends)[:2])
    step = 40 * (opposite - own)[:2] / np.linalg.norm((opposite - own)[:2])
    QTest.mousePress(handle, Qt.MouseButton.LeftButton, pos=middle)
    QTest.mouseMove(handle, middle + QPoint(*map(round, step.tolist())))
    QTest.mouseRelease(handle, Qt.MouseButton.LeftButton)
    (low, *others), high = panel.crop.box
    assert low > before[0][0] + 0.01 * (before[1][0] - before[0][0])
    assert (tuple(others), high) == (before[0][1:], before[1])
    assert view.scene.crop == panel.crop.box
    now = view.on_screen(face_centers(panel.crop._ends)[:1])[0]
    np.testing.assert_allclose(now[:2], own[:2] + step, atol=1.5)
    QTest.keyClick(panel, "b")
    assert not handle.isVisible()


def test_a_selection_is_what_is_shown(panel: ScenePanel, room: Any) -> None:
    view = panel.scene
    view.scene.fuse = 0
    keyframes = fill(view, room)
    keyframes[0].image[:10] = 0
    add(view, 0, keyframes[0])
    panel.confidence.slider.setValue(40)
    panel.bar.masks[1].trigger()
    view.set_visible(2, False)
    view.set_crop(((-2.9, -3, -2), (2, 1.4, 9)))
    view.scene.metres_per_unit = 0.5
    selection = view.selection(keyframes, "made here")
    shown = view.scene.shown_cloud()
    assert len(selection.cloud.points) == len(shown.points) == view.scene.shown_count > 0
    exported, drawn = (np.sort(cloud.points, axis=0) for cloud in (selection.cloud, shown))
    np.testing.assert_allclose(exported, drawn, atol=1e-4)
    assert [k.index for k in selection.keyframes] == [0, 3, 9]
    words = (
        "--quantile 0.4 --fuse 0 --crop=-2.9,-3,-2,2,1.4,9 --masks black --without 3 "
        "--metres-per-unit 0.5"
    )
    assert " ".join(selection.arguments()) == words


@needs_adapter
def test_a_click_shows_the_keyframe_of_a_point(panel: ScenePanel, room: Any) -> None:
    view = panel.scene
    fill(view, room)
    view.draw_now()
    picked: list[int] = []
    view.keyframe_picked.connect(picked.append)
    ((x, y),) = places(view, 1)
    click(view, x, y)
    assert len(picked) == 1
    card = panel.card
    assert card.isVisible()
    assert card.title.text() == f"Keyframe {picked[0] + 1}"
    assert f"Frame {3 * picked[0] + 1}" in card.facts.text()
    assert "surer than" in card.facts.text()
    assert card.image._image is not None
    assert card.depth_map._image is not None
    press(card, "Switch off")
    assert picked[0] in view.scene.hidden
    assert not card.isVisible()


@needs_adapter
def test_a_drag_is_no_click_and_a_click_beside_closes_the_card(
    panel: ScenePanel, room: Any
) -> None:
    view = panel.scene
    fill(view, room)
    view.draw_now()
    assert view._stage is not None
    canvas = view._stage.canvas
    picked: list[int] = []
    view.keyframe_picked.connect(picked.append)
    ((x, y),) = places(view, 1)
    click(view, x, y)
    assert panel.card.isVisible()
    click(view, view.width() - 2, view.height() - 2)
    assert not panel.card.isVisible()
    QTest.mousePress(canvas, Qt.MouseButton.LeftButton, pos=QPoint(int(x), int(y)))
    QTest.mouseMove(canvas, QPoint(int(x) + 40, int(y)))
    QTest.mouseRelease(canvas, Qt.MouseButton.LeftButton, pos=QPoint(int(x) + 40, int(y)))
    assert len(picked) == 1


@needs_adapter
def test_two_clicks_measure_and_a_known_length_sets_the_scale(panel: ScenePanel, room: Any) -> None:
    view, measure = panel.scene, panel.measure
    fill(view, room)
    QTest.keyClick(panel, "m")
    view.draw_now()
    ends = places(view, 4)
    for x, y in ends[:2]:
        click(view, x, y)
    assert not panel.card.isVisible(), "measuring is not looking up"
    (length,) = measure.lengths
    assert measure.text.text() == f"Distance: {length:.3g} units"
    measure.unit.setCurrentText("cm")
    QTest.keyClicks(measure.known, "150")
    press(panel, "Set scale")
    assert view.scene.metres_per_unit == pytest.approx(1.5 / length)
    assert measure.words == ["150 cm"]
    for x, y in ends[2:]:
        click(view, x, y)
    assert measure.words[1] == f"{150 * measure.lengths[1] / length:.4g} cm"
    # The ends move with their keyframes.
    before = measure.lengths[0]
    for position, keyframe in view.scene.keyframes.items():
        view.set_pose(position, keyframe.world_from_camera @ np.diag([1, 1, 1, 1.0]), 2.0)
    assert measure.lengths[0] != before
    press(panel, "Forget scale")
    assert view.scene.metres_per_unit is None
    assert measure.words[0].endswith("units")
    press(panel, "Clear")
    assert measure.words == []
    view.show_only([])
    click(view, *ends[0])
    assert measure.text.text().startswith("No point there")


@needs_adapter
def test_modes_keep_the_place_of_the_camera(panel: ScenePanel, room: Any) -> None:
    view = panel.scene
    fill(view, room)
    view.draw_now()
    stage = view._stage
    assert stage is not None
    before = view.camera_state()
    for key, mode in (("3", "fly"), ("2", "trackball"), ("1", "orbit")):
        QTest.keyClick(panel, key)
        assert stage.mode == mode
        assert panel.bar._mode.text().lower() == mode
    after = view.camera_state()
    np.testing.assert_allclose(after["position"], before["position"], atol=1e-5)
    np.testing.assert_allclose(np.abs(after["rotation"]), np.abs(before["rotation"]), atol=1e-5)


@needs_adapter
def test_flying_takes_its_keys_from_the_window(panel: ScenePanel, room: Any) -> None:
    view = panel.scene
    fill(view, room)
    view.draw_now()
    stage = view._stage
    assert stage is not None
    QTest.keyClick(panel, "3")
    before = np.array(view.camera_state()["position"])
    stage.canvas.setFocus()
    QTest.keyPress(stage.canvas, "w")
    moved = np.zeros(3)
    for _ in range(200):
        wait(20)
        moved = np.array(view.camera_state()["position"]) - before
        if np.linalg.norm(moved) > 0.1 * stage.radius:
            break
    QTest.keyRelease(stage.canvas, "w")
    assert moved @ np.array(stage._camera.world.forward) > 0.05 * stage.radius


@needs_adapter
def test_following_goes_behind_the_newest_keyframe(panel: ScenePanel, room: Any) -> None:
    view = panel.scene
    keyframes = fill(view, room, 4)
    view.draw_now()
    QTest.keyClick(panel, "f")
    stage = view._stage
    assert stage is not None

    def settled() -> None:
        for _ in range(200):
            wait(20)
            if stage._navigation._goal is None:
                return
        raise AssertionError("the camera never arrives")

    settled()
    newest = keyframes[-1].world_from_camera
    forward = np.array(stage._camera.world.forward)
    assert forward @ newest[:3, 2] > 0.9
    behind = (newest[:3, 3] - np.array(stage._camera.local.position)) @ newest[:3, 2]
    assert 0 < behind < stage.radius
    for _ in range(3):
        view.undo()
    wait(100)
    settled()
    first = keyframes[0].world_from_camera
    assert np.array(stage._camera.world.forward) @ first[:3, 2] > 0.9
    QTest.keyClick(panel, "r")
    assert not panel.bar.follow.isChecked(), "who resets the view is not taken along"


@needs_adapter
def test_two_views_can_be_linked(qt: QApplication, room: Any) -> None:
    views = [SceneView(), SceneView()]
    for view in views:
        view.resize(400, 300)
        view.show()
        fill(view, room, 2)
        view.draw_now()
    told: list[int] = []
    for i, (view, other) in enumerate((views, views[::-1])):
        view.camera_changed.connect(other.set_camera_state)
        view.camera_changed.connect(lambda state, i=i: told.append(i))
    stage = views[0]._stage
    assert stage is not None
    QTest.mousePress(stage.canvas, Qt.MouseButton.LeftButton, pos=QPoint(200, 150))
    for x in range(200, 300, 20):
        QTest.mouseMove(stage.canvas, QPoint(x, 160))
        wait(30)
    QTest.mouseRelease(stage.canvas, Qt.MouseButton.LeftButton, pos=QPoint(300, 160))
    wait(500)
    assert told
    assert set(told) == {0}, "who is led does not lead"
    for name in ("position", "rotation"):
        np.testing.assert_allclose(*(view.camera_state()[name] for view in views), atol=1e-5)
    for view in views:
        view.close()


@needs_adapter
def test_hidden_cameras_leave_the_picture(panel: ScenePanel, room: Any) -> None:
    view = panel.scene
    fill(view, room)

    def picture() -> Any:
        view.draw_now()
        image = view.grab().toImage()
        return np.frombuffer(image.constBits(), np.uint8).copy()

    with_cameras = picture()
    QTest.keyClick(panel, "c")
    without = picture()
    assert (with_cameras != without).sum() > 500
    QTest.keyClick(panel, "c")
    np.testing.assert_array_equal(picture(), with_cameras)


def test_without_an_adapter_the_tools_still_choose(qt: QApplication, room: Any) -> None:
    view = SceneView(adapter=lambda: None)
    keyframes = fill(view, room)
    view.set_masks(["sky"])
    view.set_crop(((-9, -9, -9), (0, 9, 9)))
    view.set_mode("fly")
    view.set_follow(True)
    view.highlight(1)
    view.undo()
    assert view.camera_state() == {}
    view.set_camera_state({})
    assert view.selection(keyframes).without == (3,)
    assert 0 < view.scene.shown_count < view.scene.point_count
