"""Everything that the window can do, in one table: menus, shortcuts and the sheet come from it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from PySide6.QtGui import QAction, QActionGroup, QKeySequence
from PySide6.QtWidgets import QMainWindow, QMenu

from app.ui.languages import LANGUAGES
from app.ui.texts import tr


@dataclass(frozen=True)
class Entry:
    """keys: as Qt names them, the first one is shown; group: of entries one of which is on."""

    name: str
    text: str
    tip: str
    keys: tuple[str, ...] = ()
    checkable: bool = False
    group: str = ""


@dataclass(frozen=True)
class Place:
    """Where the commands of another part of the window go, see `Actions.fill`."""

    name: str


@dataclass(frozen=True)
class Submenu:
    """A menu, or one inside another; None is a line between entries."""

    title: str
    entries: tuple[Entry | Place | Submenu | None, ...]


def menu_table() -> tuple[Submenu, ...]:
    """The menus from left to right, in the language that is spoken now."""
    return (
        Submenu(
            tr("&File"),
            (
                Entry("open_video", tr("Open video…"), tr("Choose a video file"), ("Ctrl+O",)),
                Entry(
                    "open_folder",
                    tr("Open folder of images…"),
                    tr("Choose a folder whose images show one place"),
                    ("Ctrl+Shift+O",),
                ),
                Entry(
                    "open_session",
                    tr("Open session…"),
                    tr("Look through a recording, and reconstruct it again"),
                    ("Ctrl+Shift+S",),
                ),
                Entry(
                    "open_bundle",
                    tr("Open bundle…"),
                    tr("Choose a model by its manifest.json or zip"),
                    ("Ctrl+B",),
                ),
                None,
                Entry(
                    "export",
                    tr("Export…"),
                    tr("Write what is shown: points, a surface, COLMAP …"),
                    ("Ctrl+E",),
                ),
                None,
                Entry("quit", tr("Quit"), tr("Close the window"), ("Ctrl+Q",)),
            ),
        ),
        Submenu(
            tr("&Capture"),
            (
                Entry(
                    "start",
                    tr("Start"),
                    tr("Capture and reconstruct; the scene is cleared first"),
                    ("Ctrl+Return", "F5"),
                ),
                Entry("pause", tr("Pause"), tr("Hold the source, then go on"), ("Space",)),
                Entry(
                    "stop",
                    tr("Stop"),
                    tr("End the source and finish what was captured"),
                    ("Ctrl+.",),
                ),
                None,
                Entry("refine", tr("Refine"), refine_tip(), ("Ctrl+Shift+R",)),
                Entry(
                    "refinement_report",
                    tr("Refinement report…"),
                    tr("Write what was refined and why not, as a page"),
                ),
                Entry(
                    "refine_newest",
                    tr("Refine while capturing"),
                    tr("Make the newest cameras exact beside the run, from the next start on"),
                    checkable=True,
                ),
                None,
                Entry(
                    "record",
                    tr("Record"),
                    tr("Keep what is captured as a session, from the next start on"),
                    ("Ctrl+R",),
                    checkable=True,
                ),
                Entry(
                    "camera",
                    tr("Camera settings…"),
                    tr("Resolution and rate to ask the camera for"),
                    ("Ctrl+,",),
                ),
            ),
        ),
        Submenu(
            tr("&View"),
            (
                Place("look"),
                None,
                Entry("points_smaller", tr("Smaller points"), tr("Draw points smaller"), ("[",)),
                Entry("points_larger", tr("Larger points"), tr("Draw points larger"), ("]",)),
                None,
                Entry(
                    "images",
                    tr("Video and depth"),
                    tr("Show the images beside the 3D view"),
                    ("D",),
                    checkable=True,
                ),
                None,
                Submenu(
                    tr("Theme"),
                    (
                        _theme("system", tr("As the system")),
                        _theme("dark", tr("Dark")),
                        _theme("light", tr("Light")),
                    ),
                ),
                # Languages are called what their speakers call them.
                Submenu(
                    tr("Language"),
                    tuple(
                        Entry(
                            f"language.{code}",
                            name,
                            tr("Language of the window"),
                            checkable=True,
                            group="language",
                        )
                        for code, name in LANGUAGES.items()
                    ),
                ),
                Entry(
                    "full_screen",
                    tr("Full screen"),
                    tr("Use the whole screen"),
                    ("F11",),
                    checkable=True,
                ),
            ),
        ),
        Submenu(
            tr("&Tools"),
            (
                Entry(
                    "compare",
                    tr("Compare two models"),
                    tr("Run a second model on the same frames and see both"),
                    ("Ctrl+D",),
                    checkable=True,
                ),
                Submenu(
                    tr("Comparison"),
                    (
                        Entry(
                            "side", tr("Side by side"), tr("Both views next to each other"), ("4",)
                        ),
                        Entry("wipe", tr("Wipe"), tr("One view with a divider to drag"), ("5",)),
                        Entry(
                            "blink",
                            tr("Blink"),
                            tr("One view in the same place as the other"),
                            ("6",),
                        ),
                        None,
                        Entry(
                            "report",
                            tr("Report…"),
                            tr("Write this comparison as a page with pictures, and its figures"),
                            ("Ctrl+Shift+E",),
                        ),
                    ),
                ),
                None,
                Place("tools"),
                None,
                Place("undo"),
                None,
                Entry(
                    "model",
                    tr("Model details…"),
                    tr("What the model's manifest says, and what a run takes here"),
                    ("Ctrl+I",),
                ),
            ),
        ),
        Submenu(
            tr("&Help"),
            (
                Entry("demo", tr("Run the demo clip"), tr("See a scene grow from a short video")),
                Entry(
                    "shortcuts",
                    tr("Keyboard shortcuts"),
                    tr("All shortcuts on one sheet"),
                    ("?", "F1"),
                ),
                Entry("about", tr("About Pocket VGGT"), tr("Version, and what it is built on")),
            ),
        ),
    )


def refine_tip() -> str:
    """What refining does, for the button, too."""
    return tr("Make cameras and depth exact by features of the whole frames; paused or at the end")


def _theme(name: str, text: str) -> Entry:
    tip = tr("Colours of the window")
    return Entry(f"theme.{name}", text, tip, checkable=True, group="theme")


class Actions:
    """The table as menus and shortcuts of a window. An entry is dead until it is wired."""

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
