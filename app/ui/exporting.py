"""Writes what is shown to files of any format, while the window goes on."""

from __future__ import annotations

import sys
import textwrap
import threading
import traceback
from dataclasses import replace
from pathlib import Path

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QFileDialog, QWidget

from app.errors import AppError
from app.export import FORMATS, Selection, export_as
from app.reconstruction import Keyframe
from app.ui.texts import tr


class Exporter(QObject):
    """One export at a time.

    `progress` tells the keyframe that is being read and how many there are: formats read them once
    or twice. `ended` tells that it is over, with what went wrong ("" for nothing).
    """

    progress = Signal(int, int)
    ended = Signal(str)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def is_busy(self) -> bool:
        """Whether an export is going on."""
        return self._thread is not None and self._thread.is_alive()

    def start(self, name: str, path: Path, selection: Selection) -> None:
        """Write a selection in the format of this name; returns at once."""
        self._stop.clear()
        read = 0

        def watch(keyframe: Keyframe) -> None:
            nonlocal read
            if self._stop.is_set():
                raise _Cancelled
            count = len(selection.keyframes)
            self.progress.emit(read % count + 1, count)
            read += 1

        watched = replace(selection, watch=watch)
        self._thread = threading.Thread(
            target=self._write, args=(name, path, watched), name="export", daemon=True
        )
        self._thread.start()

    def cancel(self) -> None:
        """End at the next keyframe; what was at the place before stays."""
        self._stop.set()

    def close(self) -> None:
        """Cancel, and wait until nothing is written any more."""
        self.cancel()
        if thread := self._thread:
            thread.join(timeout=5)

    def _write(self, name: str, path: Path, selection: Selection) -> None:
        try:
            export_as(name, path, selection)
        except _Cancelled:
            error = tr("The export was cancelled; nothing was written.")
        except AppError as fault:
            error = f"{str(fault)[:1].upper()}{str(fault)[1:]}."
        except OSError as fault:
            error = tr("{path} could not be written: {reason}. Choose another place.").format(
                path=path, reason=fault.strerror
            )
        except Exception as fault:
            traceback.print_exc(file=sys.stderr)
            what = textwrap.shorten(f"{type(fault).__name__}: {fault}", 200)
            error = tr("{path} could not be written: {reason}").format(path=path, reason=what)
        else:
            error = ""
        self._thread = None
        self.ended.emit(error)


class _Cancelled(Exception):
    """The user does not want the export any more."""


def ask_export(parent: QWidget) -> tuple[str, Path] | None:
    """The user's choice of a format and a place, if there is one."""
    folder = tr("a folder *")
    names = {
        f"{form.label} ({'*' + form.suffix if form.suffix else folder})": name
        for name, form in FORMATS.items()
    }
    chosen, kind = QFileDialog.getSaveFileName(parent, tr("Export"), "scene", ";;".join(names))
    if not chosen:
        return None
    path, form = Path(chosen), FORMATS[names[kind]]
    return names[kind], path if path.suffix.lower() == form.suffix else Path(chosen + form.suffix)
