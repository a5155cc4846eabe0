"""The box outside of which nothing is shown or exported, with six sliders."""

import numpy as np
from PySide6.QtCore import Qt
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QCheckBox, QGridLayout, QLabel, QSlider, QVBoxLayout, QWidget

from app.ui import style
from app.ui.panels import button, label, set_role
from app.ui.scene import Box
from app.ui.scene_view import SceneView
from app.ui.texts import tr
from app.ui.tools.measure import length_words

STEPS = 200
_STRAYS = 0.005
"""Share of the points at either end of an axis that do not stretch the box."""


class CropTool(QWidget):
    """Sliders for the two ends of the box along each axis of the world."""

    def __init__(self, view: SceneView) -> None:
        super().__init__()
        self._view = view
        self._low, self._high = np.zeros(3), np.ones(3)
        self._is_setting = False
        self.on = QCheckBox(tr("Only what is in the box"))
        self.on.setToolTip(tr("Hides all points outside, here and in exports"))
        self.fit = button(
            tr("Fit to scene"), tr("Make the box as large as the scene is now"), self.fit_to_scene
        )
        set_role(self.fit, "small")
        self.sliders: list[QSlider] = []
        self._values: list[QLabel] = []
        grid = QGridLayout()
        grid.setHorizontalSpacing(style.GAP)
        grid.setVerticalSpacing(style.GAP // 2)
        rows = [
            (tr("Left"), tr("Right")),
            (tr("Top"), tr("Bottom")),
            (tr("Near"), tr("Far")),
        ]
        for index, name in enumerate(name for pair in rows for name in pair):
            slider = QSlider(Qt.Orientation.Horizontal)
            slider.setRange(0, STEPS)
            slider.setAccessibleName(name)
            slider.setToolTip(tr("End of the box, as the first camera saw the scene"))
            slider.valueChanged.connect(lambda _, index=index: self._on_slider(index))
            value = label(role="muted")
            value.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            value.setFixedWidth(
                value.fontMetrics().horizontalAdvance(tr("{length} units").format(length="−0.0000"))
            )
            for column, widget in enumerate((QLabel(name), slider, value)):
                grid.addWidget(widget, index, column)
            self.sliders.append(slider)
            self._values.append(value)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(style.GAP, style.GAP, style.GAP, style.GAP)
        layout.setSpacing(style.GAP)
        layout.addWidget(self.on)
        layout.addLayout(grid)
        layout.addWidget(self.fit, alignment=Qt.AlignmentFlag.AlignLeft)
        layout.addStretch()
        self.on.toggled.connect(self._on_toggled)
        view.keyframes_changed.connect(self._on_keyframes)
        self.fit_to_scene()

    @property
    def box(self) -> Box:
        """The box that the sliders stand for."""
        share = np.array([slider.value() for slider in self.sliders]).reshape(3, 2).T / STEPS
        low, high = self._low + share * (self._high - self._low)
        return tuple(low.tolist()), tuple(high.tolist())

    def fit_to_scene(self) -> None:
        """Let the sliders reach over the scene as it is now, and open the box wholly."""
        scene = self._view.scene
        crop, scene.crop = scene.crop, None
        points = scene.sample()
        scene.crop = crop
        if len(points):
            low, high = np.quantile(points, [_STRAYS, 1 - _STRAYS], axis=0)
            margin = 0.03 * (high - low) + 1e-6
            self._low, self._high = low - margin, high + margin
        self._is_setting = True
        for index, slider in enumerate(self.sliders):
            slider.setValue(STEPS * (index % 2))
        self._is_setting = False
        self._apply()

    def refresh(self) -> None:
        """Write the lengths anew, for a scale that has become known."""
        corners = np.array(self.box).T.ravel()
        for value, length in zip(self._values, corners, strict=True):
            value.setText(length_words(float(length), self._view.scene.metres_per_unit))

    def _on_slider(self, index: int) -> None:
        if self._is_setting:
            return
        # The two ends of an axis push each other along.
        other = self.sliders[index ^ 1]
        place = self.sliders[index].value()
        self._is_setting = True
        if index % 2:
            self.sliders[index].setValue(max(place, 1))
            other.setValue(min(other.value(), max(place, 1) - 1))
        else:
            self.sliders[index].setValue(min(place, STEPS - 1))
            other.setValue(max(other.value(), min(place, STEPS - 1) + 1))
        self._is_setting = False
        # Who moves an end wants to see it.
        self.on.setChecked(True)
        self._apply()

    def _on_toggled(self, on: bool) -> None:
        self._apply()

    @property
    def _is_whole(self) -> bool:
        return all(s.value() == STEPS * (i % 2) for i, s in enumerate(self.sliders))

    def _on_keyframes(self) -> None:
        if not self._view.scene.keyframes:
            self.on.setChecked(False)
        elif self.isVisible():
            self._fit_untouched()

    def _fit_untouched(self) -> None:
        if not self.on.isChecked() and self._is_whole:
            self.fit_to_scene()

    def showEvent(self, event: QShowEvent) -> None:
        self._fit_untouched()
        super().showEvent(event)

    def _apply(self) -> None:
        self.refresh()
        box = self.box if self.on.isChecked() else None
        if box != self._view.scene.crop:
            self._view.set_crop(box)
