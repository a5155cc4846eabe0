"""Reads a model's manifest and checks its files in the background."""

from __future__ import annotations

import threading
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from app.engine import Bundle, open_bundle, read_bundle
from app.engine.bundle import BundleError


class ModelCheck(QObject):
    """One model at a time: `look` at another one and the last one is forgotten.

    `known` brings a Bundle as soon as its manifest is read, `progress` the percentage of its bytes
    that were read, `ended` what is wrong with it ("" for nothing).
    """

    known = Signal(object)
    progress = Signal(int)
    ended = Signal(str)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.path = Path()
        self.bundle: Bundle | None = None
        self.percent = 0
        self.error: str | None = None
        """None while the files are being read, "" when all of them match."""
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._known.connect(self._on_known)
        self._progressed.connect(self._on_progress)
        self._ended.connect(self._on_end)

    # Each carries the event of the look that it belongs to: an old one is not listened to.
    _known = Signal(object, object)
    _progressed = Signal(object, int)
    _ended = Signal(object, str)

    def look(self, path: Path) -> None:
        """Read and check this bundle; returns at once."""
        self.stop()
        self.path = path
        self.bundle, self.percent, self.error = None, 0, None
        self._stop = threading.Event()
        self._thread = threading.Thread(
            target=self._read, args=(path, self._stop), name="model check", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Read no further, and wait until nothing is read any more."""
        self._stop.set()
        if self._thread:
            self._thread.join()
            self._thread = None

    def _read(self, path: Path, stop: threading.Event) -> None:
        percent = 0

        def step(done: int, total: int) -> None:
            nonlocal percent
            if stop.is_set():
                raise _Stopped
            if 100 * done // total > percent:
                percent = 100 * done // total
                self._progressed.emit(stop, percent)

        try:
            self._known.emit(stop, read_bundle(path))
            open_bundle(path, step)
        except _Stopped:
            return
        except BundleError as error:
            self._ended.emit(stop, str(error))
        else:
            self._ended.emit(stop, "")

    def _on_known(self, stop: threading.Event, bundle: Bundle) -> None:
        if stop is self._stop:
            self.bundle = bundle
            self.known.emit(bundle)

    def _on_progress(self, stop: threading.Event, percent: int) -> None:
        if stop is self._stop:
            self.percent = percent
            self.progress.emit(percent)

    def _on_end(self, stop: threading.Event, error: str) -> None:
        if stop is self._stop:
            self.error = error
            self.ended.emit(error)


class _Stopped(Exception):
    """Another model is looked at, or the window closes."""
