"""The widget and the renderer under the 3D view, bent to what a window needs of them."""

from typing import Any

import pygfx as gfx
import shiboken6
from PySide6.QtCore import QEvent, QPointF, Qt, Signal
from PySide6.QtGui import QKeyEvent, QMouseEvent, QWheelEvent
from rendercanvas.qt import QRenderWidget

from app.ui.navigation import FLY_KEYS

CLICK = 4
"""Logical pixels that the pointer may move between press and release of a click."""


class Canvas(QRenderWidget):
    """A canvas that may be deleted while a picture is still on its way from the adapter.

    flying: letters that fly are its own, even where they are shortcuts of the window.
    """

    clicked = Signal(float, float)
    """The left button was pressed and released at a place in logical pixels."""

    dragged = Signal()
    """The mouse or its wheel moved what is seen."""

    flying = False
    _pressed: QPointF | None = None

    def event(self, event: QEvent) -> bool:
        if event.type() is QEvent.Type.ShortcutOverride and self.flying:
            assert isinstance(event, QKeyEvent)
            if event.text() in FLY_KEYS:
                event.accept()
                return True
        return bool(super().event(event))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self._pressed = event.position()
        super().mousePressEvent(event)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        super().mouseReleaseEvent(event)
        pressed, self._pressed = self._pressed, None
        if pressed is None:
            return
        place = event.position()
        if (place - pressed).manhattanLength() > CLICK:
            self.dragged.emit()
        elif event.button() is Qt.MouseButton.LeftButton:
            self.clicked.emit(place.x(), place.y())

    def wheelEvent(self, event: QWheelEvent) -> None:
        super().wheelEvent(event)
        self.dragged.emit()

    def _rc_request_paint(self) -> None:
        if shiboken6.isValid(self):
            super()._rc_request_paint()


class Renderer(gfx.WgpuRenderer):
    """Does not ask the adapter at every move of the pointer what is under it, and wait for it."""

    def get_pick_info(self, pos: tuple[float, float]) -> dict[str, Any]:
        return {"world_object": None}
