"""Figures of one run of a model over a source."""

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from app.engine import Bundle
from app.errors import AppError
from app.live import Growth, StageTimes, Subscriber, latency_percentiles, resident_memory
from app.reconstruction import Keyframe
from app.reconstruction.truth import Accuracy

MEMORY_INTERVAL = 0.5
"""Seconds between two looks at this process's memory."""


class MemoryLook(NamedTuple):
    """Resident size of this process, and how many keyframes there were, at a time in seconds."""

    seconds: float
    bytes: int
    keyframes: int


@dataclass
class Measurement:
    """What one model did with a source. Times in seconds, sizes in bytes.

    latency: from the choice of each keyframe to its points; stages: of each window of views;
    memory: of this process; keyframe_bytes: of a keyframe's picture, depth and confidence;
    refined: what refining the keyframes did, as RefinedRun.document has it; refined_accuracy: what
    came of it; loop: turns of the window's event loop; loop_work: of these, the processor time of
    its thread; idle_loop: turns of a loop with nothing to do in a process beside it; held_up_by:
    what the loop was in while it was late, as shares of that time.
    """

    bundle: Bundle
    frames: int = 0
    missed: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    keyframes: int = 0
    latency: list[float] = field(default_factory=list)
    stages: list[StageTimes] = field(default_factory=list)
    decode: list[float] = field(default_factory=list)
    views_per_second: float = 0.0
    peak_memory: int = 0
    base_memory: int = 0
    memory: list[MemoryLook] = field(default_factory=list)
    keyframe_bytes: int = 0
    accuracy: Accuracy | None = None
    refined: dict[str, Any] | None = None
    refined_accuracy: Accuracy | None = None
    warnings: list[str] = field(default_factory=list)
    failure: str = ""
    loop: list[float] = field(default_factory=list)
    loop_work: list[float] = field(default_factory=list)
    idle_loop: list[float] = field(default_factory=list)
    held_up_by: dict[str, float] = field(default_factory=dict)

    def stage_percentiles(self) -> dict[str, dict[str, float]]:
        """Percentiles of each stage by its name."""
        stages = {
            entry.name: latency_percentiles([getattr(times, entry.name) for times in self.stages])
            for entry in fields(StageTimes)
        }
        # Of a source that is played, the rest of the time was spent waiting for the next frame.
        return stages | {"decode": latency_percentiles(self.decode)}

    def as_dict(self) -> dict[str, Any]:
        """Everything, as JSON can hold it."""
        growth = memory_growth(self.memory)
        return {
            "bundle": str(self.bundle.path),
            "name": self.bundle.name,
            "precision": self.bundle.precision,
            "model_bytes": self.bundle.model_bytes,
            "frames": self.frames,
            "missed": self.missed,
            "refused": dict(self.refused),
            "keyframes": self.keyframes,
            "views_per_second": self.views_per_second,
            "latency_seconds": latency_percentiles(self.latency),
            "stage_seconds": self.stage_percentiles(),
            "engine_peak_bytes": self.peak_memory,
            "engine_base_bytes": self.base_memory,
            "memory": [look._asdict() for look in self.memory],
            "memory_mb_per_minute": growth.per_minute,
            "memory_mb_per_keyframe": growth.per_keyframe,
            "keyframe_bytes": self.keyframe_bytes,
            "accuracy": asdict(self.accuracy) if self.accuracy else None,
            "refinement": self.refined,
            "refined_accuracy": asdict(self.refined_accuracy) if self.refined_accuracy else None,
            "warnings": self.warnings,
            "failure": self.failure or None,
            "event_loop_seconds": loop_summary(self.loop),
            "event_loop_work_seconds": loop_summary(self.loop_work),
            "idle_event_loop_seconds": loop_summary(self.idle_loop),
            "held_up_by": self.held_up_by,
        }


class Meter(Subscriber):
    """Listens to a run and writes down what it measures; keyframes: what it came to."""

    def __init__(self, measurement: Measurement) -> None:
        self.result = measurement
        self.keyframes: Sequence[Keyframe] = ()
        self._start = time.perf_counter()

    def frame_ready(self) -> None:
        at = time.perf_counter() - self._start
        memory = self.result.memory
        if not memory or at - memory[-1].seconds >= MEMORY_INTERVAL:
            memory.append(MemoryLook(at, resident_memory(), self.result.keyframes))

    def grown(self, growth: Growth) -> None:
        self.note(growth, growth.latencies)

    def note(self, growth: Growth, latencies: Sequence[float]) -> None:
        """Take down a growth whose keyframes were so long on the way."""
        self.result.latency += latencies
        if growth.update.windows:
            self.result.stages.append(growth.stages)
        self.keyframes = growth.keyframes
        self.result.keyframes = len(self.keyframes)
        newest = growth.keyframes[-1]
        arrays = (newest.image, newest.depth, newest.confidence)
        self.result.keyframe_bytes = sum(array.nbytes for array in arrays)
        self.result.views_per_second = growth.views_per_second
        self.result.peak_memory = growth.peak_memory

    def assessed(self, lane: int, accuracy: Accuracy) -> None:
        self.result.accuracy = accuracy

    def warned(self, message: str) -> None:
        self.result.warnings.append(message)

    def failed(self, error: AppError) -> None:
        self.result.failure = str(error)


class MemoryGrowth(NamedTuple):
    """MB that a process grows in a minute, and with each keyframe; nan where it cannot be told."""

    per_minute: float
    per_keyframe: float


def memory_growth(memory: Sequence[MemoryLook]) -> MemoryGrowth:
    """How a process grew over the second half of a run."""
    later = memory[len(memory) // 2 :]
    if len(later) < 2:
        return MemoryGrowth(float("nan"), float("nan"))
    seconds, sizes, keyframes = np.array(later, np.float64).T
    return MemoryGrowth(_slope(seconds / 60, sizes / 1e6), _slope(keyframes, sizes / 1e6))


def _slope(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    """Of the line through points that is nearest to them."""
    return float(np.polyfit(x, y, 1)[0]) if np.ptp(x) > 0 else float("nan")


def loop_summary(turns: Sequence[float]) -> dict[str, float] | None:
    """Median, 99th percentile and longest of the turns of an event loop; None without any."""
    if not len(turns):
        return None
    middle, high = np.percentile(turns, [50, 99])
    return {"p50": float(middle), "p99": float(high), "max": float(np.max(turns))}
