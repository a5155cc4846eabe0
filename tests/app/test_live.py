"""One pipeline for window and commands, through every fault that it must survive."""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from app.capture import Decision, Frame, KeyframeSelector, SourceError, SourceInterrupted
from app.engine import Engine, EngineError, open_bundle
from app.errors import AppError
from app.live import Beginning, Growth, LiveRun, Subscriber, latency_percentiles
from app.reconstruction import PointCloud, Reconstructor, fuse_keyframes, keyframe_cloud
from app.reconstruction.truth import Accuracy
from app.sessions import open_session

ToyImage = Callable[..., np.ndarray]
NANO = Path(__file__).parents[2] / "assets"
quick = pytest.mark.usefixtures("quick_runtime")


class Listener(Subscriber):
    """Keeps all that a run says."""

    def __init__(self) -> None:
        self.growths: list[Growth] = []
        self.warnings: list[str] = []
        self.interruptions: list[str] = []
        self.accuracies: dict[int, Accuracy] = {}
        self.failures: list[str] = []
        self.beginning: Beginning | None = None
        self.calls: list[str] = []
        self.on_interruption: Callable[[], None] = lambda: None
        self.on_growth: Callable[[], None] = lambda: None

    def began(self, beginning: Beginning) -> None:
        self.beginning = beginning
        self.calls.append("began")

    def grown(self, growth: Growth) -> None:
        self.growths.append(growth)
        self.calls.append("grown")
        self.on_growth()

    def interrupted(self, message: str) -> None:
        self.interruptions.append(message)
        self.on_interruption()

    def warned(self, message: str) -> None:
        self.warnings.append(message)

    def assessed(self, lane: int, accuracy: Accuracy) -> None:
        self.accuracies[lane] = accuracy

    def lane_failed(self, lane: int, error: AppError) -> None:
        self.failures.append(f"lane {lane}: {error}")

    def failed(self, error: AppError) -> None:
        self.failures.append(str(error))
        self.calls.append("failed")

    def ended(self) -> None:
        self.calls.append("ended")

    def indices(self, lane: int = 0) -> list[int]:
        """Frames that became keyframes of a lane."""
        last = [growth for growth in self.growths if growth.lane == lane][-1]
        return [keyframe.index for keyframe in last.keyframes]


class Source:
    """`count` images of the toy's world; faults: what to raise before a frame, once each.

    gone: how often `reopen` finds nothing.
    """

    def __init__(
        self,
        toy_image: ToyImage,
        count: int = 8,
        faults: dict[int, Exception] | None = None,
        is_live: bool = False,
        gone: int = 0,
    ) -> None:
        self.is_live = is_live
        self.length = None if is_live else count
        self.closed = False
        self.reopened = 0
        self._count = count
        self._faults = faults or {}
        self._gone = gone
        self._next = 0
        self._image = toy_image

    def make_selector(self, every: int) -> KeyframeSelector:
        return KeyframeSelector(min_motion=0, every=every)

    def __iter__(self) -> Iterator[Frame]:
        while self._next < self._count and not self.closed:
            index = self._next
            if fault := self._faults.pop(index, None):
                raise fault
            self._next += 1
            x = 4 * (index % 10) / 10
            yield Frame(index, index / 10, self._image(x, seed=index), f"{index}.png")

    def reopen(self) -> None:
        if self._gone:
            self._gone -= 1
            raise SourceError("camera is still gone")
        self.reopened += 1

    def close(self) -> None:
        self.closed = True


def finish(run: LiveRun, listener: Listener) -> None:
    run.start()
    assert run.join(timeout=120), "the run did not end"
    assert listener.calls[-1] == "ended"
    assert listener.calls.count("ended") == 1


