"""A slider over the frames of a recording, with its keyframes marked."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence

from PySide6.QtCore import QRectF, QSignalBlocker, Qt, Signal
from PySide6.QtGui import QColor, QPainter, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QSlider, QStyle, QVBoxLayout, QWidget

from app.ui import style
from app.ui.panels import button, label, set_role
from app.ui.texts import localized, tr


class Timeline(QWidget):
    """Hidden until there is a recording to look through; `sought` tells the frame to show."""

    sought = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._times: Sequence[float] = ()
        self._keyframes: list[int] = []
        self._slider = QSlider(Qt.Orientation.Horizontal)
        self._slider.setToolTip(tr("Frame of the recording"))
        self._slider.valueChanged.connect(self._on_value)
        self._text = label(role="muted")
        before = button("◀", tr("The keyframe before"), lambda: self._step(-1))
        after = button("▶", tr("The next keyframe"), lambda: self._step(1))
        row = QHBoxLayout()
        row.setSpacing(style.GAP)
        for entry in (before, after):
            set_role(entry, "small")
            entry.setFixedWidth(40)
            row.addWidget(entry)
        row.addWidget(self._text, stretch=1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(style.GAP, 0, style.GAP, style.GAP)
        layout.setSpacing(4)
        layout.addWidget(self._slider)
        layout.addWidget(_Marks(self))
        layout.addLayout(row)
        self.hide()

    def show_recording(self, times: Sequence[float], keyframes: Sequence[int]) -> None:
        """Offer the frames of a recording: their times in seconds, and which are keyframes."""
        self._times, self._keyframes = times, sorted(keyframes)
        with QSignalBlocker(self._slider):
            self._slider.setRange(0, max(0, len(times) - 1))
            self._slider.setValue(0)
        self.setVisible(len(times) > 0)
        self._write(0)
        self.update()

    def clear(self) -> None:
        """There is no recording any more."""
        self.show_recording((), ())

    @property
    def position(self) -> int:
        """The frame that is shown."""
        return self._slider.value()

    def set_position(self, frame: int) -> None:
        """Follow what is shown; `sought` is not sent."""
        with QSignalBlocker(self._slider):
            self._slider.setValue(frame)
        self._write(frame)

    def marks(self) -> list[float]:
        """Places of the keyframes along the slider, 0 to 1."""
        last = max(1, len(self._times) - 1)
        return [keyframe / last for keyframe in self._keyframes]

    def handle_inset(self) -> float:
        """Pixels between the end of the slider and the middle of its handle there."""
        length = self._slider.style().pixelMetric(
            QStyle.PixelMetric.PM_SliderLength, None, self._slider
        )
        return length / 2

    def _step(self, direction: int) -> None:
        keyframes, now = self._keyframes, self.position
        found = bisect_right(keyframes, now) if direction > 0 else bisect_left(keyframes, now) - 1
        if 0 <= found < len(keyframes):
            self._slider.setValue(keyframes[found])

    def _on_value(self, frame: int) -> None:
        self._write(frame)
        self.sought.emit(frame)

    def _write(self, frame: int) -> None:
        if not self._times:
            self._text.clear()
            return
        minutes, seconds = divmod(self._times[frame] - self._times[0], 60)
        text = tr("Frame {frame} of {count}, {time}").format(
            frame=frame + 1,
            count=len(self._times),
            time=localized(f"{minutes:.0f}:{seconds:04.1f}"),
        )
        if frame in self._keyframes:
            text = tr("{frame}, keyframe").format(frame=text)
        self._text.setText(text)


class _Marks(QWidget):
    """A tick below the slider for each keyframe."""

    def __init__(self, timeline: Timeline) -> None:
        super().__init__()
        self._timeline = timeline
        self.setFixedHeight(6)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        inset = self._timeline.handle_inset()
        color = QColor(style.TRAJECTORY)
        for share in self._timeline.marks():
            x = inset + share * (self.width() - 2 * inset)
            painter.fillRect(QRectF(x - 0.75, 0, 1.5, self.height()), color)
