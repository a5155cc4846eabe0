"""The bars of controls: what to run, on top; how to look at it, under the 3D view."""

from collections.abc import Callable, Sequence
from enum import Enum, auto

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSlider,
    QVBoxLayout,
    QWidget,
)

from app.ui import style
from app.ui.choosers import Chooser, Dropdown
from app.ui.menus import Actions
from app.ui.panels import ElidedLabel, label, set_role
from app.ui.texts import tr


class State(Enum):
    """What the window is doing."""

    IDLE = auto()
    RUNNING = auto()
    PAUSED = auto()
    ENDING = auto()


class RunBar(QFrame):
    """Source, model and the buttons that start, pause and stop; below, what the run will take.

    `views_picked` tells the number of views at a time that the user chose.
    """

    views_picked = Signal(int)

    def __init__(
        self, sources: Chooser, models: Chooser, compare: Dropdown, actions: Actions
    ) -> None:
        super().__init__()
        set_role(self, "bar")
        self._choosers = (sources, models, compare)
        self._actions = actions
        start = action_button(actions["start"])
        set_role(start, "primary")
        top = QHBoxLayout()
        top.setSpacing(style.GAP)
        for name, chooser in ((tr("Source"), sources), (tr("Model"), models)):
            top.addWidget(label(name, "muted"))
            top.addWidget(chooser, stretch=1)
            top.addSpacing(style.GAP)
        for entry in (start, action_button(actions["pause"]), action_button(actions["stop"])):
            entry.setMinimumWidth(96)
            top.addWidget(entry)

        self._is_idle = True
        self._views = Dropdown()
        self._views.setFixedWidth(72)
        set_role(self._views, "small")
        self._views.setToolTip(
            tr("Keyframes that the network sees at once: more hold together better, and cost more")
        )
        self._views.activated.connect(lambda: self.views_picked.emit(self._views.currentData()))
        self._forecast = ElidedLabel("muted", by_facts=True)
        bottom = QHBoxLayout()
        bottom.setSpacing(style.GAP)
        bottom.addWidget(label(tr("Views at a time"), "muted"))
        bottom.addWidget(self._views)
        bottom.addSpacing(style.GAP)
        bottom.addWidget(label(tr("Compare with"), "muted"))
        bottom.addWidget(compare)
        bottom.addSpacing(style.GAP)
        bottom.addWidget(self._forecast, stretch=1)
        for name in ("record", "model"):
            entry = action_button(actions[name])
            set_role(entry, "small")
            bottom.addWidget(entry)

        layout = QVBoxLayout(self)
        layout.setContentsMargins(2 * style.GAP, style.GAP, 2 * style.GAP, style.GAP)
        layout.setSpacing(style.GAP)
        layout.addLayout(top)
        layout.addLayout(bottom)

    def show_state(self, state: State, ready: bool) -> None:
        """Enable what makes sense in a state; ready: there is a source and a model."""
        running = state in (State.RUNNING, State.PAUSED)
        self._is_idle = state is State.IDLE
        for chooser in self._choosers:
            chooser.setEnabled(self._is_idle)
        self._enable_views()
        self._actions["start"].setEnabled(state is State.IDLE and ready)
        self._actions["pause"].setEnabled(running)
        self._actions["pause"].setText(tr("Resume") if state is State.PAUSED else tr("Pause"))
        self._actions["stop"].setText(tr("End now") if state is State.ENDING else tr("Stop"))
        self._actions["stop"].setEnabled(state is not State.IDLE)

    def offer_views(self, counts: Sequence[int], chosen: int | None) -> None:
        """The numbers of views that the model takes, and which of them is chosen."""
        with QSignalBlocker(self._views):
            self._views.clear()
            for count in counts:
                self._views.addItem(str(count), count)
            self._views.setCurrentIndex(self._views.findData(chosen))
        self._enable_views()

    def show_forecast(self, text: str, is_warning: bool = False) -> None:
        """What a run will take, or why that is not known."""
        set_role(self._forecast, "warning" if is_warning else "muted")
        self._forecast.setText(text)

    @property
    def forecast(self) -> str:
        """What is said about the run."""
        return self._forecast.text()

    def _enable_views(self) -> None:
        self._views.setEnabled(self._is_idle and self._views.count() > 0)


def action_button(action: QAction) -> QPushButton:
    """A button that does what an action does, and follows its text and state."""
    widget = QPushButton()
    widget.setCheckable(action.isCheckable())
    widget.clicked.connect(lambda _=False: action.trigger())

    def follow() -> None:
        widget.setText(action.text())
        widget.setToolTip(action.toolTip())
        widget.setEnabled(action.isEnabled())
        widget.setChecked(action.isChecked())

    action.changed.connect(follow)
    # A click has switched the button by itself already: the action says how it stands.
    action.triggered.connect(follow)
    follow()
    return widget


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
