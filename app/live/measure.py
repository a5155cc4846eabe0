"""Figures of a run: percentiles of latency, resident memory."""

from collections.abc import Sequence

import numpy as np
import psutil

PERCENTILES = (50, 90, 99)


def latency_percentiles(seconds: Sequence[float]) -> dict[str, float]:
    """The 50th, 90th and 99th percentile as {"p50": ..}, in the unit given; nan of nothing."""
    values = np.percentile(seconds, PERCENTILES) if len(seconds) else [np.nan] * len(PERCENTILES)
    return {f"p{name}": float(value) for name, value in zip(PERCENTILES, values, strict=True)}


def resident_memory() -> int:
    """Resident size of this process now, in bytes."""
    return int(psutil.Process().memory_info().rss)
