"""A source through one or several models, live: the pipeline of the window and of the commands."""

from app.live.events import (
    Beginning,
    Growth,
    KeyframeView,
    Listener,
    MovedKeyframe,
    StageTimes,
    Subscriber,
)
from app.live.measure import latency_percentiles, resident_memory
from app.live.reader import WAITING_KEYFRAMES
from app.live.run import LiveRun, OpenSource

__all__ = [
    "WAITING_KEYFRAMES",
    "Beginning",
    "Growth",
    "KeyframeView",
    "Listener",
    "LiveRun",
    "MovedKeyframe",
    "OpenSource",
    "StageTimes",
    "Subscriber",
    "latency_percentiles",
    "resident_memory",
]
