"""Watches an event loop of Qt: how long it keeps one waiting, and what it is in meanwhile."""

import sys
import threading
import time
from collections import Counter
from pathlib import Path
from types import CodeType

from PySide6.QtCore import QObject, Qt, QTimer

BEAT_MS = 5
LATE = 0.02
"""Seconds without a beat after which the watcher looks at what holds it up."""

_LOOK_INTERVAL = 0.005
_APP = Path(__file__).parents[1]


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
        while not self._ended.wait(_LOOK_INTERVAL):
            if time.perf_counter() - self._last > LATE:
                self._looks[_name(_stack(self._loop_thread))] += 1


def _stack(thread: int) -> list[CodeType]:
    """What a thread is in, the innermost first.

    The frames themselves are let go of at once: they keep what their functions hold, a painter
    of a widget for one, and it would end late and in the wrong thread.
    """
    frame = sys._current_frames().get(thread)
    stack = []
    while frame:
        stack.append(frame.f_code)
        frame = frame.f_back
    return stack


def _name(stack: list[CodeType]) -> str:
    """The innermost function of the window in a stack, by its file."""
    for code in stack:
        path = Path(code.co_filename)
        if path.is_relative_to(_APP / "ui"):
            return f"{path.relative_to(_APP.parent)} {code.co_qualname}"
    return "Qt"
