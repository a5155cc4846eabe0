"""Two lanes in the window: linked views, wipe and blink, difference, figures, report."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QWidget

from app.compare import Lane, Model
from app.geometry import Sim3
from app.live import Growth, KeyframeView, MovedKeyframe, StageTimes
from app.reconstruction import Keyframe, WindowUpdate, keyframe_cloud
from app.ui import style
from app.ui.adapter import find_adapter
from app.ui.compare import ComparePanel, Mode
from app.ui.compare.linked_views import LinkedViews
from app.ui.compare.split_view import SplitView
from tests.app.ui.waiting import wait, wait_until

MODELS = [
    Model("nano", "fp32", 34_000_000, "ab" * 32, (56, 84)),
    Model("nano", "8da4w-g32", 7_500_000, "cd" * 32, (56, 84)),
]
ELSEWHERE = Sim3(1.5, np.eye(3)[[2, 0, 1]], np.array([0.5, 2.0, -1.0]))

needs_adapter = pytest.mark.skipif(
    find_adapter() is None, reason="no graphics adapter (apt install mesa-vulkan-drivers)"
)


def keyframes(room: Any, similarity: Sim3, factor: float = 1.0) -> list[Keyframe]:
    """The walk through the room in another world, with depths that are off by a factor on the left
    quarter of the image.
    """
    found = []
    for place, pose in enumerate(room.walk()):
        image, depth = room.render(pose)
        depth = np.array(depth, np.float32)
        depth[:, :21] *= factor
        extrinsic = similarity.move_extrinsic(np.linalg.inv(pose)[:3])
        found.append(
            Keyframe(
                index=10 * place,
                time=place,
                name=f"{place}",
                image=image,
                extrinsic=extrinsic.astype(np.float32),
                intrinsic=room.intrinsic.astype(np.float32),
                depth=(similarity.scale * depth).astype(np.float32),
                confidence=(1 + 1 / depth).astype(np.float32),
            )
        )
    return found


def growth(lane: int, found: list[Keyframe], new: range, seconds: float) -> Growth:
    """What a window brought that took so long."""
    return Growth(
        lane=lane,
        update=WindowUpdate([*new], [], 4, 1, seconds, 0.01),
        views=[
            KeyframeView(
                position=i,
                frame=found[i].index,
                cloud=keyframe_cloud(found[i]),
                world_from_camera=found[i].world_from_camera,
                intrinsic=found[i].intrinsic,
                depth=found[i].depth,
                confidence=found[i].confidence,
                image=found[i].image,
            )
            for i in new
        ],
        keyframes=found[: new.stop],
        stages=StageTimes(
            decode=0.001, select=0.002, fill=1.0, wait=0.5, infer=seconds, align=0.01, fuse=0.02
        ),
        accepted=0.0,
        latencies=[0.1],
        views_per_second=4 / seconds,
        peak_memory=300 << 20,
    )


@pytest.fixture
def panel(qt: QApplication) -> Iterator[ComparePanel]:
    # Without pictures, which take seconds where a processor draws them; the scenes are the same.
    panel = ComparePanel(adapter=lambda: None)
    panel.resize(1200, 800)
    panel.show()
    yield panel
    panel.close()


def wait_for_comparison(panel: ComparePanel, count: int) -> None:
    """Until the first and the second lane have been compared on so many keyframes."""
    for _ in range(1000):
        comparison = panel.comparison
        shown = len(panel.linked.views[1].scene.keyframes)
        apart = comparison.differences[1] if comparison else None
        if apart and len(apart.keyframes) == count and shown == count:
            return
        wait(10)
    raise AssertionError("no comparison came")


@pytest.fixture
def filled(panel: ComparePanel, room: Any) -> ComparePanel:
    """A panel after two windows of each lane."""
    panel.begin(MODELS, "walk.mp4", command="python -m app compare walk.mp4", settings={"views": 4})
    first, second = keyframes(room, Sim3.identity()), keyframes(room, ELSEWHERE, 1.1)
    for new, seconds in ((range(4), 9.0), (range(4, 6), 0.4), (range(6, 8), 0.4)):
        panel.add(growth(0, first, new, seconds))
        panel.add(growth(1, second, new, seconds / 4))
    panel.end()
    wait_for_comparison(panel, 8)
    return panel


def test_both_reconstructions_are_seen_in_one_world(filled: ComparePanel, room: Any) -> None:
    first, second = (view.scene for view in filled.linked.views)
    np.testing.assert_allclose(first.centers(), second.centers(), atol=1e-3)
    assert filled.comparison is not None
    together = filled.comparison.differences[1].together  # type: ignore[union-attr]
    assert together.scale == pytest.approx(1 / 1.5, rel=1e-3)
    # All points lie on the walls of the room, but for those that were put behind them.
    for scene, least in ((first, 0.99), (second, 0.65)):
        beyond = (np.abs(scene.shown_cloud().points) - room.half).max(axis=1)
        assert (np.abs(beyond) < 0.02).mean() > least


def test_a_pose_that_moves_later_moves_in_the_first_world(filled: ComparePanel) -> None:
    pose = np.eye(4)
    pose[:3, 3] = ELSEWHERE.apply(np.array([1.0, 2.0, 3.0]))
    filled.linked.set_pose(1, 3, pose, 2.0)
    keyframe = filled.linked.views[1].scene.keyframes[3]
    np.testing.assert_allclose(keyframe.world_from_camera[:3, 3], [1, 2, 3], atol=1e-2)
    assert keyframe.scale == pytest.approx(2 / 1.5, rel=1e-3)


def test_the_newest_keyframe_is_shown_until_another_is_picked(filled: ComparePanel) -> None:
    view = filled.difference
    assert view.slider.value() == 7
    assert view.words.text().startswith("Keyframe 8, frame 71: depth differs by 2.5")
    view.pick(2)
    assert view.words.text().startswith("Keyframe 3, frame 21:")
    assert filled.comparison is not None
    view.set_comparison(filled.comparison)
    assert view.slider.value() == 2
    assert view.limit.text() == "10 % of the depth and above"


def test_figures_stand_side_by_side_with_their_ratio(filled: ComparePanel) -> None:
    def shown(name: str) -> list[str]:
        return [filled.figures.text(name, i).replace("\u00a0", " ") for i in range(3)]

    assert shown("A window, median") == ["400 ms", "100 ms", "0.250 ×"]
    assert shown("Views a second") == ["10.0", "40.0", "4.00 ×"]
    assert shown("Model file") == ["34.00 MB", "7.50 MB", "0.221 ×"]
    assert shown("Choosing it") == ["2.00 ms", "2.00 ms", "shared"]
    assert shown("Energy a view") == ["n/a", "n/a", "n/a"]


@needs_adapter
def test_the_views_have_one_camera(qt: QApplication) -> None:
    linked = LinkedViews()
    first, second = linked.views
    linked.reset_view()
    state = first.camera_state()
    assert state["position"] == pytest.approx(second.camera_state()["position"])
    state["position"] = np.array(state["position"]) + 1
    first.set_camera_state(state)
    first.camera_changed.emit(first.camera_state())
    assert second.camera_state()["position"] == pytest.approx(state["position"])
    second.camera_changed.emit(state | {"position": np.zeros(3)})
    assert first.camera_state()["position"] == pytest.approx(np.zeros(3))
    linked.close()


class Color(QWidget):
    """A picture of one colour that notes its size."""

    def __init__(self, color: str) -> None:
        super().__init__()
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setStyleSheet(f"background: {color}")


@pytest.fixture
def split(qt: QApplication) -> Iterator[SplitView]:
    split = SplitView(Color("#ff0000"), Color("#0000ff"), ("", ""))
    split.resize(400, 300)
    split.show()
    yield split
    split.close()


def test_side_by_side_each_picture_is_as_wide_as_what_is_seen_of_it(qt: QApplication) -> None:
    linked = LinkedViews(adapter=lambda: None)
    linked.resize(400, 300)
    linked.show()
    assert {view.width() for view in linked.views} == {(400 - style.GAP) // 2}
    linked.close()


def seen(split: SplitView, x: int) -> str:
    return str(split.grab().toImage().pixelColor(x, 280).name())


def test_the_wipe_follows_the_mouse_and_keeps_the_pictures_in_place(split: SplitView) -> None:
    assert (seen(split, 20), seen(split, 380)) == ("#ff0000", "#0000ff")
    split.set_mode(Mode.WIPE)
    assert (seen(split, 150), seen(split, 250)) == ("#ff0000", "#0000ff")
    divider = next(w for w in split.findChildren(QWidget) if w.accessibleName())
    QTest.mousePress(divider, Qt.MouseButton.LeftButton, pos=QPoint(7, 100))
    QTest.mouseMove(divider, QPoint(107, 100))
    assert split.share == pytest.approx(0.75, abs=0.01)
    assert seen(split, 250) == "#ff0000"
    assert seen(split, 350) == "#0000ff"
    corner = split.second.mapTo(split, QPoint(0, 0))
    assert (corner, split.second.size()) == (QPoint(0, 0), split.size())
    QTest.keyClick(divider, Qt.Key.Key_Left)
    assert split.share == pytest.approx(0.73, abs=0.01)
    split.set_share(7)
    assert split.share == 1


def test_blinking_shows_one_and_then_the_other(split: SplitView) -> None:
    split.blink()
    assert {seen(split, x) for x in (20, 200, 380)} == {"#ff0000"}
    split.blink()
    assert {seen(split, x) for x in (20, 200, 380)} == {"#0000ff"}
    split.set_mode(Mode.SIDE)
    assert (seen(split, 20), seen(split, 380)) == ("#ff0000", "#0000ff")


def test_blinking_again_shows_the_other(filled: ComparePanel) -> None:
    filled.set_mode(Mode.BLINK)
    assert filled.linked.mode is Mode.BLINK
    before = filled.linked.shows_second
    filled.set_mode(Mode.BLINK)
    assert filled.linked.shows_second is not before


def ended(panel: ComparePanel) -> list[tuple[str, str]]:
    reports: list[tuple[str, str]] = []
    panel.report_ended.connect(lambda folder, error: reports.append((folder, error)))
    return reports


def report_of(reports: list[tuple[str, str]]) -> tuple[str, str]:
    wait_until(lambda: bool(reports), seconds=30)
    return reports[0]


def test_the_report_is_written_in_the_background(filled: ComparePanel, tmp_path: Path) -> None:
    reports = ended(filled)
    filled.write_report(tmp_path / "report")
    assert filled.report.text() == "Cancel"
    assert filled.report.sizeHint().width() <= filled.report.minimumWidth()
    assert report_of(reports) == (str(tmp_path / "report"), "")
    assert f"{tmp_path / 'report' / 'report.html'}" in filled.scenes.note
    assert "python -m app compare walk.mp4" in (tmp_path / "report" / "report.html").read_text()
    assert filled.report.text() == "Report…"


def test_a_report_can_be_cancelled_and_leaves_nothing(filled: ComparePanel, tmp_path: Path) -> None:
    reports = ended(filled)
    filled.write_report(tmp_path / "report")
    filled.writer.cancel()
    folder, error = report_of(reports)
    assert folder == ""
    assert "cancelled" in error
    assert not any(tmp_path.iterdir())
    assert filled.banner.isVisible()


def test_a_report_that_cannot_be_written_says_so(filled: ComparePanel, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    reports = ended(filled)
    filled.write_report(tmp_path / "taken")
    assert "exists and is not a folder" in report_of(reports)[1]
    assert (tmp_path / "taken").read_text() == "a file"


def test_a_lane_that_fails_is_said_and_the_other_stays(filled: ComparePanel) -> None:
    filled.fail(1, ValueError("the runtime ended unexpectedly (signal 9)."))
    assert filled.banner.isVisible()
    assert len(filled.linked.views[0].scene.keyframes) == 8
    for _ in range(500):
        if filled.comparison and filled.comparison.notes:
            break
        wait(10)
    assert filled.comparison is not None
    assert "4 bit ended early" in filled.comparison.notes[0]


def test_a_recorded_reconstruction_takes_the_first_place(panel: ComparePanel, room: Any) -> None:
    recorded = Lane("recorded with fp32", None, keyframes(room, Sim3.identity()), is_recorded=True)
    panel.begin(MODELS[1:], "session", recorded=recorded)
    second = keyframes(room, ELSEWHERE, 1.1)
    panel.add(growth(0, second, range(4), 0.1))
    panel.add(growth(0, second, range(4, 8), 0.1))
    wait_for_comparison(panel, 8)
    assert len(panel.linked.views[0].scene.keyframes) == 8
    assert panel.figures.text("A window, median", 0) == "n/a"
    assert panel.figures.text("A window, median", 1) != "n/a"


def test_keyframes_that_a_loop_moved_follow_in_turn(filled: ComparePanel, room: Any) -> None:
    """The move comes right after the window that brings the keyframe again: it must not be lost."""
    found = keyframes(room, Sim3.identity())
    pose = np.eye(4)
    pose[:3, 3] = [7, 8, 9]
    filled.add(growth(0, found, range(6, 8), 0.4))
    later = growth(0, found, range(7, 8), 0.4)
    filled.add(replace(later, moved=[MovedKeyframe(6, pose, 1.25)]))
    scene = filled.linked.views[0].scene
    for _ in range(500):
        if scene.keyframes[6].scale == 1.25:
            break
        wait(10)
    np.testing.assert_allclose(scene.keyframes[6].world_from_points[:3, 3], [7, 8, 9])
    assert scene.keyframes[6].scale == 1.25


def test_a_run_is_not_disturbed_by_what_is_left_of_the_one_before(
    panel: ComparePanel, room: Any
) -> None:
    first, second = keyframes(room, Sim3.identity()), keyframes(room, ELSEWHERE)
    panel.begin(MODELS, "old.mp4")
    panel.add(growth(0, first, range(8), 0.4))
    panel.add(growth(1, second, range(8), 0.1))
    panel.begin(MODELS, "new.mp4")
    panel.add(growth(0, first, range(4), 0.4))
    panel.add(growth(1, second, range(4), 0.1))
    wait_for_comparison(panel, 4)
    wait(100)
    assert sorted(panel.linked.views[0].scene.keyframes) == [0, 1, 2, 3]
    assert panel.comparison is not None
    assert panel.comparison.source == "new.mp4"


def test_a_new_run_starts_empty(filled: ComparePanel) -> None:
    filled.begin(MODELS, "other.mp4")
    assert filled.comparison is None
    assert not any(view.scene.keyframes for view in filled.linked.views)
    assert not filled.report.isEnabled()
    assert filled.figures.text("Views a second", 0) == "–"
    assert filled.difference.words.text() == ""
