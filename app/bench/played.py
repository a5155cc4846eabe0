"""Plays a file as if it were a camera."""

import time
from collections.abc import Iterator
from dataclasses import replace

from app.capture import Frame, FrameSource


class PlayedSource:
    """Frames at the times at which a camera would give them; those that nobody took are missed.

    decode: seconds that each frame took to read; missed: frames that came while the one before
    was still in work.
    """

    is_live = True

    def __init__(
        self, source: FrameSource, rate: float | None = None, seconds: float | None = None
    ) -> None:
        """rate: frames a second; None for the times that the frames have; seconds: of the whole."""
        self.length = source.length
        self.decode: list[float] = []
        self.missed = 0
        self._source = source
        self._rate = rate
        self._seconds = seconds
        self._closed = False

    def __iter__(self) -> Iterator[Frame]:
        start = before = time.perf_counter()
        for position, frame in enumerate(self._source):
            now = time.perf_counter()
            self.decode.append(now - before)
            if position == 0:
                start = now
            at = position / self._rate if self._rate else frame.time
            if self._seconds and at > self._seconds:
                return
            if now - start > at + self._interval(at, position):
                self.missed += 1
                before = now
                continue
            self._sleep_until(start + at)
            if self._closed:
                return
            yield replace(frame, time=at)
            before = time.perf_counter()

    def reopen(self) -> None:
        """Nothing ever interrupts it."""

    def close(self) -> None:
        self._closed = True
        self._source.close()

    def _interval(self, at: float, position: int) -> float:
        if self._rate:
            return 1 / self._rate
        return at / position if position else 1.0

    def _sleep_until(self, moment: float) -> None:
        while not self._closed and (left := moment - time.perf_counter()) > 0:
            time.sleep(min(left, 0.1))
