"""The box outside of which nothing is shown or exported: sliders, numbers, handles in the view."""

from functools import partial

import numpy as np
from PySide6.QtCore import QSignalBlocker, Qt
from PySide6.QtGui import QDoubleValidator, QHideEvent, QShowEvent
from PySide6.QtWidgets import (
    QCheckBox,
    QGridLayout,
    QLabel,
    QLineEdit,
    QSlider,
    QVBoxLayout,
    QWidget,
)

from app.ui import style
from app.ui.panels import button, label, set_role
from app.ui.scene import Box
from app.ui.scene_view import SceneView
from app.ui.texts import number, tr
from app.ui.tools.handles import Handles

STEPS = 200
_STRAYS = 0.005
"""Share of the points at either end of an axis that do not stretch the box."""


class CropTool(QWidget):
    """The two ends of the box along each axis of the world; those of an axis push each other."""

    def __init__(self, view: SceneView) -> None:
        super().__init__()
        self._view = view
        # Both [3,2]: how far the box can be opened, and where its ends are.
        self._reach = np.tile([0.0, 1.0], (3, 1))
        self._ends = self._reach.copy()
        self.on = QCheckBox(tr("Only what is in the box"))
        self.on.setToolTip(tr("Hides all points outside, here and in exports"))
        self.fit = button(
            tr("Fit to scene"), tr("Make the box as large as the scene is now"), self.fit_to_scene
        )
        set_role(self.fit, "small")
        self._unit = label(role="muted")
        self.sliders: list[QSlider] = []
        self.numbers: list[QLineEdit] = []
        self.handles = Handles(view)
        self._lay_out()
        self.handles.dragged.connect(self._set_end)
        self.on.toggled.connect(self._apply)
        view.keyframes_changed.connect(self._on_keyframes)
        self.fit_to_scene()

    @property
    def box(self) -> Box:
        """The box as it is set."""
        low, high = self._ends.T.tolist()
        return tuple(low), tuple(high)

    def fit_to_scene(self) -> None:
        """Let the box reach over the scene as it is now, and open it wholly."""
        scene = self._view.scene
        crop, scene.crop = scene.crop, None
        points = scene.sample()
        scene.crop = crop
        if len(points):
            low, high = np.quantile(points, [_STRAYS, 1 - _STRAYS], axis=0)
            margin = 0.03 * (high - low) + 1e-6
            self._reach = np.column_stack([low - margin, high + margin]).astype(np.float64)
        self._ends = self._reach.copy()
        self._apply()

    def refresh(self) -> None:
        """Show where the ends are, in the unit that is known now."""
        spans = self._reach[:, 1] - self._reach[:, 0]
        shares = (self._ends - self._reach[:, :1]) / spans[:, None]
        scale = self._view.scene.metres_per_unit
        self._unit.setText(tr("in the network's own units") if scale is None else tr("in metres"))
        for index, (slider, end) in enumerate(zip(self.sliders, self.numbers, strict=True)):
            axis, side = divmod(index, 2)
            with QSignalBlocker(slider):
                slider.setValue(round(STEPS * shares[axis, side]))
            end.setText(number(self._ends[axis, side] * (scale or 1), 3))

    def showEvent(self, event: QShowEvent) -> None:
        self._fit_untouched()
        self._apply()
        super().showEvent(event)

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self._show_in_view()

    def _on_slider(self, index: int, value: int) -> None:
        low, high = self._reach[index // 2]
        self._set_end(index, low + value / STEPS * (high - low))

    def _on_number(self, index: int) -> None:
        entry = self.numbers[index]
        value, is_number = entry.locale().toDouble(entry.text())
        # To leave a number as it is moves nothing, though it is rounded.
        if is_number and entry.isModified():
            self._set_end(index, value / (self._view.scene.metres_per_unit or 1))
        else:
            self.refresh()

    def _set_end(self, index: int, coordinate: float) -> None:
        axis, side = divmod(index, 2)
        low, high = self._reach[axis]
        least = (high - low) / STEPS
        if side:
            end = min(max(coordinate, low + least), high)
            self._ends[axis] = min(self._ends[axis, 0], end - least), end
        else:
            end = min(max(coordinate, low), high - least)
            self._ends[axis] = end, max(self._ends[axis, 1], end + least)
        # Who moves an end wants to see it.
        with QSignalBlocker(self.on):
            self.on.setChecked(True)
        self._apply()

    def _on_keyframes(self) -> None:
        if not self._view.scene.keyframes:
            self.on.setChecked(False)
        elif self.isVisible():
            self._fit_untouched()

    def _fit_untouched(self) -> None:
        if not self.on.isChecked() and np.array_equal(self._ends, self._reach):
            self.fit_to_scene()

    def _apply(self) -> None:
        self.refresh()
        box = self.box if self.on.isChecked() else None
        if box != self._view.scene.crop:
            self._view.set_crop(box)
        self._show_in_view()

    def _show_in_view(self) -> None:
        """Who works on the box can see and grab it, whether it hides anything or not."""
        is_shown = self.isVisible() and bool(self._view.scene.keyframes)
        self._view.set_outline(self.box if is_shown else None)
        self.handles.show_box(self._ends if is_shown else None)

    def _lay_out(self) -> None:
        grid = QGridLayout()
        grid.setHorizontalSpacing(style.GAP)
        grid.setVerticalSpacing(style.GAP // 2)
        names = (tr("Left"), tr("Right"), tr("Top"), tr("Bottom"), tr("Near"), tr("Far"))
        for index, name in enumerate(names):
            slider = QSlider(Qt.Orientation.Horizontal)
            slider.setRange(0, STEPS)
            slider.valueChanged.connect(partial(self._on_slider, index))
            entry = QLineEdit()
            entry.setValidator(QDoubleValidator(entry))
            entry.setAlignment(Qt.AlignmentFlag.AlignRight)
            entry.setFixedWidth(72)
            entry.editingFinished.connect(partial(self._on_number, index))
            for column, widget in enumerate((QLabel(name), slider, entry)):
                grid.addWidget(widget, index, column)
            for widget in (slider, entry):
                widget.setAccessibleName(name)
                widget.setToolTip(tr("End of the box, as the first camera saw the scene"))
            self.sliders.append(slider)
            self.numbers.append(entry)
        hint = label(tr("Or drag the squares on its sides in the 3D view."), "muted")
        hint.setWordWrap(True)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(style.GAP, style.GAP, style.GAP, style.GAP)
        layout.setSpacing(style.GAP)
        layout.addWidget(self.on)
        layout.addLayout(grid)
        layout.addWidget(self._unit, alignment=Qt.AlignmentFlag.AlignRight)
        layout.addWidget(hint)
        layout.addWidget(self.fit, alignment=Qt.AlignmentFlag.AlignLeft)
        layout.addStretch()
