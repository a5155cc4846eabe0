"""Writes something while the window goes on."""

from __future__ import annotations

import sys
import threading
import traceback
from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from app.errors import AppError, exception_words
from app.ui.faults import fault_line
from app.ui.texts import sentence, tr


class BackgroundWriter(QObject):
    """One thing at a time, in a thread of its own. `progress` tells steps done and in all."""

    progress = Signal(int, int)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def is_busy(self) -> bool:
        """Whether something is being written."""
        return self._thread is not None and self._thread.is_alive()

    def cancel(self) -> None:
        """End at the next step; what was at the place before stays."""
        self._stop.set()

    def close(self) -> None:
        """Cancel, and wait until nothing is written any more."""
        self.cancel()
        if thread := self._thread:
            thread.join(timeout=5)

    def _begin(self, write: Callable[[], None]) -> None:
        """Call `write` in the thread; returns at once."""
        self._stop.clear()
        self._thread = threading.Thread(target=write, name="writer", daemon=True)
        self._thread.start()

    def _watch(self, done: int, total: int) -> None:
        """For the thread to call between its steps; raises to end it when it was cancelled."""
        if self._stop.is_set():
            raise _Cancelled
        self.progress.emit(done, total)

    def _attempt(self, place: Path, write: Callable[[], None], cancelled: str) -> str:
        """What went wrong with writing to a place, in words; "" for nothing."""
        try:
            write()
        except _Cancelled:
            return cancelled
        except AppError as fault:
            return sentence(fault_line(str(fault)))
        except OSError as fault:
            return tr("{path} could not be written: {reason}. Choose another place.").format(
                path=place, reason=fault_line(str(fault.strerror or fault))
            )
        except Exception as fault:
            traceback.print_exc(file=sys.stderr)
            return tr("{path} could not be written: {reason}").format(
                path=place, reason=exception_words(fault)
            )
        return ""


class _Cancelled(Exception):
    """The user does not want it any more."""
