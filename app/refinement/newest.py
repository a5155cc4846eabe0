"""Refines the newest keyframes of a capture beside it, and never makes it wait."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.capture.frame import Frame
from app.reconstruction.keyframe import Keyframe
from app.refinement.process import RefinedRun, RefineError, RefineProcess

NEWEST = 8
"""So many keyframes are refined together."""


@dataclass(frozen=True)
class RefinedKeyframes:
    """before: the keyframes as they were when they were asked for."""

    before: list[Keyframe]
    run: RefinedRun


class NewestRefiner:
    """One child, one request at a time: of those that come meanwhile the newest is kept.

    asked, accepted: how many requests were answered, and how many changed anything; seconds: of
    processor time that they took.
    """

    def __init__(
        self, warn: Callable[[str], None], start: Callable[[], RefineProcess] = RefineProcess
    ) -> None:
        """warn: receives a line when the child dies, after which nothing more is refined."""
        self.asked = self.accepted = 0
        self.seconds = 0.0
        self._warn, self._start = warn, start
        self._changed = threading.Condition()
        # Frames that the child does not have, of the keyframes that may still be asked for.
        self._frames: dict[int, NDArray[np.uint8]] = {}
        self._wanted: list[Keyframe] | None = None
        self._works = self._closed = False
        self._done: list[RefinedKeyframes] = []
        self._process: RefineProcess | None = None
        self._thread = threading.Thread(target=self._work, name="newest", daemon=True)
        self._thread.start()

    def document(self, keyframes: int) -> dict[str, Any]:
        """What it did to a run of so many keyframes, as `RefinedRun.document` has it."""
        reason = f"{self.accepted} of {self.asked} times the newest keyframes were refined"
        return {"reason": reason, "seconds_per_keyframe": self.seconds / keyframes}

    def add(self, frame: Frame) -> None:
        """A frame that becomes a keyframe, in full."""
        with self._changed:
            self._frames[frame.index] = frame.image

    def offer(self, keyframes: Sequence[Keyframe]) -> None:
        """Refine the newest of these as soon as nothing else is being refined; returns at once."""
        with self._changed:
            if self._closed or len(keyframes) < 2:
                return
            self._wanted = [replace(keyframe) for keyframe in keyframes[-NEWEST:]]
            oldest = self._wanted[0].index
            self._frames = {k: image for k, image in self._frames.items() if k >= oldest}
            self._changed.notify_all()

    def take(self, timeout: float = 0.0) -> list[RefinedKeyframes]:
        """What was refined since the last time and is other than it was; timeout: seconds to wait
        until nothing is being refined."""
        with self._changed:
            self._changed.wait_for(lambda: not (self._works or self._wanted), timeout)
            done, self._done = self._done, []
        return done

    def close(self) -> None:
        """End the child, whatever it is doing."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        if self._process:
            self._process.close()
        self._thread.join(timeout=5)

    def _work(self) -> None:
        try:
            self._process = self._start()
            while (request := self._next()) is not None:
                before, frames = request
                run = self._process.refine_newest(before, frames)
                self._end(RefinedKeyframes(before, run))
        except RefineError as error:
            if not self._closed:
                self._warn(f"{error}: the rest is not refined")
        finally:
            with self._changed:
                self._works, self._wanted, self._closed = False, None, True
                self._changed.notify_all()
            if self._process:
                self._process.close()

    def _next(self) -> tuple[list[Keyframe], dict[int, NDArray[np.uint8]]] | None:
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._wanted is not None)
            if self._closed or self._wanted is None:
                return None
            before, self._wanted, self._works = self._wanted, None, True
            indices = {keyframe.index for keyframe in before}
            frames = {k: image for k, image in self._frames.items() if k in indices}
            self._frames = {k: image for k, image in self._frames.items() if k not in indices}
            return before, frames

    def _end(self, refined: RefinedKeyframes) -> None:
        with self._changed:
            self._works = False
            self.asked += 1
            self.seconds += refined.run.seconds
            if refined.run.changed:
                self.accepted += 1
                self._done.append(refined)
            self._changed.notify_all()
