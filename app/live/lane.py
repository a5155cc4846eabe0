"""One model at work on the keyframes: its engine, which may die, and its reconstruction."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import cast

import numpy as np
from numpy.typing import NDArray

from app.capture import Frame
from app.engine import Bundle, Engine, EngineError, Prediction
from app.live.events import Growth, KeyframeView, MovedKeyframe, StageTimes
from app.live.fusing import LiveFusion
from app.reconstruction import (
    FUSE,
    Keyframe,
    PointCloud,
    Reconstructor,
    WindowUpdate,
    keyframe_cloud,
)
from app.refinement.newest import NewestRefiner, RefinedKeyframes

REFINER_GRACE = 30.0
"""Seconds that the refinement of the last keyframes may take at the end of a run."""

TRIES = 3
"""So often one window of views is given to an engine that dies on it."""


@dataclass(frozen=True)
class Chosen:
    """A keyframe on its way to the lanes.

    decode, select: seconds that it took to read and to choose it; at: when it was chosen
    (time.perf_counter).
    """

    frame: Frame
    decode: float
    select: float
    at: float


class Lane:
    """Gives keyframes to one model; a runtime that dies is started anew and asked again."""

    def __init__(
        self,
        index: int,
        engine: Engine,
        views: int,
        overlap: int,
        warn: Callable[[str], None],
        fuse: float = FUSE,
        loops: bool = True,
        refiner: NewestRefiner | None = None,
    ) -> None:
        """fuse: as in LiveRun; loops: as in Reconstructor; refiner: of the newest keyframes.

        Raises AppError when the bundle does not take windows of that many views.
        """
        self.index = index
        self._engine = engine
        steady = cast(Engine, _SteadyEngine(engine, warn))
        self._reconstructor = Reconstructor(steady, views, overlap, loops)
        self._overlap = overlap
        self._refiner = refiner
        # Positions that were refined or moved along since the last Growth.
        self._refined, self._along = set[int](), set[int]()
        self._fusion = LiveFusion(fuse) if fuse else None
        self._depths: list[float] = []
        self._waiting: list[Chosen] = []
        self._views = 0
        self._seconds = 0.0

    @property
    def keyframes(self) -> list[Keyframe]:
        """All keyframes so far."""
        return self._reconstructor.keyframes

    def take(self, chosen: Chosen) -> Growth | None:
        """Add a keyframe; a Growth when a window was full. Raises EngineError."""
        self._waiting.append(chosen)
        start = time.perf_counter()
        if self._refiner:
            # Before the next window is joined to these.
            self._take_refined(self._refiner.take())
            self._refiner.add(chosen.frame)
        update = self._reconstructor.add(chosen.frame)
        if update and self._refiner:
            self._refiner.offer(self.keyframes)
        return self._grow(update, start) if update else None

    def finish(self) -> Growth | None:
        """Reconstruct what is left, a window that is not full, and fuse all clouds as they are now.

        Raises EngineError.
        """
        start = time.perf_counter()
        update = self._reconstructor.finish()
        if self._refiner:
            self._refiner.offer(self.keyframes)
            self._take_refined(self._refiner.take(REFINER_GRACE))
        if (self._fusion and self.keyframes) or self._refined:
            return self._grow(update or WindowUpdate([], [], 0, 0, 0.0, 0.0), start, is_last=True)
        return self._grow(update, start) if update else None

    def _take_refined(self, found: list[RefinedKeyframes]) -> None:
        for refined in found:
            after = refined.run.refinement.keyframes
            changed, along = self._reconstructor.take_refined(refined.before, after)
            self._refined.update(changed)
            self._along.update(along)

    def _with_refined(self, update: WindowUpdate) -> WindowUpdate:
        """What a window changed, and what refinement did since the one before."""
        changed = {*update.changed, *self._refined} - {*update.new}
        moved = {*update.moved, *self._along} - changed - {*update.new}
        self._refined, self._along = set(), set()
        return replace(update, changed=sorted(changed), moved=sorted(moved))

    def _grow(self, update: WindowUpdate, start: float, is_last: bool = False) -> Growth:
        aligned = time.perf_counter()
        update = self._with_refined(update)
        self._views += update.views
        self._seconds += update.seconds_inference
        keyframes = self._reconstructor.keyframes
        positions = sorted({*update.new, *update.changed})
        clouds = self._make_clouds(update, positions, is_last)
        views = [_view(at, keyframes[at], clouds.pop(at)) for at in positions]
        moved = self._moved(update)
        taken, self._waiting = self._waiting[: len(update.new)], self._waiting[len(update.new) :]
        now = time.perf_counter()
        # Of an engine that died on the way, the time that this took was spent waiting.
        worked = update.seconds_inference + update.seconds_align
        oldest, newest = taken[0].at if taken else start, taken[-1].at if taken else start
        return Growth(
            lane=self.index,
            update=update,
            views=views,
            keyframes=[replace(keyframe) for keyframe in keyframes],
            stages=StageTimes(
                decode=taken[-1].decode if taken else 0.0,
                select=taken[-1].select if taken else 0.0,
                fill=newest - oldest,
                wait=max(0.0, aligned - newest - worked),
                infer=update.seconds_inference,
                align=update.seconds_align,
                fuse=now - aligned,
            ),
            accepted=oldest,
            latencies=[now - chosen.at for chosen in taken],
            views_per_second=self._views / self._seconds if self._seconds else 0.0,
            peak_memory=self._engine.peak_memory,
            moved=moved,
            clouds=clouds,
        )

    def _make_clouds(
        self, update: WindowUpdate, positions: list[int], is_last: bool
    ) -> dict[int, PointCloud]:
        """Clouds of these keyframes, and of others that changed with them."""
        keyframes = self._reconstructor.keyframes
        if self._fusion is None:
            return {position: keyframe_cloud(keyframes[position]) for position in positions}
        if is_last:
            return self._fusion.finish(keyframes, positions)
        settled = len(keyframes) - self._overlap
        return self._fusion.update(keyframes, positions, update.moved, settled)

    def _moved(self, update: WindowUpdate) -> list[MovedKeyframe]:
        """What a closed loop moved, with how much longer its depths are than when last told."""
        before, keyframes = self._depths, self._reconstructor.keyframes
        self._depths = [float(keyframe.depth.mean(dtype=np.float64)) for keyframe in keyframes]
        return [
            MovedKeyframe(at, keyframes[at].world_from_camera, self._depths[at] / before[at])
            for at in update.moved
        ]


class _SteadyEngine:
    """An engine as a Reconstructor sees it, with the child behind it started anew on death."""

    def __init__(self, engine: Engine, warn: Callable[[str], None]) -> None:
        self._engine = engine
        self._warn = warn
        self.bundle: Bundle = engine.bundle

    def infer(self, images: NDArray[np.uint8]) -> Prediction:
        """As `Engine.infer`; raises EngineError when the last try failed, or after `close`."""
        for attempt in range(1, TRIES + 1):
            try:
                return self._engine.infer(images)
            except EngineError as error:
                if attempt == TRIES or self._engine.is_closed:
                    raise
                self._warn(f"{error}; it is started again ({attempt + 1} of {TRIES} tries)")
                self._engine.restart()
        raise AssertionError


def _view(position: int, keyframe: Keyframe, cloud: PointCloud) -> KeyframeView:
    return KeyframeView(
        position=position,
        frame=keyframe.index,
        cloud=cloud,
        world_from_camera=keyframe.world_from_camera,
        intrinsic=keyframe.intrinsic,
        depth=keyframe.depth,
        confidence=keyframe.confidence,
        image=keyframe.image,
    )
