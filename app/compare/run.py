"""Runs two or more models on the very same keyframes and keeps what each of them made of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from app.compare.lanes import Lane, MeasuredEngine, Model, lane_titles
from app.engine import Engine
from app.errors import AppError
from app.live import Beginning, Growth, LiveRun
from app.live.terminal import TerminalFollower, warn
from app.reconstruction import Keyframe
from app.sessions import Session, open_session

RECORDED = "recorded"


class LaneRecorder(TerminalFollower):
    """Follows a run and keeps its lanes."""

    def __init__(self) -> None:
        super().__init__()
        self.lanes: list[Lane] = []

    def began(self, beginning: Beginning) -> None:
        super().began(beginning)
        models = [Model.of(bundle) for bundle in beginning.bundles]
        titles = lane_titles(models)
        self.lanes = [Lane(title, model) for title, model in zip(titles, models, strict=True)]

    def grown(self, growth: Growth) -> None:
        super().grown(growth)
        self.lanes[growth.lane].add(growth)

    def lane_failed(self, lane: int, error: AppError) -> None:
        self.lanes[lane].failure = str(error)
        warn(f"{self.lanes[lane].title} ended: {error}; the others go on")

    def failed(self, error: AppError) -> None:
        super().failed(error)
        for lane in self.lanes:
            lane.failure = lane.failure or str(error)


def note_costs(lanes: Sequence[Lane], engines: Sequence[Engine]) -> None:
    """Take over what the engines know of their memory and energy."""
    for lane, engine in zip(lanes, engines, strict=False):
        lane.base_memory = engine.base_memory
        lane.memory = max(lane.memory, engine.peak_memory)
        if isinstance(engine, MeasuredEngine):
            lane.joules = engine.joules


def recorded_lane(folder: str, warn: Callable[[str], None]) -> Lane:
    """What a session holds of the reconstruction that was made while it was recorded.

    Raises AppError when it holds none.
    """
    session = open_session(folder)
    keyframes = session.read_keyframes(warn)
    if not keyframes:
        raise AppError(f"{folder} was recorded without a reconstruction: name two bundles")
    return lane_of(session, keyframes)


def lane_of(session: Session, keyframes: list[Keyframe]) -> Lane:
    """The lane of a session and the keyframes that were read of it."""
    models = session.settings.get("models")
    known = models[0] if isinstance(models, list) and models else {}
    title = RECORDED
    if isinstance(known, dict) and {"name", "precision"} <= known.keys():
        title = f"{RECORDED} with {known['name']}, {known['precision']}"
    return Lane(title, None, keyframes, is_recorded=True)


def start_lanes(
    source: str,
    bundles: Sequence[Path],
    recorder: LaneRecorder,
    *,
    views: int,
    overlap: int,
    every: int,
    threads: int | None,
    limit: int | None,
    loops: bool = False,
    camera_limit: int | None = None,
    start_engine: Callable[..., Engine] = MeasuredEngine,
) -> tuple[int, int] | None:
    """Run a source through the bundles until its end; returns the (H, W) of its frames.

    limit: keyframes after which it ends; camera_limit: the same for a camera without a limit. The
    results are in `recorder.lanes`, those of a run that ended early too. Raises AppError when
    nothing came of it at all.
    """
    run = LiveRun(
        source,
        bundles,
        recorder,
        views=views,
        overlap=overlap,
        every=every,
        threads=threads,
        limit=limit,
        fuse=0.0,  # Nobody looks at the points.
        loops=loops,
        camera_limit=camera_limit,
        start_engine=start_engine,
    )
    recorder.follow(run)
    note_costs(recorder.lanes, run.engines)
    if recorder.failure and not any(lane.keyframes for lane in recorder.lanes):
        raise recorder.failure
    latest = run.latest_frame()
    return (latest[0].image.shape[0], latest[0].image.shape[1]) if latest else None
