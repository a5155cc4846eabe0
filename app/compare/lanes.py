"""One side of a comparison: a model, what it reconstructed, and what that took."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field

import numpy as np
from numpy.typing import NDArray

from app.compare.energy import EnergyMeter
from app.engine import Bundle, Engine, Prediction
from app.live import Growth, latency_percentiles
from app.reconstruction import Keyframe
from app.refinement.process import RefinedRun

STAGES = ("decode", "select", "infer", "align", "fuse")
"""Stages whose time is a lane's own or shared alike; waiting also holds the other lane's turns."""


@dataclass(frozen=True)
class Model:
    """What a bundle's manifest says. size: (H, W) of its image."""

    name: str
    precision: str
    bytes: int
    sha256: str
    size: tuple[int, int]

    @classmethod
    def of(cls, bundle: Bundle) -> Model:
        """The model of an open bundle."""
        return cls(bundle.name, bundle.precision, bundle.model_bytes, bundle.sha256, bundle.size)


@dataclass(frozen=True)
class WindowTimes:
    """One answer of a lane: views that the network saw, windows, and seconds by stage."""

    views: int
    windows: int
    seconds: dict[str, float]


@dataclass
class Lane:
    """A model's result. model: None where it is not known; is_recorded: read from a session, so
    that nothing was measured; failure: why it ended early, "" if it did not; memory: peak bytes of
    the runtime's process; base_memory: the part that was there before the model; joules: of each
    inference; refinement: of the keyframes, where they are not as the network has them.
    """

    title: str
    model: Model | None
    keyframes: list[Keyframe] = field(default_factory=list)
    times: list[WindowTimes] = field(default_factory=list)
    memory: int = 0
    base_memory: int = 0
    joules: list[tuple[int, float]] = field(default_factory=list)
    failure: str = ""
    is_recorded: bool = False
    refinement: RefinedRun | None = None

    def add(self, growth: Growth) -> None:
        """Take over what a window of views brought."""
        self.keyframes = growth.keyframes
        self.memory = growth.peak_memory
        if not growth.update.windows:
            return
        stages = {name: float(value) for name, value in asdict(growth.stages).items()}
        self.times.append(WindowTimes(growth.update.views, growth.update.windows, stages))

    def figures(self) -> Figures:
        """What it took, without the first window."""
        return _figures(self)


@dataclass(frozen=True)
class Figures:
    """What a lane took; None where it was not measured or the system does not tell.

    first_window: seconds of the network for its first window, which also warms it up and counts
    nowhere else; window: {"p50": ..} seconds of the network for one window; stages: median seconds
    a window; joules_per_view: of the whole processor while the network ran.
    """

    windows: int
    first_window: float | None
    window: dict[str, float] | None
    stages: dict[str, float] | None
    views_per_second: float | None
    memory: int | None
    base_memory: int | None
    model_bytes: int | None
    joules_per_view: float | None

    def window_at(self, percentile: str) -> float | None:
        """Seconds of the network for one window: "p50", "p90" or "p99"."""
        return self.window[percentile] if self.window else None


class MeasuredEngine(Engine):
    """An Engine that also notes the energy of each inference, where the system tells it."""

    meter = EnergyMeter()

    def __init__(self, bundle: Bundle, threads: int | None = None) -> None:
        """joules: views and joules of each inference so far."""
        super().__init__(bundle, threads)
        self.joules: list[tuple[int, float]] = []

    def infer(self, images: NDArray[np.uint8]) -> Prediction:
        before = self.meter.read()
        prediction = super().infer(images)
        joules = self.meter.joules(before, self.meter.read())
        if joules is not None:
            self.joules.append((len(images), joules))
        return prediction


def lane_titles(models: Sequence[Model | None]) -> list[str]:
    """What to call the lanes: by precision in words, and by letter where these are equal."""
    words = [precision_words(model.precision) if model else "recorded" for model in models]
    if len(set(words)) == len(words):
        return words
    return [f"{chr(65 + place)}: {word}" for place, word in enumerate(words)]


def precision_words(precision: str) -> str:
    """ "8da4w-g32" is 4 bit, "fp32" full precision; others by their own name."""
    if "4w" in precision:
        return "4 bit"
    return "full precision" if precision == "fp32" else precision


def ratio(value: float | None, reference: float | None) -> float | None:
    """value / reference where both are known."""
    return value / reference if value is not None and reference else None


def _figures(lane: Lane) -> Figures:
    full = max((entry.views for entry in lane.times), default=0)
    later = lane.times[1:]
    # The last windows may be smaller: what they take says nothing about the others.
    whole = [entry for entry in later if entry.views == full and entry.windows == 1] or later
    seconds = [entry.seconds["infer"] for entry in whole]
    spent = sum(seconds)
    joules = lane.joules[1:]
    return Figures(
        windows=sum(entry.windows for entry in lane.times),
        first_window=lane.times[0].seconds["infer"] if lane.times else None,
        window=latency_percentiles(seconds) if seconds else None,
        stages={name: float(np.median([entry.seconds[name] for entry in whole])) for name in STAGES}
        if whole
        else None,
        views_per_second=sum(entry.views for entry in whole) / spent if spent > 0 else None,
        memory=lane.memory or None,
        base_memory=lane.base_memory or None,
        model_bytes=lane.model.bytes if lane.model else None,
        joules_per_view=sum(j for _, j in joules) / sum(v for v, _ in joules) if joules else None,
    )
