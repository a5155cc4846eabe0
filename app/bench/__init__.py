"""Measures a run: latency by stage, memory over time, and how long the window keeps one waiting."""

from app.bench.measurement import Measurement, Meter
from app.bench.played import PlayedSource

__all__ = ["Measurement", "Meter", "PlayedSource"]