def leftovers() -> tuple[set[str], set[str], list[psutil.Process]]:
    """Threads of a run, shared memory and child processes that are there now."""
    ours = {"live", "reader", "runtime", "recorder"}
    threads = {thread.name for thread in threading.enumerate()} & ours
    folder = Path("/dev/shm")
    files = (
        {file.name for file in folder.glob(f"pocket-vggt-{os.getpid()}-*")}
        if folder.exists()
        else set()
    )
    return threads, files, psutil.Process().children()


@pytest.fixture
def nothing_left() -> Iterator[None]:
    """Fails where the test leaves a thread, shared memory or a process behind."""
    _, files, children = leftovers()
    yield
    deadline = time.monotonic() + 10
    while True:
        threads, files_now, children_now = leftovers()
        left = threads, files_now - files, [c for c in children_now if c not in children]
        if not any(left):
            return
        assert time.monotonic() < deadline, left
        time.sleep(0.05)


@pytest.fixture
def start(tiny_bundle: Path) -> Callable[..., LiveRun]:
    """start(source, listener, **options): a run of the toy that is not started yet."""

    def make(source: Source, listener: Listener, **options: Any) -> LiveRun:
        options = {"bundles": [tiny_bundle], "threads": 1} | options
        return LiveRun("toy", listener=listener, open_source=lambda *_: source, **options)

    return make


def test_the_same_as_without_threads(
    start: Callable[..., LiveRun], tiny_bundle: Path, toy_image: ToyImage, nothing_left: None
) -> None:
    listener = Listener()
    run = start(Source(toy_image, 7), listener, bundles=[tiny_bundle, tiny_bundle])
    finish(run, listener)
    with Engine(open_bundle(tiny_bundle), threads=1) as engine:
        reconstructor = Reconstructor(engine)
        for frame in Source(toy_image, 7):
            reconstructor.add(frame)
        reconstructor.finish()
    for lane in (0, 1):
        keyframes = [g for g in listener.growths if g.lane == lane][-1].keyframes
        assert len(keyframes) == 7
        for ours, expected in zip(keyframes, reconstructor.keyframes, strict=True):
            assert ours.index == expected.index
            assert_array_equal(ours.extrinsic, expected.extrinsic)
            assert_array_equal(ours.depth, expected.depth)
    assert listener.beginning
    assert (listener.beginning.length, listener.beginning.is_live) == (7, False)
    assert run.frames == 7
    assert not listener.failures


@quick
def test_stages_add_up_to_the_latency(start: Callable[..., LiveRun], toy_image: ToyImage) -> None:
    listener = Listener()
    finish(start(Source(toy_image, 9), listener), listener)
    for growth in listener.growths:
        times = growth.stages
        whole = times.fill + times.wait + times.infer + times.align + times.fuse
        assert_allclose(growth.latencies[0], whole, atol=2e-3)
        assert min(vars(times).values()) >= 0
        assert sorted(growth.latencies, reverse=True) == growth.latencies
        assert len(growth.latencies) == len(growth.update.new)
        newest = growth.views[-1]
        assert newest.image.shape == (*newest.depth.shape, 3)
        assert newest.confidence.shape == newest.depth.shape


@quick
def test_limit_and_every(start: Callable[..., LiveRun], toy_image: ToyImage) -> None:
    listener = Listener()
    run = start(Source(toy_image, 30), listener, every=3, limit=5)
    finish(run, listener)
    assert listener.indices() == [0, 3, 6, 9, 12]
    assert run.refused == {"between the frames looked at": 8}


@quick
def test_a_camera_that_goes_away_and_comes_back(
    start: Callable[..., LiveRun], toy_image: ToyImage, nothing_left: None
) -> None:
    listener = Listener()
    faults: dict[int, Exception] = {
        3: SourceInterrupted("camera was unplugged"),
        6: SourceInterrupted("camera changed its size"),
    }
    source = Source(toy_image, 8, faults, is_live=True, gone=2)
    run = start(source, listener)
    listener.on_interruption = run.resume
    finish(run, listener)
    assert listener.interruptions == [
        "camera was unplugged",
        "camera is still gone",
        "camera is still gone",
        "camera changed its size",
    ]
    assert source.reopened == 2
    # A camera's frames pass by while the engine is busy; all that were taken are there.
    assert run.frames == 8
    assert len(listener.indices()) + run.refused["the engine is busy"] == 8
    assert not listener.failures


