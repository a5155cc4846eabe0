"""Reads a source in a thread of its own and chooses the keyframes."""

import queue
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator

from app.capture import (
    Decision,
    Frame,
    FrameSource,
    SourceError,
    SourceInterrupted,
    default_selector,
)
from app.live.events import Listener
from app.live.lane import Chosen

WAITING_KEYFRAMES = 4
"""Keyframes that may wait for the engine. A file is then read no further; a camera's frames pass
by unused."""

FRAME_INTERVAL = 1 / 30
"""Seconds between frames that are shown; files are read faster than that."""

STOP_GRACE = 1.0
"""Seconds that a source may take to let go of its reader once it is stopped."""

_BUSY = Decision(False, "the engine is busy")


class Reader:
    """Frames of a source -> keyframes, to be iterated over in another thread.

    latest: the newest frame and the decision on it; frames: how many were looked at; refused: how
    many of these became no keyframe, by reason; failure: what ended the source early.
    """

    def __init__(
        self,
        source: FrameSource,
        listener: Listener,
        record: Callable[[Frame, Decision], None],
        every: int = 1,
        limit: int | None = None,
    ) -> None:
        """record: is given every frame that is looked at; limit: keyframes after which it ends."""
        self.latest: tuple[Frame, Decision] | None = None
        self.frames = 0
        self.refused: Counter[str] = Counter()
        self.failure: Exception | None = None
        self._source = source
        self._listener = listener
        self._record = record
        self._selector = default_selector(source, every)
        self._limit = limit
        self._keyframes = 0
        self._queue: queue.Queue[Chosen | None] = queue.Queue(WAITING_KEYFRAMES)
        self._going = threading.Event()
        self._going.set()
        self._stopped = threading.Event()
        self._stopped_at = 0.0
        self._unheard = threading.Event()
        self._shown_at = 0.0
        self._thread = threading.Thread(target=self._read, name="reader", daemon=True)

    def start(self) -> None:
        """Begin; returns at once."""
        self._thread.start()

    def pause(self) -> None:
        """Read no more frames until `resume`."""
        self._going.clear()

    def resume(self) -> None:
        """Go on reading; a source that was interrupted is opened again first."""
        self._going.set()

    def stop(self) -> None:
        """Read no more frames; keyframes that wait are still given out."""
        self._stopped_at = time.perf_counter()
        self._stopped.set()
        self._going.set()

    def abandon(self) -> None:
        """Read no more frames and give out nothing more."""
        self._unheard.set()
        self.stop()

    def join(self) -> None:
        """Wait for the thread, no longer than a source that hangs is worth."""
        self._thread.join(STOP_GRACE)

    def __iter__(self) -> Iterator[Chosen]:
        while not self._unheard.is_set():
            try:
                chosen = self._queue.get(timeout=0.1)
            except queue.Empty:
                # A source that hangs must not keep from finishing what it gave.
                if self._stopped.is_set() and time.perf_counter() > self._stopped_at + STOP_GRACE:
                    return
                continue
            if chosen is None:
                return
            yield chosen

    def _read(self) -> None:
        try:
            frames = iter(self._source)
            while self._may_go_on():
                start = time.perf_counter()
                try:
                    frame = next(frames, None)
                except SourceInterrupted as error:
                    self._reopen(error)
                    frames = iter(self._source)
                    continue
                if frame is None or self._stopped.is_set():
                    break
                self._look_at(frame, time.perf_counter() - start)
                if self._keyframes == self._limit:
                    break
        except Exception as error:
            self.failure = error
        finally:
            self._listener.frame_ready()
            self._put(None)

    def _may_go_on(self) -> bool:
        """Waits while paused."""
        return not self._stopped.is_set() and self._going.wait() and not self._stopped.is_set()

    def _reopen(self, error: SourceError) -> None:
        """Pause, until the source can be opened again or the reader is stopped."""
        while True:
            self._going.clear()
            if self._stopped.is_set():
                return
            self._listener.interrupted(str(error))
            if not self._may_go_on():
                return
            try:
                self._source.reopen()
                return
            except SourceError as again:
                error = again

    def _look_at(self, frame: Frame, decode: float) -> None:
        start = time.perf_counter()
        if self._source.is_live and self._queue.full():
            decision = _BUSY
        else:
            decision = self._selector.consider(frame)
        now = time.perf_counter()
        self.frames += 1
        self._record(frame, decision)
        self._show(frame, decision, now)
        if decision.accepted:
            self._keyframes += 1
            self._put(Chosen(frame, decode, select=now - start, at=now))
        else:
            self.refused[_kind(decision.reason)] += 1

    def _show(self, frame: Frame, decision: Decision, now: float) -> None:
        self.latest = frame, decision
        if now - self._shown_at >= FRAME_INTERVAL:
            self._shown_at = now
            self._listener.frame_ready()

    def _put(self, item: Chosen | None) -> None:
        """Hand a keyframe over as soon as there is room for it."""
        while not self._unheard.is_set():
            try:
                self._queue.put(item, timeout=0.1)
                return
            except queue.Full:
                continue


def _kind(reason: str) -> str:
    """A reason without its figures: "too similar (3 px motion)" is "too similar"."""
    return re.split(r"[(,:]|\d", reason, maxsplit=1)[0].strip()
