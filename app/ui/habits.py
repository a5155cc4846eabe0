"""Theme, language, and what the window remembers from one time to the next."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtWidgets import QApplication, QSlider

from app.ui import style
from app.ui.choices import Choice, bundle_choice, source_choice
from app.ui.choosers import Chooser
from app.ui.languages import LANGUAGES, system_language
from app.ui.settings import Settings
from app.ui.texts import tr

if TYPE_CHECKING:
    from app.ui.window import MainWindow

THEMES = ("system", "dark", "light")


def language_of(settings: Settings) -> str:
    """The language that was chosen, or the system's."""
    code = settings.get("language", "")
    return code if code in LANGUAGES else system_language()


def wire(window: MainWindow) -> None:
    """Bring the entries of the menus for looks and language to life."""
    actions = window.actions_
    callbacks = {f"theme.{name}": lambda name=name: use_theme(window, name) for name in THEMES}
    callbacks |= {
        f"language.{code}": lambda code=code: _use_language(window, code) for code in LANGUAGES
    }
    actions.wire(
        {
            **callbacks,
            "images": lambda: window.display.show_images(actions["images"].isChecked()),
            "full_screen": lambda: _use_full_screen(window, actions["full_screen"].isChecked()),
        }
    )
    # The system may change its mind in the evening.
    QApplication.styleHints().colorSchemeChanged.connect(window.follow_system)


def use_theme(window: MainWindow, name: str) -> None:
    """Give the application the theme of this name, at once."""
    window.settings.set("theme", name)
    window.actions_[f"theme.{name}"].setChecked(True)
    application, theme = QApplication.instance(), style.named_theme(name)
    if isinstance(application, QApplication) and style.theme() is not theme:
        style.apply(application, theme)


def restore(window: MainWindow) -> None:
    """Make the window as it was when it was closed the last time."""
    settings, actions = window.settings, window.actions_
    geometry = settings.get_bytes("geometry")
    if not geometry.isEmpty():
        window.restoreGeometry(geometry)
    window.display.restore_state(settings.get_bytes("split"))
    theme = settings.get("theme", "system")
    use_theme(window, theme if theme in THEMES else "system")
    actions[f"language.{language_of(settings)}"].setChecked(True)
    actions["images"].setChecked(settings.get("images", True))
    window.display.show_images(actions["images"].isChecked())
    actions["refine_newest"].setChecked(settings.get("refine_newest", True))
    for name, slider in _sliders(window).items():
        slider.setValue(settings.get(name, slider.value()))
    _choose_again(window.sources, settings.get("source", ""), source_choice)
    _choose_again(window.models, settings.get("model", ""), lambda v: bundle_choice(Path(v)))


def remember(window: MainWindow) -> None:
    """Keep how the window is now."""
    settings = window.settings
    settings.set_bytes("geometry", window.saveGeometry())
    settings.set_bytes("split", window.display.save_state())
    settings.set("images", window.actions_["images"].isChecked())
    settings.set("refine_newest", window.actions_["refine_newest"].isChecked())
    settings.set("views", window.plan.wanted_views)
    for name, slider in _sliders(window).items():
        settings.set(name, slider.value())
    for name, chooser in (("source", window.sources), ("model", window.models)):
        if chooser.choice:
            settings.set(name, chooser.choice.value)
    settings.save()


def _sliders(window: MainWindow) -> dict[str, QSlider]:
    view = window.view
    return {"confidence": view.confidence.slider, "point_size": view.point_size.slider}


def _choose_again(chooser: Chooser, value: str, make: Callable[[str], Choice]) -> None:
    """Choose what was chosen the last time, if it is still there."""
    if chooser.findData(value) >= 0 or (value and Path(value).exists()):
        chooser.add(make(value))


def _use_language(window: MainWindow, code: str) -> None:
    window.settings.set("language", code)
    if window.is_idle and not window.display.has_scene:
        window.reopen = True
        window.close()
    else:
        # The scene would be lost with the window.
        window.status.set_state(tr("The language changes at the next start."))


def _use_full_screen(window: MainWindow, full: bool) -> None:
    if full:
        window.showFullScreen()
    else:
        window.showNormal()
