"""Writes what is shown to files of any format, while the window goes on."""

from __future__ import annotations

import sys
import textwrap
import threading
import traceback
from pathlib import Path

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QFileDialog, QWidget

from app.errors import AppError
from app.export import FORMATS, Selection, export_as


class Exporter(QObject):
    """`ended` tells when an export is over, with what went wrong ("" for nothing)."""

    ended = Signal(str)

    def start(self, name: str, path: Path, selection: Selection) -> None:
        """Write a selection in the format of this name; returns at once."""
        threading.Thread(target=self._write, args=(name, path, selection), daemon=True).start()

    def _write(self, name: str, path: Path, selection: Selection) -> None:
        try:
            export_as(name, path, selection)
        except AppError as error:
            self.ended.emit(f"{str(error)[:1].upper()}{str(error)[1:]}.")
        except OSError as error:
            self.ended.emit(f"{path} could not be written: {error.strerror}. Choose another place.")
        except Exception as error:
            traceback.print_exc(file=sys.stderr)
            what = textwrap.shorten(f"{type(error).__name__}: {error}", 200)
            self.ended.emit(f"{path} could not be written: {what}")
        else:
            self.ended.emit("")


def ask_export(parent: QWidget) -> tuple[str, Path] | None:
    """The user's choice of a format and a place, if there is one."""
    names = {
        f"{form.label} ({'*' + form.suffix if form.suffix else 'a folder *'})": name
        for name, form in FORMATS.items()
    }
    chosen, kind = QFileDialog.getSaveFileName(parent, "Export", "scene", ";;".join(names))
    if not chosen:
        return None
    path, form = Path(chosen), FORMATS[names[kind]]
    return names[kind], path if path.suffix.lower() == form.suffix else Path(chosen + form.suffix)
