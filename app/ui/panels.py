"""The building blocks of the window: framed panels, messages over the 3D view, the status bar."""

import re
from collections.abc import Callable, Mapping

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from app.ui import style
from app.ui.texts import tr

BAR_HEIGHT = 32
"""Logical pixels of the status bar, with and without its button."""

STATE_WIDTH = 220
"""Logical pixels that what is going on has at least."""


def set_role(widget: QWidget, role: str) -> None:
    """Give a widget the look that the style sheet has under this name."""
    widget.setProperty("role", role)
    widget.style().unpolish(widget)
    widget.style().polish(widget)


def label(text: str = "", role: str = "") -> QLabel:
    """A label in one of the roles of the style sheet."""
    widget = QLabel(text)
    if role:
        set_role(widget, role)
    return widget


class ElidedLabel(QLabel):
    """A label that takes the room that is left, and ends in an ellipsis where that is too little;
    by_facts: after a comma or semicolon, if there is one. The tool tip has the whole text.
    """

    def __init__(self, role: str = "", by_facts: bool = False) -> None:
        super().__init__()
        self._by_facts = by_facts
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        if role:
            set_role(self, role)

    def setText(self, text: str) -> None:
        super().setText(text)
        self.setToolTip(text)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        self.style().drawItemText(
            painter,
            self.rect(),
            int(self.alignment()),
            self.palette(),
            True,
            self.fitting,
            self.foregroundRole(),
        )

    @property
    def fitting(self) -> str:
        """As much of the text as there is room for."""
        metrics, text = self.fontMetrics(), self.text()
        if metrics.horizontalAdvance(text) <= self.width():
            return text
        facts = re.finditer(r"[,;] ", text) if self._by_facts else ()
        for mark in reversed(list(facts)):
            whole = f"{text[: mark.end()]}…"
            if metrics.horizontalAdvance(whole) <= self.width():
                return whole
        return metrics.elidedText(text, Qt.TextElideMode.ElideRight, self.width())


def button(text: str, tip: str, action: Callable[[], object]) -> QPushButton:
    """A push button with a tool tip."""
    widget = QPushButton(text)
    widget.setToolTip(tip)
    widget.clicked.connect(lambda: action())
    return widget


class Panel(QFrame):
    """A framed part of the window with a title, a note beside it, and its content."""

    def __init__(self, title: str, content: QWidget) -> None:
        super().__init__()
        set_role(self, "panel")
        self._note = ElidedLabel("muted")
        self._note.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        header = QHBoxLayout()
        header.setContentsMargins(style.GAP, 0, style.GAP, 0)
        header.setSpacing(style.GAP)
        header.addWidget(label(title, "heading"))
        header.addWidget(self._note, stretch=1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(1, style.GAP, 1, 1)
        layout.setSpacing(style.GAP)
        layout.addLayout(header)
        layout.addWidget(content, stretch=1)

    @property
    def note(self) -> str:
        """The text at the right of the title."""
        return self._note.text()

    def set_note(self, text: str) -> None:
        """Say something else there."""
        self._note.setText(text)


class Message(QFrame):
    """A box with a title, an explanation and buttons, for the middle of the 3D view."""

    def __init__(self, title: str, text: str, buttons: list[QPushButton]) -> None:
        super().__init__()
        set_role(self, "panel")
        self.setFixedWidth(440)
        body = label(text, "muted")
        body.setWordWrap(True)
        row = QHBoxLayout()
        row.setSpacing(style.GAP)
        for entry in buttons:
            row.addWidget(entry)
        row.addStretch()
        layout = QVBoxLayout(self)
        margin = 3 * style.GAP
        layout.setContentsMargins(margin, margin, margin, margin)
        layout.setSpacing(style.GAP)
        layout.addWidget(label(title, "title"))
        layout.addWidget(body)
        layout.addSpacing(style.GAP)
        layout.addLayout(row)


class Banner(QFrame):
    """A line over the 3D view that says what went wrong and what to do, or how long work takes."""

    def __init__(self) -> None:
        super().__init__()
        set_role(self, "error")
        self._text = label()
        self._text.setWordWrap(True)
        self._text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(2 * style.GAP, style.GAP, style.GAP, style.GAP)
        layout.setSpacing(2 * style.GAP)
        layout.addWidget(self._text, stretch=1)
        layout.addWidget(button(tr("Dismiss"), tr("Hide this message"), self.hide))
        self.hide()

    def show_text(self, text: str) -> None:
        """Show a message in place of an earlier one."""
        self._text.setText(text)
        self.show()


class StatusBar(QFrame):
    """What is going on, and figures about it, each under a fixed name. Where there is no room for
    all figures the last ones are left out.
    """

    def __init__(self, figures: Mapping[str, tuple[str, str, str]]) -> None:
        """figures: name -> its caption, what it means (for the tool tip), and its widest value."""
        super().__init__()
        set_role(self, "bar")
        self._state = ElidedLabel()
        self._state.setText(tr("Ready"))
        self._state.setMinimumWidth(STATE_WIDTH)
        self.setFixedHeight(BAR_HEIGHT)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(2 * style.GAP, 0, 2 * style.GAP, 0)
        layout.setSpacing(style.GAP)
        layout.addWidget(self._state, stretch=1)
        self._on_cancel: Callable[[], object] = lambda: None
        self._cancel = button(tr("Cancel"), tr("End this work"), lambda: self._on_cancel())
        set_role(self._cancel, "small")
        self._cancel.hide()
        layout.addWidget(self._cancel)
        self._values: dict[str, QLabel] = {}
        self._boxes: list[QWidget] = []
        for name, (title, meaning, longest) in figures.items():
            box = QWidget()
            inside = QHBoxLayout(box)
            inside.setContentsMargins(style.GAP, 0, 0, 0)
            inside.setSpacing(style.GAP)
            caption, value = label(title, "muted"), label("–")
            # Without room for all its values, one figure would push the others about.
            value.setMinimumWidth(value.fontMetrics().horizontalAdvance(longest))
            for widget in (caption, value):
                widget.setToolTip(meaning)
                inside.addWidget(widget)
            layout.addWidget(box)
            self._boxes.append(box)
            self._values[name] = value

    def minimumSizeHint(self) -> QSize:
        return QSize(STATE_WIDTH, super().minimumSizeHint().height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        room = self.width() - STATE_WIDTH - 4 * style.GAP
        if not self._cancel.isHidden():
            room -= self._cancel.sizeHint().width() + style.GAP
        for box in self._boxes:
            room -= box.sizeHint().width() + style.GAP
            box.setVisible(room >= 0)

    def set_state(self, text: str) -> None:
        """What is going on."""
        self._state.setText(text)

    def offer_cancel(self, cancel: Callable[[], object] | None) -> None:
        """Show a button that ends what goes on beside the run; None: nothing does."""
        self._on_cancel = cancel or (lambda: None)
        self._cancel.setVisible(cancel is not None)
        self._fit()

    def set_figure(self, name: str, value: str) -> None:
        """Update one figure."""
        self._values[name].setText(value)

    def figure(self, name: str) -> str:
        """The figure as it is shown."""
        return self._values[name].text()

    def reset(self) -> None:
        """Forget all figures."""
        for value in self._values.values():
            value.setText("–")
