"""The table of menus as menus and shortcuts of a window."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from PySide6.QtGui import QAction, QActionGroup, QKeySequence
from PySide6.QtWidgets import QMainWindow, QMenu

from app.ui.menu_table import Entry, Place, Submenu


class Actions:
    """An entry of the table is dead until it is wired."""

    def __init__(self, window: QMainWindow, table: tuple[Submenu, ...]) -> None:
        self._window = window
        self._actions: dict[str, QAction] = {}
        self._places: dict[str, tuple[QMenu, QAction]] = {}
        self._groups: dict[str, QActionGroup] = {}
        for menu in table:
            self._fill(window.menuBar().addMenu(menu.title), menu)

    def __getitem__(self, name: str) -> QAction:
        return self._actions[name]

    def wire(self, callbacks: Mapping[str, Callable[[], object]]) -> None:
        """Say what entries do, by their names; they come to life.

        A checkable entry has its new state when it is called: `actions[name].isChecked()`.
        """
        for name, callback in callbacks.items():
            # Not the signal's own argument: whether it is checked.
            self._actions[name].triggered.connect(lambda _=False, call=callback: call())
            self._actions[name].setEnabled(True)

    def fill(self, place: str, actions: Sequence[QAction]) -> None:
        """Offer the commands of another part of the window, which has them already, in a menu."""
        menu, mark = self._places[place]
        menu.insertActions(mark, actions)

    def sheet(self) -> list[tuple[str, list[QAction]]]:
        """All actions that have keys, under the titles of their menus."""
        return [
            (bar_entry.text().replace("&", ""), _with_keys(menu))
            for bar_entry in self._window.menuBar().actions()
            if isinstance(menu := bar_entry.menu(), QMenu)
        ]

    def _fill(self, menu: QMenu, table: Submenu) -> None:
        menu.setToolTipsVisible(True)
        for entry in table.entries:
            if entry is None:
                menu.addSeparator()
            elif isinstance(entry, Place):
                mark = menu.addSeparator()
                mark.setVisible(False)
                self._places[entry.name] = menu, mark
            elif isinstance(entry, Submenu):
                self._fill(menu.addMenu(entry.title), entry)
            else:
                menu.addAction(self._make(entry))

    def _make(self, entry: Entry) -> QAction:
        action = QAction(entry.text, self._window, checkable=entry.checkable, enabled=False)
        action.setShortcuts([QKeySequence(keys) for keys in entry.keys])
        keys = f" ({key_words(entry.keys[0])})" if entry.keys else ""
        action.setToolTip(entry.tip + keys)
        if entry.group:
            group = self._groups.setdefault(entry.group, QActionGroup(self._window))
            group.addAction(action)
        self._window.addAction(action)
        self._actions[entry.name] = action
        return action


def _with_keys(menu: QMenu) -> list[QAction]:
    found: list[QAction] = []
    for action in menu.actions():
        inner = action.menu()
        if isinstance(inner, QMenu):
            found += _with_keys(inner)
        elif action.shortcuts():
            found.append(action)
    return found


def key_words(keys: str | QKeySequence) -> str:
    """A shortcut as this system writes it."""
    return QKeySequence(keys).toString(QKeySequence.SequenceFormat.NativeText)
