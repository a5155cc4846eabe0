"""One keyframe compared: its image, where the depths differ, and by how much."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QSlider, QVBoxLayout, QWidget

from app.compare import Comparison
from app.compare.metrics import Difference, KeyframeDifference
from app.compare.pictures import color_difference, difference_limit, difference_ramp
from app.compare.report_tables import number, percent
from app.ui import style
from app.ui.image_view import ImageView
from app.ui.panels import button, label
from app.ui.texts import localized, significant, tr

PICTURE_HEIGHT = 150
"""Logical pixels."""

RAMP_ASPECT = 24
"""Of the scale under the pictures, width / height."""


class DifferenceView(QWidget):
    """Image and difference map of a keyframe that the user picks; the newest until then.

    `picked` tells the position of the keyframe that is shown. All maps have one scale.
    """

    picked = Signal(int)

    def __init__(self) -> None:
        super().__init__()
        self._comparison: Comparison | None = None
        self._follows = True
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setAccessibleName(tr("Keyframe"))
        self.slider.setToolTip(tr("Which keyframe is compared; at the end, always the newest"))
        self.slider.valueChanged.connect(self._on_value)
        self.image = ImageView(tr("No image yet"))
        self.map = ImageView(tr("The difference appears with the first keyframes"))
        self.ramp = ImageView("")
        self.ramp.setFixedSize(8 * RAMP_ASPECT, 8)
        self.limit = label(role="muted")
        self.words = label()
        self.words.setWordWrap(True)
        self.words.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        previous = button("‹", tr("Previous keyframe"), lambda: self.step(-1))
        following = button("›", tr("Next keyframe"), lambda: self.step(1))
        for entry in (previous, following):
            entry.setFixedWidth(32)
        self._picker = (previous, self.slider, following)
        for picture in (self.image, self.map):
            picture.setFixedHeight(PICTURE_HEIGHT)

        pictures = QHBoxLayout()
        pictures.setSpacing(style.GAP)
        pictures.addWidget(self.image)
        pictures.addWidget(self.map)
        picker = QHBoxLayout()
        picker.setSpacing(style.GAP)
        picker.addWidget(previous)
        picker.addWidget(self.slider, stretch=1)
        picker.addWidget(following)
        self._legend = QWidget()
        legend = QHBoxLayout(self._legend)
        legend.setContentsMargins(0, 0, 0, 0)
        legend.setSpacing(style.GAP)
        legend.addWidget(QLabel("0"))
        legend.addWidget(self.ramp)
        legend.addWidget(self.limit, stretch=1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(style.GAP, 0, style.GAP, style.GAP)
        layout.setSpacing(style.GAP)
        layout.addLayout(pictures)
        layout.addWidget(self._legend)
        layout.addLayout(picker)
        layout.addWidget(self.words)
        self.clear()

    def clear(self) -> None:
        """Show nothing."""
        self._comparison, self._follows = None, True
        self.image.set_image(None)
        self.map.set_image(None)
        self._legend.hide()
        self.words.setText("")
        self._enable_picker(False)

    def set_comparison(self, comparison: Comparison) -> None:
        """Show another comparison, at the keyframe that was shown, or the newest."""
        apart = _second(comparison)
        if apart is None:
            return
        self._comparison = comparison
        self._limit = difference_limit([apart])
        self.ramp.set_image(difference_ramp(12 * RAMP_ASPECT, 12))
        self.limit.setText(
            tr("{limit} % of the depth and above").format(limit=significant(100 * self._limit, 6))
        )
        self._legend.show()
        last = len(apart.keyframes) - 1
        self.slider.blockSignals(True)
        self.slider.setRange(0, last)
        self._enable_picker(last > 0)
        if self._follows:
            self.slider.setValue(last)
        self.slider.blockSignals(False)
        self._show()

    def pick(self, position: int) -> None:
        """Show a keyframe."""
        self.slider.setValue(position)

    def step(self, by: int) -> None:
        """Show the next keyframe or one before."""
        self.slider.setValue(self.slider.value() + by)

    def _enable_picker(self, enabled: bool) -> None:
        for widget in self._picker:
            widget.setEnabled(enabled)

    def _on_value(self, value: int) -> None:
        self._follows = value == self.slider.maximum()
        self._show()

    def _show(self) -> None:
        apart = _second(self._comparison) if self._comparison else None
        if apart is None or self._comparison is None:
            return
        entry = apart.keyframes[min(self.slider.value(), len(apart.keyframes) - 1)]
        reference = self._comparison.lanes[0].keyframes
        position = next(i for i, keyframe in enumerate(reference) if keyframe.index == entry.frame)
        self.image.set_image(reference[position].image)
        self.map.set_image(color_difference(entry.depth, self._limit))
        self.words.setText(_words(entry, position))
        self.picked.emit(position)


def _second(comparison: Comparison) -> Difference | None:
    return comparison.differences[1]


def _words(entry: KeyframeDifference, position: int) -> str:
    return tr(
        "Keyframe {number}, frame {frame}: depth differs by {depth}, rotation by {rotation}°,"
        " position by {place} of the path"
    ).format(
        number=position + 1,
        frame=entry.frame + 1,
        depth=localized(percent(entry.depth_percent)),
        rotation=localized(number(entry.rotation_deg)),
        place=localized(percent(entry.translation_percent)),
    )
