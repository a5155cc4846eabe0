"""What a run tells its listener."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from app.engine import Bundle
from app.errors import AppError
from app.reconstruction import Keyframe, PointCloud, WindowUpdate
from app.reconstruction.truth import Accuracy


@dataclass(frozen=True)
class Beginning:
    """Models and source are open.

    bundles: one a lane; length: frames of the source where known; is_live: a camera.
    """

    bundles: tuple[Bundle, ...]
    length: int | None
    is_live: bool

    @property
    def bundle(self) -> Bundle:
        """The bundle of the first lane."""
        return self.bundles[0]


@dataclass(frozen=True)
class StageTimes:
    """Seconds that a window of views took, by stage, one after the other.

    decode: to read its newest keyframe from the source; select: to choose it; fill: from the
    choice of its first new keyframe to that of its newest, which is up to the one who moves the
    camera; wait: in the queue; infer: the network; align: joining it to what is there; fuse:
    making the points.
    """

    decode: float
    select: float
    fill: float
    wait: float
    infer: float
    align: float
    fuse: float


@dataclass(frozen=True)
class KeyframeView:
    """A new or changed keyframe as it is now: points in its camera's frame, pose [4,4],
    intrinsic [3,3], depth [H,W], confidence [H,W], image [H,W,3]; frame: its index in the source.
    """

    position: int
    frame: int
    cloud: PointCloud
    world_from_camera: NDArray[np.float32]
    intrinsic: NDArray[np.float32]
    depth: NDArray[np.float32]
    confidence: NDArray[np.float32]
    image: NDArray[np.uint8]


class MovedKeyframe(NamedTuple):
    """An older keyframe that got another pose [4,4]; its depth was multiplied by the factor."""

    position: int
    world_from_camera: NDArray[np.float32]
    depth_factor: float


@dataclass(frozen=True)
class Growth:
    """What one window of views brought to a lane.

    views: keyframes that are new or changed; moved: older ones that only moved; clouds: the points
    that other older ones have now, at their present pose and scale, where those that they share
    with others are given to the one that sees them best;
    keyframes: copies of all so far, as they are now; accepted: when its first new keyframe was
    chosen (time.perf_counter); latencies: seconds from the choice of each new keyframe to now;
    views_per_second: of the network, over all windows so far; peak_memory: of the engine, bytes.
    """

    lane: int
    update: WindowUpdate
    views: list[KeyframeView]
    keyframes: list[Keyframe]
    stages: StageTimes
    accepted: float
    latencies: list[float]
    views_per_second: float
    peak_memory: int
    moved: list[MovedKeyframe] = field(default_factory=list)
    clouds: Mapping[int, PointCloud] = field(default_factory=dict)


class Listener(Protocol):
    """Whoever follows a run. Called from its threads, one call at a time from each."""

    def began(self, beginning: Beginning) -> None:
        """Source and models are open."""

    def frame_ready(self) -> None:
        """`latest_frame` is new; up to 30 times a second."""

    def grown(self, growth: Growth) -> None:
        """A window of views was joined to the reconstruction of a lane."""

    def interrupted(self, message: str) -> None:
        """The camera is gone and the run paused; `resume` tries to open it again."""

    def warned(self, message: str) -> None:
        """Something went wrong and the run goes on."""

    def assessed(self, lane: int, accuracy: Accuracy) -> None:
        """How far a lane is off the truth, where that is known."""

    def lane_failed(self, lane: int, error: AppError) -> None:
        """A lane cannot go on; the others do."""

    def failed(self, error: AppError) -> None:
        """The run cannot go on."""

    def ended(self) -> None:
        """Always the last call."""


class Subscriber:
    """A Listener that heeds nothing: a base for those that care about some of the calls."""

    def began(self, beginning: Beginning) -> None: ...

    def frame_ready(self) -> None: ...

    def grown(self, growth: Growth) -> None: ...

    def interrupted(self, message: str) -> None: ...

    def warned(self, message: str) -> None: ...

    def assessed(self, lane: int, accuracy: Accuracy) -> None: ...

    def lane_failed(self, lane: int, error: AppError) -> None: ...

    def failed(self, error: AppError) -> None: ...

    def ended(self) -> None: ...
