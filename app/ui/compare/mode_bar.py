"""How two views are compared: side by side, with a wipe, or by blinking."""

from __future__ import annotations

from functools import partial

from PySide6.QtWidgets import QHBoxLayout, QPushButton, QWidget

from app.ui import style
from app.ui.compare.linked_views import LinkedViews
from app.ui.compare.split_view import Mode
from app.ui.panels import button, set_role
from app.ui.texts import tr


class ModeBar(QWidget):
    """A button for each mode."""

    def __init__(self, linked: LinkedViews) -> None:
        super().__init__()
        self._linked = linked
        self._buttons: dict[Mode, QPushButton] = {}
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(style.GAP)
        for mode, name, tip in (
            (Mode.SIDE, tr("Side by side"), tr("Both views next to each other, with one camera")),
            (Mode.WIPE, tr("Wipe"), tr("One view with a divider to drag")),
            (Mode.BLINK, tr("Blink"), tr("One view in the same place as the other")),
        ):
            key = mode_key(mode)
            entry = button(name, f"{tip} ({key})", partial(self.choose, mode))
            self._buttons[mode] = entry
            row.addWidget(entry)
        self.show_mode()

    def choose(self, mode: Mode) -> None:
        """Compare in this mode; blink to the other one of both."""
        if mode is Mode.BLINK:
            self._linked.blink()
        else:
            self._linked.set_mode(mode)
        self.show_mode()

    def show_mode(self) -> None:
        """Make the button of the mode that is on stand out."""
        for mode, entry in self._buttons.items():
            set_role(entry, "primary" if mode is self._linked.mode else "")


def mode_key(mode: Mode) -> str:
    """The key of a mode: 1 to 3 are those of the mouse in the view."""
    return str(3 + mode.value)