@quick
def test_stop_while_the_camera_is_gone_keeps_what_it_gave(
    start: Callable[..., LiveRun], toy_image: ToyImage
) -> None:
    listener = Listener()
    faults: dict[int, Exception] = {5: SourceInterrupted("camera was unplugged")}
    run = start(Source(toy_image, 8, faults, is_live=True), listener)
    listener.on_interruption = run.stop
    finish(run, listener)
    assert run.frames == 5
    assert len(listener.indices()) + run.refused["the engine is busy"] == 5
    assert not listener.failures


@quick
def test_a_source_that_fails_in_the_middle(
    start: Callable[..., LiveRun], toy_image: ToyImage, nothing_left: None
) -> None:
    listener = Listener()
    faults: dict[int, Exception] = {5: SourceError("clip.mp4 cannot be read further")}
    finish(start(Source(toy_image, 8, faults), listener), listener)
    assert listener.failures == ["clip.mp4 cannot be read further"]
    assert listener.indices() == list(range(5))


@quick
def test_a_source_that_hangs_does_not_keep_from_finishing(
    start: Callable[..., LiveRun], toy_image: ToyImage
) -> None:
    let_go = threading.Event()

    class Hanging(Source):
        def __iter__(self) -> Iterator[Frame]:
            yield from super().__iter__()
            let_go.wait()

    listener = Listener()
    run = start(Hanging(toy_image, 6), listener)
    run.start()
    while not listener.growths:
        time.sleep(0.01)
    run.stop()
    assert run.join(timeout=60)
    let_go.set()
    assert listener.indices() == list(range(6))


@quick
def test_recording(
    start: Callable[..., LiveRun], toy_image: ToyImage, tmp_path: Path, nothing_left: None
) -> None:
    listener = Listener()
    finish(start(Source(toy_image, 7), listener, every=2, record_to=tmp_path / "s"), listener)
    session = open_session(tmp_path / "s")
    assert [frame.index for frame in session.frames] == list(range(7))
    recorded = session.read_keyframes()
    assert [keyframe.index for keyframe in recorded] == listener.indices() == [0, 2, 4, 6]
    for ours, keyframe in zip(listener.growths[-1].keyframes, recorded, strict=True):
        assert_allclose(ours.extrinsic, keyframe.extrinsic, atol=1e-6)
    # Replayed, the same keyframes come again.
    again = Listener()
    run = LiveRun(str(tmp_path / "s"), [listener.beginning.bundle.path], again, threads=1)  # type: ignore[union-attr]
    finish(run, again)
    assert again.indices() == [0, 2, 4, 6]


@quick
def test_a_session_goes_on(
    start: Callable[..., LiveRun], toy_image: ToyImage, tmp_path: Path
) -> None:
    first, second = Listener(), Listener()
    finish(start(Source(toy_image, 5), first, record_to=tmp_path / "s"), first)
    # A camera counts from the beginning again.
    other = Source(lambda x, seed: toy_image(x, seed + 50), 4, is_live=True)
    run = start(other, second, record_to=tmp_path / "s")
    finish(run, second)
    assert not second.failures
    assert second.beginning
    assert second.beginning.is_live
    session = open_session(tmp_path / "s")
    assert [frame.index for frame in session.frames] == list(range(9))
    assert session.settings["overlap"] == 2
    assert session.settings["loops"] is True
    # What was recorded comes once more, then the camera's.
    assert second.indices()[:5] == first.indices() == list(range(5))
    assert len(second.indices()) + run.refused["the engine is busy"] == 9
    assert [k.index for k in session.read_keyframes()] == second.indices()


