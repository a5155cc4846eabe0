"""Writes the report while the window goes on."""

from pathlib import Path

from PySide6.QtCore import Signal

from app.compare import write_comparison
from app.ui.compare.worker import Compare
from app.ui.texts import tr
from app.ui.writing import BackgroundWriter


class ReportWriter(BackgroundWriter):
    """One report at a time.

    `ended` comes last, with the folder ("" if nothing was written) and what went wrong ("" if
    nothing did).
    """

    ended = Signal(str, str)

    def start(self, out: Path, compare: Compare, command: str) -> None:
        """Write the folder `out`; returns at once. compare: makes what is written."""

        def write() -> None:
            cancelled = tr("The report was cancelled; nothing was written.")
            error = self._attempt(
                out, lambda: write_comparison(out, compare(), command, self._watch), cancelled
            )
            self.ended.emit("" if error else str(out), error)

        self._begin(write)
