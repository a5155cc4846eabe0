"""The view of depth and confidence: maps, range, turning pages, hovering."""

from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray
from PySide6.QtCore import QLocale, QPoint, Qt
from PySide6.QtGui import QImage
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from app.export.images import color_depth
from app.reconstruction.cloud import confidence_rank
from app.ui.depth_view import DepthMaps, DepthView
from app.ui.ramp import MAPS
from tests.app.ui.waiting import wait

SIZE = (24, 32)


def depth_map(near: float, far: float) -> NDArray[np.float32]:
    return np.linspace(near, far, SIZE[0] * SIZE[1], dtype=np.float32).reshape(SIZE)


@pytest.fixture
def view(qt: QApplication) -> Iterator[DepthView]:
    view = DepthView()
    view.resize(400, 380)
    view.show()
    for position in range(3):
        confidence = 1 + np.random.default_rng(position).random(SIZE).astype(np.float32)
        maps = DepthMaps(depth_map(1 + position, 3 + position), confidence)
        view.set_keyframes({position: maps})
    qt.processEvents()
    yield view
    view.close()


def picture(view: DepthView) -> NDArray[np.uint8]:
    """The image that is shown, [H,W,3]."""
    image = view._picture._image
    assert image is not None
    image = image.convertToFormat(QImage.Format.Format_RGB888)
    rows = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), -1)
    return rows[:, : 3 * image.width()].reshape(image.height(), image.width(), 3).copy()


def click(widget: object) -> None:
    QTest.mouseClick(widget, Qt.MouseButton.LeftButton)  # type: ignore[call-overload]


def test_it_shows_the_newest_until_the_user_turns_back(view: DepthView) -> None:
    assert view.shown == 2
    click(view.previous)
    assert view.shown == 1
    assert view.name.toolTip() == "Keyframe 2"
    assert view.name.text() == "2 / 3"
    view.set_keyframes({3: DepthMaps(depth_map(1, 2))})
    assert view.shown == 1, "who looks at a keyframe keeps it"
    click(view.next)
    click(view.next)
    assert view.shown == 3
    assert not view.next.isEnabled()
    view.set_keyframes({4: DepthMaps(depth_map(1, 2))})
    assert view.shown == 4


def test_however_many_keyframes_change_one_picture_is_made(
    view: DepthView, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[object] = []
    monkeypatch.setattr(view._picture, "set_image", made.append)
    view.set_keyframes({position: DepthMaps(depth_map(1, 2)) for position in range(20)})
    assert view.shown == 19
    assert len(made) == 1
    click(view.previous)
    made.clear()
    view.set_keyframes({position: DepthMaps(depth_map(2, 3)) for position in range(18)})
    assert not made, "what is shown has not changed"
    view.set_keyframes({18: DepthMaps(depth_map(2, 3)), 20: DepthMaps(depth_map(2, 3))})
    assert len(made) == 1
    assert view.name.text() == "19 / 21"


def test_a_locked_range_is_shared_by_all(view: DepthView) -> None:
    click(view.previous)
    click(view.lock)
    near, far = view.near.value(), view.far.value()
    np.testing.assert_allclose([near, far], np.quantile(depth_map(2, 4), [0.02, 0.98]), atol=0.01)
    click(view.next)
    np.testing.assert_array_equal(picture(view), color_depth(depth_map(3, 5), near, far))
    view.far.setValue(9)
    np.testing.assert_array_equal(picture(view), color_depth(depth_map(3, 5), near, 9))
    click(view.lock)
    own = np.quantile(depth_map(3, 5), [0.02, 0.98])
    np.testing.assert_array_equal(picture(view), color_depth(depth_map(3, 5), *own))


@pytest.mark.parametrize("index", range(len(MAPS)))
def test_every_map_shows_near_and_far_apart(view: DepthView, index: int) -> None:
    view.map.setCurrentIndex(index)
    shown = picture(view).astype(int)
    assert np.abs(shown[0, 0] - shown[-1, -1]).max() > 60
    if MAPS[index] == "grey":
        assert (np.ptp(shown, axis=-1) == 0).all()
        assert shown[0, 0, 0] > shown[-1, -1, 0], "near is bright"


def test_confidence_takes_the_place_of_depth(view: DepthView) -> None:
    view.map.setCurrentIndex(MAPS.index("grey"))
    view.what.setCurrentIndex(1)
    confidence = 1 + np.random.default_rng(2).random(SIZE).astype(np.float32)
    np.testing.assert_array_equal(picture(view)[..., 0], confidence_rank(confidence))
    assert not view.lock.isVisible()


def test_hovering_tells_the_depth_of_the_pixel(view: DepthView) -> None:
    place = view._picture._place()
    row, column = 5, 20
    x = place.x() + (column + 0.5) * place.width() / SIZE[1]
    y = place.y() + (row + 0.5) * place.height() / SIZE[0]
    QTest.mouseMove(view._picture, QPoint(round(x), round(y)))
    wait(50)
    assert f"depth {depth_map(3, 5)[row, column]:.3f}" in view._picture._caption
    QTest.mouseMove(view._picture, QPoint(1, 1))
    wait(50)
    assert view._picture._caption == ""


def test_depth_that_is_unknown_everywhere_shows_the_hint(view: DepthView) -> None:
    view.set_depth(np.zeros(SIZE, np.float32))
    assert view._picture._image is None
    view.clear()
    assert view.shown is None
    view.set_keyframes({0: DepthMaps(depth_map(1, 2))})
    assert view._picture._image is not None


def test_a_removed_keyframe_gives_way_to_its_neighbour(view: DepthView) -> None:
    view.remove_keyframe(2)
    assert view.shown == 1
    view.remove_keyframe(0)
    view.remove_keyframe(1)
    assert view.shown is None


def test_depths_are_written_as_in_the_users_language(view: DepthView) -> None:
    before = QLocale()
    QLocale.setDefault(QLocale("de"))
    try:
        view.show_keyframe(0)
        view._on_hover((0, 0))
    finally:
        QLocale.setDefault(before)
    assert view._near.text() == "near 1,04"
    assert view._picture._caption.startswith("depth 1,000")
