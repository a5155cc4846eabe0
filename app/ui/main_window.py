"""Starts the window, or runs a source through it without a display and keeps a picture."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from PySide6.QtCore import QBuffer, QEventLoop, QTimer
from PySide6.QtWidgets import QApplication

from app.errors import AppError
from app.files import write_file
from app.ui import style
from app.ui.choices import bundle_choice, find_bundles, find_sources, source_choice
from app.ui.window import MainWindow

__all__ = ["MainWindow", "run"]


def run(argv: Sequence[str]) -> int:
    """Open the window; returns 0 when it was closed. Raises AppError without a display, and when
    `--screenshot` did not get as far as a picture; OSError when that could not be written.
    """
    arguments = _parse(argv)
    if arguments.screenshot:
        os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
        # The offscreen platform complains about what it lacks, at every window.
        os.environ.setdefault("QT_LOGGING_RULES", "default.warning=false")
    elif not _has_display():
        raise AppError("there is no display; without one there is: python -m app reconstruct")
    application = QApplication(["pocket-vggt"])
    style.apply(application)
    window = MainWindow(find_sources(), find_bundles())
    if arguments.source:
        window.sources.add(source_choice(arguments.source))
    if arguments.bundle:
        window.models.add(bundle_choice(Path(arguments.bundle)))
    if arguments.source and window.models.choice is None:
        raise AppError("no model was found; name one with --bundle")
    window.show()
    if arguments.source:
        QTimer.singleShot(0, window.start)
    if arguments.screenshot:
        until_end = QEventLoop()
        window.run_ended.connect(until_end.quit)
        until_end.exec()
        if window.failure:
            raise AppError(window.failure)
        save_picture(window, Path(arguments.screenshot))
        window.close()
    else:
        application.exec()
    return 0


def save_picture(window: MainWindow, path: Path) -> None:
    """Write what the window shows as PNG. Raises OSError."""
    QApplication.processEvents()
    window.view.scene.draw_now()
    buffer = QBuffer()
    window.grab().save(buffer, "PNG")
    write_file(path, bytes(buffer.data().data()))


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise AppError(f"{message} ({self.prog} --help shows the usage)")


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = _Parser("python -m app", description="Capture a scene and watch it in 3D.")
    parser.add_argument("--source", help="video, folder of images or camera index to start with")
    parser.add_argument("--bundle", help="model bundle to use")
    parser.add_argument(
        "--screenshot",
        metavar="FILE",
        help="run the source to its end without a display, write a picture of the window, leave",
    )
    arguments = parser.parse_args(argv)
    if arguments.screenshot and not arguments.source:
        parser.error("--screenshot needs --source")
    return arguments


def _has_display() -> bool:
    names = ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")
    return not sys.platform.startswith("linux") or any(os.environ.get(name) for name in names)
