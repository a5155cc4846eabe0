"""Writes the report while the window goes on."""

from __future__ import annotations

import sys
import textwrap
import threading
import traceback
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from app.compare import write_comparison
from app.errors import AppError
from app.ui.compare.worker import Compare
from app.ui.texts import tr


class ReportWriter(QObject):
    """One report at a time.

    `progress` tells steps done and in all; `ended` comes last, with the folder ("" if nothing was
    written) and what went wrong ("" if nothing did).
    """

    progress = Signal(int, int)
    ended = Signal(str, str)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def is_busy(self) -> bool:
        """Whether a report is being written."""
        return self._thread is not None and self._thread.is_alive()

    def start(self, out: Path, compare: Compare, command: str) -> None:
        """Write the folder `out`; returns at once. compare: makes what is written."""
        self._stop.clear()
        self._thread = threading.Thread(
            target=self._write, args=(out, compare, command), name="report", daemon=True
        )
        self._thread.start()

    def cancel(self) -> None:
        """End at the next step; what was at the place before stays."""
        self._stop.set()

    def close(self) -> None:
        """Cancel, and wait until nothing is written any more."""
        self.cancel()
        if thread := self._thread:
            thread.join(timeout=5)

    def _watch(self, done: int, total: int) -> None:
        if self._stop.is_set():
            raise _Cancelled
        self.progress.emit(done, total)

    def _write(self, out: Path, compare: Compare, command: str) -> None:
        error, written = "", ""
        try:
            write_comparison(out, compare(), command, self._watch)
            written = str(out)
        except _Cancelled:
            error = tr("The report was cancelled; nothing was written.")
        except AppError as fault:
            error = f"{str(fault)[:1].upper()}{str(fault)[1:]}."
        except OSError as fault:
            error = tr("{path} could not be written: {reason}. Choose another place.").format(
                path=out, reason=fault.strerror or fault
            )
        except Exception as fault:
            traceback.print_exc(file=sys.stderr)
            what = textwrap.shorten(f"{type(fault).__name__}: {fault}", 200)
            error = tr("{path} could not be written: {reason}").format(path=out, reason=what)
        self.ended.emit(written, error)


class _Cancelled(Exception):
    """The user does not want it any more."""
