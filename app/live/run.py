"""One run: a source through one or several models at once."""

import sys
import threading
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from app.capture import Decision, Frame, FrameSource, open_source
from app.engine import Bundle, Engine, open_bundle
from app.errors import AppError, exception_words
from app.live.events import Beginning, Growth, Listener
from app.live.lane import Lane
from app.live.reader import Reader
from app.paging import page_out
from app.reconstruction import FUSE, Keyframe
from app.reconstruction.truth import Truth, find_truth
from app.refinement.newest import NewestRefiner
from app.sessions import ContinuedSource, SessionWriter, is_session, open_session

OpenSource = Callable[[str, Callable[[str], None]], FrameSource]


class Recorder(Protocol):
    """What a run needs of app.sessions.SessionWriter."""

    def add_frame(self, frame: Frame, decision: Decision) -> None: ...

    def set_keyframes(self, keyframes: Sequence[Keyframe]) -> None: ...

    def close(self) -> None: ...


class LiveRun:
    """Source -> keyframes -> a reconstruction by each of the models.

    One thread reads frames and chooses keyframes, so that the capture goes on whatever the models
    do. A second one gives each keyframe to one model after the other (the lanes): they take turns,
    because two runtimes at once on a small machine would each take twice as long and more. The
    listener is called from these threads.
    """

    def __init__(
        self,
        source: str,
        bundles: Sequence[Path],
        listener: Listener,
        *,
        views: int = 4,
        overlap: int = 2,
        every: int = 1,
        threads: int | None = None,
        record_to: Path | None = None,
        start_engine: Callable[..., Engine] = Engine,
        limit: int | None = None,
        camera_limit: int | None = None,
        open_source: OpenSource = open_source,
        fuse: float = FUSE,
        loops: bool = True,
        refine_newest: bool = False,
    ) -> None:
        """bundles: one a lane; views, overlap: of the windows; every: look at each n-th frame only;
        threads: of each runtime; record_to: folder of a session, a new one or one to go on with
        (what it has is worked through once more first);
        limit: keyframes after which the capture ends; camera_limit: the same for a camera, where
        `limit` is not given; fuse: side of the cells of space that have one point each, of the
        keyframe that is surest of it, so that the clouds are bounded by what was seen and not by
        how long, as a part of the distance from which they are seen (0 keeps all points); loops:
        recognize places seen before, and move all keyframes so that they fit; refine_newest: make
        cameras and depth of the newest keyframes exact beside the run, where it is of one model.
        """
        self.refiner: NewestRefiner | None = None
        self.engines: list[Engine] = []
        self._spec = source
        self._paths = list(bundles)
        self._listener = listener
        self._views, self._overlap, self._every = views, overlap, every
        self._threads = threads
        self._record_to = record_to
        self._start_engine = start_engine
        self._limit, self._camera_limit = limit, camera_limit
        self._open_source = open_source
        self._fuse, self._loops = fuse, loops
        self._refine_newest = refine_newest and len(self._paths) == 1
        self._lock = threading.Lock()
        self._source: FrameSource | None = None
        self._reader: Reader | None = None
        self._recorder: Recorder | None = None
        self._paused = self._stopped = self._abandoned = False
        self._thread = threading.Thread(target=self._run, name="live", daemon=True)

    def start(self) -> None:
        """Begin; returns at once."""
        self._thread.start()

    def pause(self) -> None:
        """Read no more frames until `resume`; keyframes that wait are still worked on."""
        with self._lock:
            self._paused = True
            if self._reader:
                self._reader.pause()

    def resume(self) -> None:
        """Go on reading; a camera that was interrupted is opened again first."""
        with self._lock:
            self._paused = False
            if self._reader:
                self._reader.resume()

    def stop(self) -> None:
        """Read no more frames; what was captured is still finished."""
        with self._lock:
            self._stopped = True
            if self._reader:
                self._reader.stop()

    def abandon(self) -> None:
        """End at once, whatever is unfinished, and wait for the threads (up to 5 seconds)."""
        with self._lock:
            self._abandoned = True
            if self._reader:
                self._reader.abandon()
        for engine in [*self.engines]:
            engine.close()
        if self.refiner:
            self.refiner.close()
        self.join(timeout=5)

    def join(self, timeout: float | None = None) -> bool:
        """Wait for the end, up to `timeout` seconds; whether it came. Ctrl-C gets through."""
        if self._thread.ident is not None:
            self._thread.join(0.2 if timeout is None else timeout)
            # In steps: Windows heeds Ctrl-C between two waits only.
            while timeout is None and self._thread.is_alive():
                self._thread.join(0.2)
        return not self._thread.is_alive()

    def latest_frame(self) -> tuple[Frame, Decision] | None:
        """The newest frame, and whether it became a keyframe."""
        return self._reader.latest if self._reader else None

    @property
    def frames(self) -> int:
        """Frames that were looked at so far."""
        return self._reader.frames if self._reader else 0

    @property
    def refused(self) -> Counter[str]:
        """How many frames became no keyframe so far, by reason."""
        return Counter(self._reader.refused) if self._reader else Counter()

    def _run(self) -> None:
        try:
            with ExitStack() as stack:
                self._work(stack)
        except AppError as error:
            self._fail(error)
        except OSError as error:
            self._fail(AppError(f"{error.filename or 'system'}: {error.strerror or error}"))
        except Exception as error:
            traceback.print_exc(file=sys.stderr)
            self._fail(AppError(f"internal error: {exception_words(error)}"))
        finally:
            self._listener.ended()

    def _fail(self, error: AppError) -> None:
        if not self._abandoned:
            self._listener.failed(error)

    def _work(self, stack: ExitStack) -> None:
        truth = find_truth(self._spec)
        bundles = [open_bundle(path) for path in self._paths]
        source = stack.enter_context(closing(self._open_source(self._spec, self._listener.warned)))
        is_live = source.is_live
        if self._record_to and is_session(self._record_to):
            session = open_session(self._record_to)
            source = ContinuedSource(session, source, self._listener.warned)
        options = [self._threads] if self._threads else []
        for bundle in bundles:
            self.engines.append(self._start_engine(bundle, *options))
            stack.callback(self.engines[-1].close)
        if self._refine_newest:
            self.refiner = NewestRefiner(self._listener.warned)
            stack.callback(self.refiner.close)
        lanes = [
            Lane(
                index,
                engine,
                self._views,
                self._overlap,
                self._listener.warned,
                self._fuse,
                self._loops,
                self.refiner,
            )
            for index, engine in enumerate(self.engines)
        ]
        # They load side by side.
        for engine in self.engines:
            if self._abandoned:
                return
            engine.wait_until_loaded()
        if self._record_to:
            self._recorder = self._open_recorder(self._record_to, bundles)
            stack.callback(self._try_to_record, self._recorder.close)
        self._listener.began(Beginning(tuple(bundles), source.length, is_live))
        self._capture(source, lanes, self._limit or (self._camera_limit if is_live else None))
        for lane in lanes:
            if truth and lane.keyframes and not self._abandoned:
                self._assess(lane, truth)

    def _assess(self, lane: Lane, truth: Truth) -> None:
        try:
            self._listener.assessed(lane.index, truth.compare(lane.keyframes))
        except AppError as error:
            # What was reconstructed is no worse for it.
            self._listener.warned(f"{error}: not compared with the truth")

    def _capture(self, source: FrameSource, lanes: list[Lane], limit: int | None) -> None:
        reader = Reader(source, self._listener, self._record, self._every, limit)
        with self._lock:
            self._reader = reader
            if self._paused:
                reader.pause()
            if self._stopped:
                reader.stop()
            if self._abandoned:
                return
        reader.start()
        try:
            for chosen in reader:
                self._give(lanes, partial(Lane.take, chosen=chosen))
            self._give(lanes, Lane.finish)
        finally:
            reader.abandon()
            reader.join()
        if reader.failure:
            raise reader.failure

    def _give(self, lanes: list[Lane], step: Callable[[Lane], Growth | None]) -> None:
        """Let each lane do a step; one that fails drops out, and the last one ends the run."""
        for lane in [*lanes]:
            try:
                growth = step(lane)
            except AppError as error:
                if len(lanes) == 1 or self._abandoned:
                    raise
                lanes.remove(lane)
                self.engines[lane.index].close()
                self._listener.lane_failed(lane.index, error)
            else:
                self._publish(growth)

    def _publish(self, growth: Growth | None) -> None:
        if self._abandoned:
            raise AppError("the run was abandoned")
        if growth is None:
            return
        self._listener.grown(growth)
        if (recorder := self._recorder) and growth.lane == 0:
            self._try_to_record(recorder.set_keyframes, growth.keyframes)
        page_out()

    def _record(self, frame: Frame, decision: Decision) -> None:
        if recorder := self._recorder:
            self._try_to_record(recorder.add_frame, frame, decision)

    def _try_to_record(self, write: Callable[..., None], *what: Any) -> None:
        """A disk that is full ends the recording, not the run."""
        try:
            write(*what)
        except AppError as error:
            self._recorder = None
            self._listener.warned(f"the recording stopped: {error}")

    def _open_recorder(self, folder: Path, bundles: list[Bundle]) -> Recorder:
        if is_session(folder):
            return SessionWriter.resume(folder)
        settings = {
            "bundles": [str(path) for path in self._paths],
            "models": [{"name": b.name, "precision": b.precision} for b in bundles],
            "views": self._views,
            "overlap": self._overlap,
            "every": self._every,
            "loops": self._loops,
            "refine": "local" if self._refine_newest else "none",
        }
        return SessionWriter(folder, self._spec, settings)
