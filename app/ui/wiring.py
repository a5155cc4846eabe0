"""Says what the entries of the menus do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.ui import dialogs
from app.ui.compare import Mode

if TYPE_CHECKING:
    from app.ui.window import MainWindow


def wire(window: MainWindow) -> None:
    """Bring all entries to life but those for looks and language."""
    window.actions_.wire(
        {
            "open_video": window.sources.ask_video,
            "open_folder": window.sources.ask_folder,
            "open_bundle": window.models.ask_bundle,
            "open_session": window.opener.ask_session,
            "record": window.refresh,
            "refine_newest": window.refresh,
            "camera": window.opener.ask_camera,
            "export": window.ask_export,
            "quit": window.close,
            "start": window.start,
            "pause": window.runs.toggle_pause,
            "stop": window.runs.stop,
            "refine": window.refine,
            "refinement_report": lambda: window.refinement.ask_report(window.runs.origin("full")),
            "compare": window.compare.toggle,
            "side": lambda: window.display.comparison().set_mode(Mode.SIDE),
            "wipe": lambda: window.display.comparison().set_mode(Mode.WIPE),
            "blink": lambda: window.display.comparison().set_mode(Mode.BLINK),
            "report": lambda: window.display.comparison().ask_report(),
            "points_smaller": lambda: window.view.point_size.step(-1),
            "points_larger": lambda: window.view.point_size.step(1),
            "demo": lambda: window.play(window.demo),
            "model": window.show_model,
            "shortcuts": lambda: dialogs.shortcut_sheet(window, window.actions_.sheet()).open(),
            "about": lambda: dialogs.about_dialog(window).open(),
        }
    )
    modes, look, tools, undo = window.view.bar.actions_by_group
    for place, group in (("look", [*look, *modes]), ("tools", tools), ("undo", undo)):
        window.actions_.fill(place, group)
