"""The widget and the renderer under the 3D view, bent to what a window needs of them."""

from typing import Any

import pygfx as gfx
import shiboken6
from PySide6.QtCore import QEvent
from PySide6.QtGui import QKeyEvent
from rendercanvas.qt import QRenderWidget

from app.ui.navigation import FLY_KEYS


class Canvas(QRenderWidget):
    """A canvas that may be deleted while a picture is still on its way from the adapter.

    flying: letters that fly are its own, even where they are shortcuts of the window.
    """

    flying = False

    def event(self, event: QEvent) -> bool:
        if event.type() is QEvent.Type.ShortcutOverride and self.flying:
            assert isinstance(event, QKeyEvent)
            if event.text() in FLY_KEYS:
                event.accept()
                return True
        return bool(super().event(event))

    def _rc_request_paint(self) -> None:
        if shiboken6.isValid(self):
            super()._rc_request_paint()


class Renderer(gfx.WgpuRenderer):
    """Does not ask the adapter at every move of the pointer what is under it, and wait for it."""

    def get_pick_info(self, pos: tuple[float, float]) -> dict[str, Any]:
        return {"world_object": None}
