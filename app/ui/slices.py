"""Does what keeps the window's thread busy in slices, so that nobody waits long for the window."""

import time
from collections import deque
from collections.abc import Callable

from PySide6.QtCore import QObject, QTimer

SLICE_SECONDS = 0.008

Task = Callable[[], object]


def work_off(tasks: deque[Task]) -> None:
    """Do the first tasks, as many as fit into a slice, and at least one."""
    end = time.perf_counter() + SLICE_SECONDS
    while tasks:
        tasks.popleft()()
        if time.perf_counter() > end:
            return


class Slices(QObject):
    """Does tasks in their order, a slice in each turn of the event loop."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._tasks: deque[Task] = deque()
        self._timer = QTimer(self, singleShot=True, interval=0)
        self._timer.timeout.connect(self._go_on)

    def add(self, *tasks: Task) -> None:
        """Do these after all that are there."""
        self._tasks.extend(tasks)
        if not self._timer.isActive():
            self._timer.start()

    def finish(self) -> None:
        """Do at once what is left."""
        while self._tasks:
            self._tasks.popleft()()

    def _go_on(self) -> None:
        work_off(self._tasks)
        if self._tasks:
            self._timer.start()
