"""Refines the keyframes of the scene in a process of their own, while the window goes on."""

from __future__ import annotations

import sys
import threading
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from PySide6.QtCore import QObject, Signal

from app.errors import AppError, exception_words
from app.reconstruction import Keyframe, fuse_keyframes
from app.reconstruction.truth import Accuracy, find_truth
from app.refinement.outcome import kept
from app.refinement.process import (
    CANCELLED,
    KEPT,
    RefinedRun,
    RefineProcess,
    refine_apart,
)
from app.ui.scene import SceneKeyframe, packed_keyframe


@dataclass(frozen=True)
class Refined:
    """A refinement, and its keyframes by position as the 3D view takes them; none where nothing
    was changed. accuracy: how far it is off the truth, where that is known."""

    run: RefinedRun
    packed: dict[int, SceneKeyframe] = field(default_factory=dict)
    accuracy: Accuracy | None = None


class Refining(QObject):
    """One refinement at a time.

    `progress` tells the share that is done, `warned` what could not be read; `ended` brings a
    Refined, also of one that was cancelled or failed, but not of one that was dropped.
    """

    progress = Signal(float)
    warned = Signal(str)
    ended = Signal(object)
    _done = Signal(object, object)

    def __init__(
        self, parent: QObject | None = None, start: Callable[[], RefineProcess] = RefineProcess
    ) -> None:
        """start: makes the process."""
        super().__init__(parent)
        self._start = start
        self._stop: threading.Event | None = None
        self._thread: threading.Thread | None = None
        # From the thread that works to that of the window, which knows what is still wanted.
        self._done.connect(self._deliver)

    @property
    def is_busy(self) -> bool:
        """Whether something is being refined."""
        return self._stop is not None

    def start(self, keyframes: Sequence[Keyframe], source: str | None, fuse: float) -> None:
        """Refine keyframes; returns at once.

        source: where their frames can be read again; fuse: how clouds are fused, as LiveRun has it.
        """
        self.drop()
        stop = self._stop = threading.Event()

        def work() -> None:
            try:
                run = refine_apart(
                    keyframes,
                    source,
                    cancelled=stop.is_set,
                    progress=self.progress.emit,
                    warn=self.warned.emit,
                    start=self._start,
                )
                packed = _pack(run.refinement.keyframes, fuse, stop) if run.changed else {}
                refined = Refined(run, packed, _assess(run.refinement.keyframes, source))
                reason = CANCELLED if stop.is_set() else ""
            except Exception as error:
                traceback.print_exc(file=sys.stderr)
                reason = f"internal error: {exception_words(error)}{KEPT}"
            if reason:
                refined = Refined(RefinedRun(kept(keyframes, reason), 0.0))
            self._done.emit(stop, refined)

        self._thread = threading.Thread(target=work, name="refining", daemon=True)
        self._thread.start()

    def cancel(self) -> None:
        """Keep the network's result; `ended` follows."""
        if self._stop:
            self._stop.set()

    def drop(self) -> None:
        """End what is going on, and tell nothing of it."""
        self.cancel()
        self._stop = None

    def close(self) -> None:
        """Drop it, and wait until its process is gone."""
        self.drop()
        if self._thread:
            self._thread.join(timeout=5)

    def _deliver(self, stop: threading.Event, refined: Refined) -> None:
        if stop is self._stop:
            self._stop = None
            self.ended.emit(refined)


def _assess(keyframes: Sequence[Keyframe], source: str | None) -> Accuracy | None:
    try:
        truth = find_truth(source) if source else None
        return truth.compare(keyframes) if truth else None
    except AppError:  # The run itself has said what is wrong with the truth.
        return None


def _pack(
    keyframes: Sequence[Keyframe], fuse: float, stop: threading.Event
) -> dict[int, SceneKeyframe]:
    fused = fuse_keyframes(dict(enumerate(keyframes)), fuse) if fuse else None
    packed = {}
    for position, keyframe in enumerate(keyframes):
        if stop.is_set():
            break
        cloud = fused.cloud(position, keyframe) if fused is not None else None
        packed[position] = packed_keyframe(keyframe, cloud)
    return packed
