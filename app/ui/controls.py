"""The bars of controls: what to run, on top; how to look at it, under the 3D view."""

from collections.abc import Callable
from enum import Enum, auto

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QSlider, QWidget

from app.ui import style
from app.ui.choosers import Chooser
from app.ui.panels import button, label, set_role


class State(Enum):
    """What the window is doing."""

    IDLE = auto()
    RUNNING = auto()
    PAUSED = auto()
    ENDING = auto()


class RunBar(QFrame):
    """Source, model, and the buttons that start, pause and stop."""

    def __init__(
        self,
        sources: Chooser,
        models: Chooser,
        start: Callable[[], None],
        pause: Callable[[], None],
        stop: Callable[[], None],
    ) -> None:
        super().__init__()
        set_role(self, "bar")
        self._start = button("Start", "Capture and reconstruct; the scene is cleared first", start)
        set_role(self._start, "primary")
        self._pause = button("Pause", "Hold the source, then go on (Space)", pause)
        self._stop = button("Stop", "End the source and finish what was captured", stop)
        self._choosers = (sources, models)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(2 * style.GAP, style.GAP, 2 * style.GAP, style.GAP)
        layout.setSpacing(style.GAP)
        for name, chooser in (("Source", sources), ("Model", models)):
            layout.addWidget(label(name, "muted"))
            layout.addWidget(chooser, stretch=1)
            layout.addSpacing(style.GAP)
        for entry in (self._start, self._pause, self._stop):
            entry.setFixedWidth(88)
            layout.addWidget(entry)

    def show_state(self, state: State, ready: bool) -> None:
        """Enable what makes sense in a state; ready: there is a source and a model."""
        for chooser in self._choosers:
            chooser.setEnabled(state is State.IDLE)
        self._start.setEnabled(state is State.IDLE and ready)
        self._pause.setEnabled(state in (State.RUNNING, State.PAUSED))
        self._pause.setText("Resume" if state is State.PAUSED else "Pause")
        self._stop.setEnabled(state in (State.RUNNING, State.PAUSED))


class LabelledSlider(QWidget):
    """A slider between its name and its value in words."""

    changed = Signal(int)

    def __init__(
        self, name: str, span: tuple[int, int], value: int, words: Callable[[int], str], tip: str
    ) -> None:
        super().__init__()
        self.setToolTip(tip)
        self._words = words
        self._text = QLabel()
        self._text.setFixedWidth(
            max(self._text.fontMetrics().horizontalAdvance(words(end)) for end in span) + style.GAP
        )
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(*span)
        self.slider.setMinimumWidth(64)
        self.slider.valueChanged.connect(self._on_value)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(style.GAP)
        layout.addWidget(label(name, "muted"))
        layout.addWidget(self.slider, stretch=1)
        layout.addWidget(self._text)
        self.slider.setValue(value)
        self._on_value(value)

    @property
    def value(self) -> int:
        """Where the slider is."""
        return self.slider.value()

    def step(self, by: int) -> None:
        """Move the slider."""
        self.slider.setValue(self.value + by)

    def _on_value(self, value: int) -> None:
        self._text.setText(self._words(value))
        self.changed.emit(value)
