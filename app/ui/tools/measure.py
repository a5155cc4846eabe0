"""Distances between points that are clicked, and the scale that a known one gives."""

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QDoubleValidator, QHideEvent, QShowEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QLineEdit

from app.ui import style
from app.ui.choosers import Dropdown
from app.ui.panels import button, label, set_role
from app.ui.picking import Pick
from app.ui.scene_view import SceneView
from app.ui.texts import significant, tr

UNITS = {"m": 1.0, "cm": 0.01, "mm": 0.001, "ft": 0.3048, "in": 0.0254}
"""Metres in a unit of length."""


def length_words(length: float, metres_per_unit: float | None, unit: str = "m") -> str:
    """A length of the world in words: in a unit of `UNITS` if the scale is known."""
    if metres_per_unit is None:
        return tr("{length} units").format(length=significant(length, 3))
    return f"{significant(length * metres_per_unit / UNITS[unit], 4)} {unit}"


class MeasureTool(QFrame):
    """The bar that is shown while measuring; lines and labels stay when it is closed.

    The ends belong to keyframes: they move along when those are moved.
    """

    scale_changed = Signal()

    def __init__(self, view: SceneView) -> None:
        super().__init__()
        set_role(self, "float")
        self._view = view
        self._ends: list[Pick] = []
        self._drawn = np.empty((0, 3), np.float32)
        self._labels: list[QLabel] = []
        self.text = label()
        self.known = QLineEdit(placeholderText=tr("known length"))
        self.known.setValidator(QDoubleValidator(1e-6, 1e6, 6, self.known))
        room = self.known.fontMetrics().horizontalAdvance(self.known.placeholderText())
        self.known.setFixedWidth(max(116, room + 3 * style.GAP))
        self.unit = Dropdown()
        self.unit.addItems(list(UNITS))
        self.unit.setToolTip(tr("Unit of the known length, and of all lengths from then on"))
        set_role(self.unit, "small")
        self.set_scale = button(
            tr("Set scale"),
            tr("The last distance is this long: show all lengths in this unit"),
            self._set_scale,
        )
        self.clear = button(tr("Clear"), tr("Remove all measured lines"), self.remove_all)
        self.forget = button(
            tr("Forget scale"), tr("Show lengths in the network's own units again"), self._forget
        )
        layout = QHBoxLayout(self)
        layout.setContentsMargins(style.GAP, style.GAP // 2, style.GAP, style.GAP // 2)
        layout.setSpacing(style.GAP)
        layout.addWidget(self.text)
        for widget in (self.known, self.unit, self.set_scale, self.forget, self.clear):
            if widget in (self.set_scale, self.forget, self.clear):
                set_role(widget, "small")
            layout.addWidget(widget)
        self.known.returnPressed.connect(self._set_scale)
        self.known.textChanged.connect(self._refresh)
        self.unit.currentTextChanged.connect(self._refresh)
        view.point_picked.connect(self._on_point)
        view.nothing_picked.connect(self._on_nothing)
        view.drawn.connect(self._place)
        view.keyframes_changed.connect(self._on_keyframes)
        self.hide()
        self._refresh()

    @property
    def lengths(self) -> list[float]:
        """The measured distances in units of the world."""
        pairs = self._world()[: len(self._ends) // 2 * 2].reshape(-1, 2, 3)
        return [float(length) for length in np.linalg.norm(pairs[:, 1] - pairs[:, 0], axis=1)]

    @property
    def words(self) -> list[str]:
        """The measured distances as they are shown."""
        scale, unit = self._view.scene.metres_per_unit, self.unit.currentText()
        return [length_words(length, scale, unit) for length in self.lengths]

    def remove_all(self) -> None:
        """Remove all lines; a scale that was set stays."""
        self._ends.clear()
        self._refresh()

    def showEvent(self, event: QShowEvent) -> None:
        self._refresh()
        super().showEvent(event)

    def hideEvent(self, event: QHideEvent) -> None:
        if len(self._ends) % 2:
            self._ends.pop()
        self._refresh()
        super().hideEvent(event)

    def _on_point(self, pick: Pick) -> None:
        if self.isVisible():
            self._ends.append(pick)
            self._refresh()

    def _on_nothing(self) -> None:
        if self.isVisible():
            self.text.setText(tr("No point there: click right on one"))

    def _set_scale(self) -> None:
        known, is_number = self.known.locale().toDouble(self.known.text())
        if self.lengths and is_number and known > 0 and self.lengths[-1] > 0:
            metres = known * UNITS[self.unit.currentText()]
            self._view.scene.metres_per_unit = metres / self.lengths[-1]
            self.known.clear()
            self._refresh()
            self.scale_changed.emit()

    def _forget(self) -> None:
        self._view.scene.metres_per_unit = None
        self._refresh()
        self.scale_changed.emit()

    def _on_keyframes(self) -> None:
        """Lines end where their keyframes do."""
        keyframes = self._view.scene.keyframes
        pairs = [self._ends[i : i + 2] for i in range(0, len(self._ends), 2)]
        kept = [pair for pair in pairs if all(end.position in keyframes for end in pair)]
        if len(kept) < len(pairs) or not keyframes:
            self._ends = [end for pair in kept for end in pair]
            self._refresh()

    def _refresh(self) -> None:
        scale_known = self._view.scene.metres_per_unit is not None
        waits = len(self._ends) % 2 == 1
        if waits:
            text = tr("Click the other end")
        elif self._ends:
            text = tr("Distance: {length}").format(length=self.words[-1])
        else:
            text = tr("Click two points")
        self.text.setText(text)
        has_length = bool(self.lengths) and not waits
        for widget in (self.known, self.set_scale):
            widget.setVisible(has_length)
        self.unit.setVisible(has_length or scale_known)
        self.set_scale.setEnabled(self.known.hasAcceptableInput())
        self.forget.setVisible(scale_known)
        self.clear.setVisible(bool(self._ends))
        self.adjustSize()
        self._place()

    def _world(self) -> NDArray[np.float32]:
        """The ends [N,3] in the world."""
        places = []
        for end in self._ends:
            keyframe = self._view.scene.keyframes.get(end.position)
            if keyframe is not None and end.point is not None:
                places.append(keyframe.to_world(end.point[None])[0])
        return np.array(places, np.float32).reshape(-1, 3)

    def _place(self) -> None:
        """Draw the lines, and put a label on the middle of each."""
        world = self._world()
        if not np.array_equal(world, self._drawn):
            self._drawn = world
            self._view.set_measures(world)
        middles = world[: len(world) // 2 * 2].reshape(-1, 2, 3).mean(axis=1)
        words = self.words
        while len(self._labels) < len(words):
            text = QLabel(self._view)
            set_role(text, "measure")
            text.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
            self._labels.append(text)
        while len(self._labels) > len(words):
            self._labels.pop().deleteLater()
        places = self._view.on_screen(middles)
        for text, (x, y, depth), entry in zip(self._labels, places, words, strict=True):
            text.setText(entry)
            text.adjustSize()
            text.move(round(x - text.width() / 2), round(y - text.height() - 8))
            text.setVisible(bool(depth > 0))
