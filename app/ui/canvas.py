"""The widget of the 3D view: it shows pictures that were drawn elsewhere and passes events on."""

from typing import Any

import numpy as np
import pygfx as gfx
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QPointF, Qt, Signal
from PySide6.QtGui import QKeyEvent, QMouseEvent, QWheelEvent
from PySide6.QtWidgets import QWidget
from rendercanvas.qt import QRenderWidget

from app.ui.navigation import FLY_KEYS

CLICK = 4
"""Logical pixels that the pointer may move between press and release of a click."""


class Canvas(QRenderWidget):
    """Shows the latest picture. What is to be done before the next one, it asks for 30 times a
    second at most, see its `request_draw`.

    flying: letters that fly are its own, even where they are shortcuts of the window.
    """

    clicked = Signal(float, float)
    """The left button was pressed and released at a place in logical pixels."""

    dragged = Signal()
    """The mouse or its wheel moved what is seen."""

    flying = False
    _pressed: QPointF | None = None

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent, update_mode="ondemand", max_fps=30)
        # It stays empty: a picture comes when it is done, not when it is asked for.
        self.get_context("bitmap")

    def show_picture(self, picture: NDArray[np.uint8]) -> None:
        """Show a picture [H,W,4] RGBA, stretched to the widget."""
        self._rc_present_bitmap(data=picture, format="rgba-u8")
        QWidget.update(self)

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


class CanvasEvents(gfx.objects.RootEventHandler, gfx.renderers.Renderer):
    """Passes the events of a canvas on to controllers, which know them from a renderer only."""

    def __init__(self, canvas: Canvas) -> None:
        super().__init__()
        self._canvas = canvas
        canvas.add_event_handler(self._pass_on, *_EVENTS)

    @property
    def logical_size(self) -> tuple[float, float]:
        """Width and height of the canvas in logical pixels."""
        return self._canvas.get_logical_size()

    def request_draw(self) -> None:
        """Ask for a new picture."""
        self._canvas.request_draw()

    def _pass_on(self, event: dict[str, Any]) -> None:
        kind = event["event_type"]
        self.dispatch_event(_EVENTS[kind](type=kind, target=None, root=self, **event))


_EVENTS = {
    "pointer_down": gfx.PointerEvent,
    "pointer_move": gfx.PointerEvent,
    "pointer_up": gfx.PointerEvent,
    "wheel": gfx.WheelEvent,
    "key_down": gfx.KeyboardEvent,
    "key_up": gfx.KeyboardEvent,
}
