"""Runs a source through a model in the background and tells the window what came out."""

import queue
import sys
import textwrap
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, Signal

from app.capture import Decision, Frame, FrameSource, default_selector, open_source
from app.engine import Bundle, Engine, open_bundle
from app.errors import AppError
from app.reconstruction import Keyframe, PointCloud, Reconstructor, WindowUpdate, keyframe_cloud
from app.reconstruction.truth import find_truth

WAITING_KEYFRAMES = 4
"""Keyframes that may wait for the engine. A file is then read no further; a camera's frames pass
by unused."""

FRAME_INTERVAL = 1 / 30
"""Seconds between frames that are shown; files are read faster than that."""


@dataclass(frozen=True)
class Beginning:
    """Model and source are open. length: frames of the source where known."""

    bundle: Bundle
    length: int | None


@dataclass(frozen=True)
class KeyframeView:
    """A new or changed keyframe as it is now: points in its camera's frame, pose [4,4],
    intrinsic [3,3], depth [H,W]; frame: its index in the source.
    """

    position: int
    frame: int
    cloud: PointCloud
    world_from_camera: NDArray[np.float32]
    intrinsic: NDArray[np.float32]
    depth: NDArray[np.float32]


@dataclass(frozen=True)
class Growth:
    """What one window of views brought.

    accepted: when its first new keyframe was chosen (time.perf_counter); keyframes: copies of all
    so far, as they are now; views_per_second: of the network, over all windows so far;
    peak_memory: of the engine, bytes.
    """

    views: list[KeyframeView]
    accepted: float
    keyframes: list[Keyframe]
    views_per_second: float
    peak_memory: int


class Session(QObject):
    """One run: source -> keyframes -> reconstruction, in two threads.

    One thread reads frames and chooses keyframes, the other runs the engine, so that the video
    goes on while the engine works. Signals arrive in the thread of the receiver: `began` with a
    Beginning, `frame_ready` when `latest_frame` is new, `grown` with a Growth, `assessed` with an
    Accuracy where the truth is known, `warned` with a line, `failed` with an AppError. `ended`
    comes last and always.
    """

    began = Signal(object)
    frame_ready = Signal()
    grown = Signal(object)
    assessed = Signal(object)
    warned = Signal(str)
    failed = Signal(object)
    ended = Signal()

    def __init__(
        self,
        source: str,
        bundle: Path,
        start_engine: Callable[[Bundle], Engine] = Engine,
        parent: QObject | None = None,
        views: int = 4,
        overlap: int = 2,
    ) -> None:
        super().__init__(parent)
        self._spec = source
        self._bundle = bundle
        self._start_engine = start_engine
        self._engine: Engine | None = None
        self._views_at_a_time, self._overlap = views, overlap
        self._queue: queue.Queue[tuple[Frame, float] | None] = queue.Queue(WAITING_KEYFRAMES)
        self._going = threading.Event()
        self._going.set()
        self._stopped = threading.Event()
        self._engine_gone = threading.Event()
        self._abandoned = False
        self._latest: tuple[Frame, Decision] | None = None
        self._shown_at = 0.0
        self._accepted: list[float] = []
        self._views = 0
        self._seconds = 0.0
        self._reading_failed: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)

    def start(self) -> None:
        """Begin; returns at once."""
        self._thread.start()

    def pause(self) -> None:
        """Read no more frames until `resume`; keyframes that wait are still worked on."""
        self._going.clear()

    def resume(self) -> None:
        """Go on reading."""
        self._going.set()

    def stop(self) -> None:
        """Read no more frames; what was captured is still finished."""
        self._stopped.set()
        self._going.set()

    def abandon(self) -> None:
        """End at once, whatever is unfinished, and wait for the threads."""
        self._abandoned = True
        self.stop()
        if self._engine:
            self._engine.close()
        self._thread.join(timeout=5)

    def latest_frame(self) -> tuple[Frame, Decision] | None:
        """The newest frame, and whether it became a keyframe."""
        return self._latest

    def _run(self) -> None:
        try:
            bundle = open_bundle(self._bundle)
            with (
                closing(open_source(self._spec, self.warned.emit)) as source,
                closing(self._start_engine(bundle)) as engine,
            ):
                self._engine = engine
                if not self._abandoned:
                    self.began.emit(Beginning(bundle, source.length))
                    self._reconstruct(source, engine)
        except AppError as error:
            if not self._abandoned:
                self.failed.emit(error)
        except OSError as error:
            self.failed.emit(AppError(f"{error.filename or 'system'}: {error.strerror or error}"))
        except Exception as error:
            traceback.print_exc(file=sys.stderr)
            what = textwrap.shorten(f"{type(error).__name__}: {error}", 200)
            self.failed.emit(AppError(f"internal error: {what}"))
        finally:
            self.ended.emit()

    def _reconstruct(self, source: FrameSource, engine: Engine) -> None:
        reconstructor = Reconstructor(engine, self._views_at_a_time, self._overlap)
        reader = threading.Thread(target=self._read, args=(source,), name="reader", daemon=True)
        reader.start()
        try:
            while (item := self._queue.get()) is not None:
                frame, accepted = item
                self._accepted.append(accepted)
                self._publish(reconstructor.add(frame), reconstructor.keyframes, engine)
            self._publish(reconstructor.finish(), reconstructor.keyframes, engine)
        finally:
            self._engine_gone.set()
            self.stop()
            reader.join()
        if self._reading_failed:
            raise self._reading_failed
        truth = find_truth(self._spec)
        if truth and reconstructor.keyframes:
            self.assessed.emit(truth.compare(reconstructor.keyframes))

    def _publish(
        self, update: WindowUpdate | None, keyframes: list[Keyframe], engine: Engine
    ) -> None:
        if update is None:
            return
        self._views += update.views
        self._seconds += update.seconds_inference
        positions = sorted({*update.new, *update.changed})
        self.grown.emit(
            Growth(
                views=[_view(position, keyframes[position]) for position in positions],
                accepted=self._accepted[0],
                keyframes=[replace(keyframe) for keyframe in keyframes],
                views_per_second=self._views / self._seconds,
                peak_memory=engine.peak_memory,
            )
        )
        del self._accepted[: len(update.new)]

    def _read(self, source: FrameSource) -> None:
        selector = default_selector(source)
        try:
            for frame in source:
                self._going.wait()
                if self._stopped.is_set():
                    break
                if source.is_live and self._queue.full():
                    decision = Decision(False, "the engine is busy")
                else:
                    decision = selector.consider(frame)
                self._show(frame, decision)
                if decision.accepted:
                    self._put((frame, time.perf_counter()))
        except Exception as error:
            self._reading_failed = error
        finally:
            self.frame_ready.emit()
            self._put(None)

    def _show(self, frame: Frame, decision: Decision) -> None:
        self._latest = frame, decision
        now = time.perf_counter()
        if now - self._shown_at >= FRAME_INTERVAL:
            self._shown_at = now
            self.frame_ready.emit()

    def _put(self, item: tuple[Frame, float] | None) -> None:
        """Hand a keyframe over as soon as there is room for it."""
        while not self._engine_gone.is_set():
            try:
                self._queue.put(item, timeout=0.1)
                return
            except queue.Full:
                continue


def _view(position: int, keyframe: Keyframe) -> KeyframeView:
    return KeyframeView(
        position=position,
        frame=keyframe.index,
        cloud=keyframe_cloud(keyframe),
        world_from_camera=keyframe.world_from_camera,
        intrinsic=keyframe.intrinsic,
        depth=keyframe.depth,
    )
