"""Everything that the window can do, in one table: menus, shortcuts and the sheet come from it."""

from __future__ import annotations

from dataclasses import dataclass

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
