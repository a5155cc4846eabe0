"""Starts the window, or runs a source through it without a display and keeps a picture."""

import os
import sys
from pathlib import Path

from PySide6.QtCore import QBuffer, QEventLoop, QTimer
from PySide6.QtGui import QIcon
from PySide6.QtWidgets import QApplication

from app.assets import icons
from app.errors import AppError
from app.files import write_file
from app.ui import habits, style
from app.ui.choices import bundle_choice, find_bundles, find_sources, source_choice
from app.ui.languages import use_language
from app.ui.settings import Settings, user_settings
from app.ui.window import MainWindow

__all__ = ["MainWindow", "run"]


def run(
    source: str | None, bundle: str | None, screenshot: str | None, remember: bool = True
) -> int:
    """Open the window, with a source running if one is named; returns 0 when it was closed.

    remember: whether the user's settings are read and kept; a screenshot does without.

    With a `screenshot` no display is needed: the source runs to its end and a picture of the window
    is written there. Raises AppError without a display, and when there was nothing to picture;
    OSError when the picture could not be written.
    """
    if screenshot and not source:
        raise AppError("--screenshot needs --source")
    if screenshot:
        os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
        # The offscreen platform complains about what it lacks, at every window.
        os.environ.setdefault("QT_LOGGING_RULES", "default.warning=false")
    elif not _has_display():
        raise AppError("there is no display; without one there is: python -m app reconstruct")
    application = QApplication(["pocket-vggt"])
    application.setWindowIcon(_icon())
    settings = user_settings() if remember and not screenshot else Settings()
    while True:
        use_language(application, habits.language_of(settings) if remember else "en")
        style.apply(application, style.named_theme("dark"))
        window = MainWindow(find_sources(), find_bundles(), settings=settings)
        _choose(window, source, bundle)
        window.show()
        if source:
            QTimer.singleShot(0, window.start)
        if screenshot:
            _take_picture(window, Path(screenshot))
            return 0
        application.exec()
        if not window.reopen:
            return 0
        # Another language: the same window, made anew.
        source = bundle = None


def _choose(window: MainWindow, source: str | None, bundle: str | None) -> None:
    if source:
        window.sources.add(source_choice(source))
    if bundle:
        window.models.add(bundle_choice(Path(bundle)))
    if source and window.models.choice is None:
        raise AppError("no model was found; name one with --bundle")


def _take_picture(window: MainWindow, path: Path) -> None:
    """Wait for the end of the run and picture the window. Raises AppError and OSError."""
    until_end = QEventLoop()
    window.run_ended.connect(until_end.quit)
    until_end.exec()
    if window.failure:
        raise AppError(window.failure)
    save_picture(window, path)
    window.close()


def save_picture(window: MainWindow, path: Path) -> None:
    """Write what the window shows as PNG. Raises OSError."""
    QApplication.processEvents()
    window.view.scene.draw_now()
    buffer = QBuffer()
    window.grab().save(buffer, "PNG")
    write_file(path, bytes(buffer.data().data()))


def _icon() -> QIcon:
    icon = QIcon()
    for path in icons():
        icon.addFile(str(path))
    return icon


def _has_display() -> bool:
    names = ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")
    return not sys.platform.startswith("linux") or any(os.environ.get(name) for name in names)
