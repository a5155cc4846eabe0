"""Squares on the six faces of the box, to drag them in the 3D view."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QColor, QMouseEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QWidget

from app.ui import style
from app.ui.picking import along
from app.ui.scene_view import SceneView
from app.ui.texts import tr

REACH, SQUARE = 20, 9
"""Sides of what can be grabbed and of what is drawn in it, logical pixels."""

CURSORS = (
    Qt.CursorShape.SizeHorCursor,
    Qt.CursorShape.SizeFDiagCursor,
    Qt.CursorShape.SizeVerCursor,
    Qt.CursorShape.SizeBDiagCursor,
)
"""By the direction of the axis on the screen, in steps of 45 degrees clockwise from the right."""


class Handles(QObject):
    """Of a box. `dragged` tells which end (low and high of x, y and z: 0 to 5) was moved to which
    coordinate of the world.

    They lie over the view, so that the mouse finds them before it finds points.
    """

    dragged = Signal(int, float)

    def __init__(self, view: SceneView) -> None:
        super().__init__(view)
        self._view = view
        self._ends: NDArray[np.float64] | None = None
        self._handles = [_Handle(view, self, index) for index in range(6)]
        view.drawn.connect(self._place)

    def show_box(self, ends: NDArray[np.float64] | None) -> None:
        """Put them on the faces of a box with these ends [3,2], or show none."""
        self._ends = ends
        self._place()

    def drag(self, index: int, place: QPointF) -> None:
        """Move a face along its axis to where that is seen nearest to a place in the view."""
        if self._ends is None:
            return
        axis, side = divmod(index, 2)
        own, opposite = self._view.on_screen(face_centers(self._ends)[[index, index ^ 1]])
        share = along(own, opposite, (place.x(), place.y()))
        if share is not None:
            here, there = self._ends[axis, side], self._ends[axis, 1 - side]
            self.dragged.emit(index, float(here + share * (there - here)))

    def _place(self) -> None:
        if self._ends is None:
            for handle in self._handles:
                handle.hide()
            return
        places = self._view.on_screen(face_centers(self._ends))
        for index, handle in enumerate(self._handles):
            own, opposite = places[index], places[index ^ 1]
            can_move = along(own, opposite, (own[0], own[1])) is not None
            handle.setVisible(can_move)
            if can_move:
                handle.move(round(own[0] - REACH / 2), round(own[1] - REACH / 2))
                angle = math.degrees(math.atan2(*(own - opposite)[1::-1]))
                handle.setCursor(CURSORS[round(angle / 45) % 4])


class _Handle(QWidget):
    def __init__(self, view: SceneView, handles: Handles, index: int) -> None:
        super().__init__(view)
        self._view, self._handles, self._index = view, handles, index
        self._held: QPointF | None = None
        self.setFixedSize(REACH, REACH)
        self.setToolTip(tr("Drag to move this side of the box"))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() is Qt.MouseButton.LeftButton:
            self._held = event.position() - QPointF(REACH / 2, REACH / 2)
            self.update()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._held is not None:
            place = self.mapTo(self._view, event.position()) - self._held
            self._handles.drag(self._index, place)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self._held = None
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        is_meant = self._held is not None or self.underMouse()
        painter.setPen(QColor(style.ACCENT))
        painter.setBrush(QColor(style.ACCENT if is_meant else style.PANEL))
        begin = (REACH - SQUARE) / 2
        painter.drawRect(QRectF(begin, begin, SQUARE, SQUARE))


def face_centers(ends: NDArray[np.float64]) -> NDArray[np.float64]:
    """Centres [6,3] of the faces of a box with these ends [3,2]: low and high of x, y and z."""
    centers = np.repeat(ends.mean(axis=1)[None], 6, axis=0)
    for index in range(6):
        centers[index, index // 2] = ends[index // 2, index % 2]
    return centers