@quick
def test_clouds_are_fused_if_asked_for(start: Callable[..., LiveRun], toy_image: ToyImage) -> None:
    for fuse in (0.02, 0.0):
        listener = Listener()
        finish(start(Source(toy_image, 8), listener, fuse=fuse), listener)
        shown: dict[int, PointCloud] = {}
        for growth in listener.growths:
            shown |= {view.position: view.cloud for view in growth.views} | dict(growth.clouds)
        keyframes = listener.growths[-1].keyframes
        fused = fuse_keyframes(dict(enumerate(keyframes)), fuse or 1.0)
        for position, keyframe in enumerate(keyframes):
            cloud = fused.cloud(position, keyframe) if fuse else keyframe_cloud(keyframe)
            assert_array_equal(shown[position].points, cloud.points)
            assert_array_equal(shown[position].rank, cloud.rank)


@quick
def test_a_recording_that_fails_does_not_end_the_run(
    start: Callable[..., LiveRun],
    toy_image: ToyImage,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Full:
        def __init__(self, *_: object) -> None:
            self.frames = 0

        def add_frame(self, frame: Frame, decision: Decision) -> None:
            if frame.index == 3:
                raise AppError("the disk is full")

        def set_keyframes(self, keyframes: object) -> None: ...

        def close(self) -> None: ...

    monkeypatch.setattr("app.live.run.SessionWriter", Full)
    listener = Listener()
    finish(start(Source(toy_image, 8), listener, record_to=tmp_path / "s"), listener)
    assert listener.warnings == ["the recording stopped: the disk is full"]
    assert not listener.failures
    assert listener.indices() == list(range(8))


needs_signals = pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")


@needs_signals
def test_a_runtime_killed_in_mid_run_changes_nothing(nothing_left: None) -> None:
    def run_clip(kill: bool) -> Listener:
        listener = Listener()
        run = LiveRun(
            str(NANO / "demo" / "clip.mp4"),
            [NANO / "vggt-nano-8da4w"],
            listener,
            threads=1,
            limit=8,
        )

        def kill_once() -> None:
            if kill and len(listener.growths) == 2:
                assert run.engines[0].pid
                os.kill(run.engines[0].pid, signal.SIGKILL)

        listener.on_growth = kill_once
        finish(run, listener)
        return listener

    whole, killed = run_clip(kill=False), run_clip(kill=True)
    assert not whole.warnings
    (warning,) = killed.warnings
    assert "started again (2 of 3 tries)" in warning
    assert not killed.failures
    assert killed.indices() == whole.indices()
    for ours, expected in zip(
        killed.growths[-1].keyframes, whole.growths[-1].keyframes, strict=True
    ):
        assert_array_equal(ours.extrinsic, expected.extrinsic)
        assert_array_equal(ours.depth, expected.depth)


class Dying(Engine):
    """A real engine whose child is killed, or stopped for good, before every window from `fine`."""

    fine = 1
    sign = signal.SIGKILL if sys.platform != "win32" else 0

    def infer(self, images: np.ndarray):  # type: ignore[no-untyped-def]
        self.wait_until_loaded()
        if self.fine == 0:
            assert self.pid
            os.kill(self.pid, self.sign)
        else:
            self.fine -= 1
        return super().infer(images)


@needs_signals
def test_a_runtime_that_is_killed_each_time_fails_with_one_line(
    start: Callable[..., LiveRun], toy_image: ToyImage, nothing_left: None
) -> None:
    listener = Listener()
    finish(start(Source(toy_image, 8), listener, start_engine=Dying), listener)
    assert len(listener.warnings) == 2
    (failure,) = listener.failures
    assert "signal 9" in failure
    assert "\n" not in failure
    assert listener.indices() == [0, 1, 2, 3]


@needs_signals
def test_a_runtime_that_never_answers(
    start: Callable[..., LiveRun], toy_image: ToyImage, nothing_left: None
) -> None:
    class Silent(Dying):
        sign = signal.SIGSTOP

        def infer(self, images: np.ndarray):  # type: ignore[no-untyped-def]
            self.wait_until_loaded()
            self.timeout = 60 if self.fine else 0.3
            try:
                return super().infer(images)
            finally:
                self.timeout = 60

    listener = Listener()
    finish(start(Source(toy_image, 8), listener, start_engine=Silent), listener)
    assert listener.failures == ["the runtime did not answer within 0.3 seconds"]
    assert listener.indices() == [0, 1, 2, 3]


@quick
def test_a_lane_that_fails_leaves_the_other(
    start: Callable[..., LiveRun], tiny_bundle: Path, toy_image: ToyImage, nothing_left: None
) -> None:
    class Failing(Engine):
        """Runs one window, and never again."""

        windows = 0

        def infer(self, images: np.ndarray):  # type: ignore[no-untyped-def]
            self.windows += 1
            if self.windows > 1:
                raise EngineError("the runtime ended unexpectedly")
            return super().infer(images)

    engines: list[Engine] = []

    def start_engine(bundle: object, threads: int) -> Engine:
        kind = Engine if engines else Failing
        engines.append(kind(bundle, threads))  # type: ignore[arg-type]
        return engines[-1]

    listener = Listener()
    run = start(
        Source(toy_image, 8),
        listener,
        bundles=[tiny_bundle, tiny_bundle],
        start_engine=start_engine,
    )
    finish(run, listener)
    (failure,) = listener.failures
    assert failure.startswith("lane 0: ")
    assert listener.indices(0) == [0, 1, 2, 3]
    assert listener.indices(1) == list(range(8))


class Stuck(Engine):
    """Stands for a runtime in the middle of a long window."""

    def infer(self, images: np.ndarray):  # type: ignore[no-untyped-def]
        self.wait_until_loaded()
        assert self.pid
        psutil.Process(self.pid).suspend()
        return super().infer(images)


@pytest.mark.parametrize("moment", ["at once", "loading", "at work", "paused", "interrupted"])
def test_abandon_leaves_nothing(
    start: Callable[..., LiveRun],
    toy_image: ToyImage,
    tmp_path: Path,
    nothing_left: None,
    moment: str,
) -> None:
    listener = Listener()
    faults: dict[int, Exception] = {2: SourceInterrupted("camera was unplugged")}
    source = Source(toy_image, 100_000, faults if moment == "interrupted" else None, is_live=True)
    options: dict[str, Any] = {"start_engine": Stuck} if moment == "at work" else {}
    run = start(source, listener, record_to=tmp_path / "s", **options)
    run.start()
    until = {
        "at once": lambda: True,
        "loading": lambda: run.engines,
        "at work": lambda: run.frames > 10,
        "paused": lambda: listener.growths,
        "interrupted": lambda: listener.interruptions,
    }[moment]
    while not until():
        time.sleep(0.005)
    if moment == "paused":
        run.pause()
    run.abandon()
    assert run.join(timeout=0)
    assert listener.calls[-1] == "ended"
    assert not listener.failures
    if run.frames:
        assert len(open_session(tmp_path / "s").frames) > 0


@quick
def test_views_that_the_model_does_not_take(
    start: Callable[..., LiveRun], toy_image: ToyImage, nothing_left: None
) -> None:
    listener = Listener()
    finish(start(Source(toy_image, 8), listener, views=3), listener)
    (failure,) = listener.failures
    assert "not 3" in failure
    assert listener.beginning is None


def test_percentiles() -> None:
    assert latency_percentiles(range(101)) == {"p50": 50, "p90": 90, "p99": 99}
    assert all(np.isnan(value) for value in latency_percentiles([]).values())


def test_an_engine_is_closed_for_good(tiny_bundle: Path, nothing_left: None) -> None:
    engine = Engine(open_bundle(tiny_bundle), threads=1)
    engine.close()
    with pytest.raises(EngineError, match="closed"):
        engine.restart()
    with pytest.raises(EngineError, match="not running"):
        engine.wait_until_loaded()
