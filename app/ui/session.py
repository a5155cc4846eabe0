"""A run in the background for the window: what it tells comes as signals."""

import sys
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Signal

from app.capture import Decision, Frame, open_source
from app.engine import Engine
from app.errors import AppError
from app.live import WAITING_KEYFRAMES, Beginning, Growth, KeyframeView, LiveRun, OpenSource
from app.reconstruction.truth import Accuracy
from app.refinement.newest import NewestRefiner
from app.ui import garbage
from app.ui.scene import SceneKeyframe, packed_keyframe

__all__ = ["WAITING_KEYFRAMES", "Beginning", "Growth", "KeyframeView", "Session"]

SWITCH_SECONDS = 0.001
"""How long a thread that works in Python may keep the window's waiting. Each step of numpy or Qt
waits anew, so that Python's own 5 milliseconds become 30 for one picture of depth."""


class Session(QObject):
    """A LiveRun whose listener is a set of signals, which arrive in the thread of the receiver.

    `began` with a Beginning, `frame_ready` when `latest_frame` is new, `grown` with a Growth
    and its keyframes by position, made ready for the 3D view in the run's own thread,
    `interrupted` with a line when the camera is gone and the run paused, `assessed` with an
    Accuracy and its lane where the truth is known, `warned` with a line, `failed` with an AppError,
    `lane_failed` with one and its lane where other lanes go on. `ended` comes last and always.
    """

    began = Signal(object)
    frame_ready = Signal()
    grown = Signal(object, object)
    interrupted = Signal(str)
    assessed = Signal(object, int)
    warned = Signal(str)
    lane_failed = Signal(object, int)
    failed = Signal(object)
    ended = Signal()

    def __init__(
        self,
        source: str,
        bundle: Path,
        start_engine: Callable[..., Engine] = Engine,
        parent: QObject | None = None,
        *,
        more_bundles: tuple[Path, ...] = (),
        open_source: OpenSource = open_source,
        **options: Any,
    ) -> None:
        """more_bundles: those of further lanes; options: as LiveRun has them."""
        super().__init__(parent)
        self._run = LiveRun(
            source,
            [bundle, *more_bundles],
            _Relay(self),
            start_engine=start_engine,
            open_source=open_source,
            **options,
        )

    def start(self) -> None:
        """Begin; returns at once."""
        garbage.set_aside()
        garbage.keep_large_apart()
        sys.setswitchinterval(SWITCH_SECONDS)
        self._run.start()

    def pause(self) -> None:
        """Read no more frames until `resume`; keyframes that wait are still worked on."""
        self._run.pause()

    def resume(self) -> None:
        """Go on reading; a camera that was interrupted is opened again first."""
        self._run.resume()

    def stop(self) -> None:
        """Read no more frames; what was captured is still finished."""
        self._run.stop()

    def abandon(self) -> None:
        """End at once, whatever is unfinished, and wait for the threads."""
        self._run.abandon()

    def latest_frame(self) -> tuple[Frame, Decision] | None:
        """The newest frame, and whether it became a keyframe."""
        return self._run.latest_frame()

    @property
    def engines(self) -> Sequence[Engine]:
        """Those of the lanes."""
        return self._run.engines

    @property
    def refiner(self) -> NewestRefiner | None:
        """Of the newest keyframes, where they are refined."""
        return self._run.refiner

    @property
    def frames(self) -> int:
        """Frames that were looked at so far."""
        return self._run.frames

    @property
    def refused(self) -> Counter[str]:
        """How many frames became no keyframe so far, by reason."""
        return self._run.refused


class _Relay:
    """The Listener that emits the signals of a session."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def began(self, beginning: Beginning) -> None:
        self._session.began.emit(beginning)

    def frame_ready(self) -> None:
        self._session.frame_ready.emit()

    def grown(self, growth: Growth) -> None:
        # Of the other lanes a comparison makes its own, moved into the world of the first.
        self._session.grown.emit(growth, _packed(growth) if growth.lane == 0 else {})
        garbage.give_back()

    def interrupted(self, message: str) -> None:
        self._session.interrupted.emit(message)

    def warned(self, message: str) -> None:
        self._session.warned.emit(message)

    def assessed(self, lane: int, accuracy: Accuracy) -> None:
        self._session.assessed.emit(accuracy, lane)

    def lane_failed(self, lane: int, error: AppError) -> None:
        self._session.lane_failed.emit(error, lane)

    def failed(self, error: AppError) -> None:
        self._session.failed.emit(error)

    def ended(self) -> None:
        self._session.ended.emit()


def _packed(growth: Growth) -> dict[int, SceneKeyframe]:
    clouds = {view.position: view.cloud for view in growth.views} | dict(growth.clouds)
    return {at: packed_keyframe(growth.keyframes[at], cloud) for at, cloud in clouds.items()}
