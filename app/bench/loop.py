"""Watches an event loop of Qt: how long it keeps one waiting, and what it is in meanwhile."""

import faulthandler
import re
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import IO

from PySide6.QtCore import QObject, Qt, QTimer

BEAT_MS = 5
LATE = 0.02
"""Seconds without a beat after which the watcher looks at what holds it up."""

_LOOK_INTERVAL = 0.005
_APP = Path(__file__).parents[1]
_PLACE = re.compile(r'File "(.+)", line \d+ in (.+)')


class LoopWatch:
    """turns: seconds from one beat of a timer to the next; work: of these, the processor time of
    the loop's own thread, which other programs do not lengthen. It is made in that thread.
    """

    def __init__(self, parent: QObject) -> None:
        self.turns: list[float] = []
        self.work: list[float] = []
        self._looks: Counter[str] = Counter()
        self._last = self._worked = 0.0
        self._loop_thread = threading.get_ident()
        self._timer = QTimer(parent, interval=BEAT_MS, timerType=Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._beat)
        self._ended = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name="loop watch", daemon=True)

    def start(self, looks: bool = True) -> None:
        """Begin to watch; looks: also at what the loop is in while it is late."""
        self._last, self._worked = time.perf_counter(), time.thread_time()
        self._timer.start()
        if looks:
            self._watcher.start()

    def stop(self) -> None:
        """End it."""
        self._timer.stop()
        self._ended.set()
        if self._watcher.is_alive():
            self._watcher.join()

    def held_up_by(self) -> dict[str, float]:
        """Functions of the app that were at work while a beat was late, as shares, most first."""
        total = self._looks.total()
        return {name: count / total for name, count in self._looks.most_common()}

    def _beat(self) -> None:
        now, worked = time.perf_counter(), time.thread_time()
        self.turns.append(now - self._last)
        self.work.append(worked - self._worked)
        self._last, self._worked = now, worked

    def _watch(self) -> None:
        with tempfile.TemporaryFile() as scratch:
            while not self._ended.wait(_LOOK_INTERVAL):
                if time.perf_counter() - self._last > LATE:
                    self._looks[_busy_in(self._loop_thread, scratch)] += 1


def _busy_in(thread: int, scratch: IO[bytes]) -> str:
    """The innermost function of the window that a thread is in, by its file.

    Written down by the interpreter itself: Python's own look at another thread's frames keeps what
    their functions hold, a painter of a widget for one, which would end late, in the wrong thread,
    and crash.
    """
    scratch.seek(0)
    scratch.truncate()
    faulthandler.dump_traceback(scratch)
    scratch.seek(0)
    stacks = scratch.read().decode(errors="replace").split("\n\n")
    stack = next((text for text in stacks if f"{thread:x} (" in text.partition("\n")[0]), "")
    for file, function in _PLACE.findall(stack):
        path = Path(file)
        if path.is_relative_to(_APP / "ui"):
            return f"{path.relative_to(_APP.parent)} {function}"
    return "Qt"
