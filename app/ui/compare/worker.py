"""Work of a comparison that would hold the window up, in one thread behind it."""

from __future__ import annotations

import contextlib
import sys
import traceback
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Lock

from PySide6.QtCore import QObject, Signal

from app.compare import Comparison
from app.errors import AppError
from app.live import MovedKeyframe
from app.reconstruction import Keyframe, PointCloud
from app.ui.scene import SceneKeyframe, packed_keyframe

Compare = Callable[[], Comparison]


class Worker(QObject):
    """`packed` brings a lane, what moved, and its keyframes by position; `compared` a Comparison.

    Everything comes in the order in which it was asked for, and nothing that was asked for before
    `restart`. Of comparisons that are asked for while one is being made only the last is made.
    """

    packed = Signal(int, object, object)
    compared = Signal(object)
    _done = Signal(int, object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="compare")
        self._lock = Lock()
        self._wanted: tuple[int, Compare] | None = None
        self._closed = False
        self._round = 0
        # From the thread that works to that of the window, which knows the round.
        self._done.connect(self._deliver)

    def restart(self) -> None:
        """Bring nothing of what was asked for so far."""
        self._round += 1

    def pack(
        self,
        lane: int,
        keyframes: dict[int, Keyframe],
        clouds: dict[int, PointCloud],
        moved: Sequence[MovedKeyframe] = (),
    ) -> None:
        """Make keyframes ready for a 3D view; clouds: their points where these are known; moved:
        is handed on in turn.
        """
        number = self._round

        def work() -> None:
            packed = _pack(keyframes, clouds)
            self._done.emit(number, lambda: self.packed.emit(lane, moved, packed))

        self._submit(work)

    def compare(self, compare: Compare) -> None:
        """Make a comparison."""
        with self._lock:
            waits, self._wanted = self._wanted is not None, (self._round, compare)
        if not waits:
            self._submit(self._compare)

    def close(self) -> None:
        """Drop what waits and let what is being done end."""
        self._closed = True
        self._executor.shutdown(wait=True, cancel_futures=True)

    def _deliver(self, number: int, emit: Callable[[], None]) -> None:
        if number == self._round:
            emit()

    def _compare(self) -> None:
        with self._lock:
            wanted, self._wanted = self._wanted, None
        if wanted:
            number, compare = wanted
            # As long as a lane has no keyframe of the other there is nothing to compare.
            with contextlib.suppress(AppError):
                comparison = compare()
                self._done.emit(number, lambda: self.compared.emit(comparison))

    def _submit(self, task: Callable[[], None]) -> None:
        def run() -> None:
            try:
                if not self._closed:
                    task()
            except Exception:
                traceback.print_exc(file=sys.stderr)

        if not self._closed:
            self._executor.submit(run)


def _pack(
    keyframes: dict[int, Keyframe], clouds: dict[int, PointCloud]
) -> dict[int, SceneKeyframe]:
    return {
        position: packed_keyframe(keyframe, clouds.get(position))
        for position, keyframe in keyframes.items()
    }
