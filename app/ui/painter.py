"""Draws in a thread of its own, so that the window never waits for the graphics adapter.

What pygfx draws belongs to one thread at a time: to the painter's while it draws a pass, to the
window's in between. All views share one painter, since pygfx keeps state that they share.
"""

import logging
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from typing import Any

from PySide6.QtCore import QObject, Qt, Signal

from app.ui.slices import Task, work_off

Pass = tuple[Callable[[], Any], Callable[[Any], None]]
"""What to do in the painter's thread, and what to do in the window's with its result."""

logger = logging.getLogger(__name__)


class Painter(QObject):
    """Draws one pass at a time. All methods are for the window's thread."""

    _finished = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._thread = ThreadPoolExecutor(1, "painter")
        self._running: Future[Any] | None = None
        self._show: Callable[[Any], None] = lambda result: None
        self._waiting: list[Callable[[], Pass | None]] = []
        self._changes: deque[Task] = deque()
        self._finished.connect(self._on_finished, Qt.ConnectionType.QueuedConnection)

    def change(self, do: Task) -> None:
        """Change what is drawn: at once, or after the pass that is being drawn and the changes
        that wait for it, a slice of them in each turn of the event loop.
        """
        if self._running is None and not self._changes:
            do()
        else:
            self._changes.append(do)

    def request(self, begin: Callable[[], Pass | None]) -> None:
        """Ask `begin` for a pass and draw it, once its turn has come; a second request for the
        same is none."""
        if begin not in self._waiting:
            self._waiting.append(begin)
        self._go_on()

    def draw(self, begin: Callable[[], Pass | None]) -> None:
        """Ask `begin` for a pass, draw it and wait for it."""
        self.finish()
        self._start(begin)
        self.finish()

    def finish(self) -> None:
        """Wait for the pass that is being drawn, show it, and make all changes that wait for it."""
        self._end_pass()
        while self._changes:
            self._changes.popleft()()

    def call(self, do: Callable[[], Any]) -> Any:
        """Do something in the painter's thread and wait for its result. Raises what it raises."""
        self.finish()
        return self._thread.submit(do).result()

    def _go_on(self) -> None:
        if self._running is not None:
            return
        work_off(self._changes)
        if self._changes:
            self._finished.emit()
            return
        while self._running is None and self._waiting:
            self._start(self._waiting.pop(0))

    def _end_pass(self) -> None:
        running, self._running = self._running, None
        if running is None:
            return
        try:
            result = running.result()
        except Exception:
            logger.exception("error while drawing")
        else:
            self._show(result)
        self._show = lambda result: None

    def _start(self, begin: Callable[[], Pass | None]) -> None:
        task = begin()
        if task is None:
            return
        work, self._show = task
        self._running = self._thread.submit(work)
        self._running.add_done_callback(lambda _: self._finished.emit())

    def _on_finished(self) -> None:
        # What was waited for is done with already, and another pass may be under way.
        if self._running and self._running.done():
            self._end_pass()
        self._go_on()


@cache
def painter() -> Painter:
    """The painter of all views."""
    return Painter()
