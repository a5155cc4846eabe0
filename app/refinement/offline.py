"""Refines the keyframes of a run that is over, while a bar shows how far it is."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from tqdm import tqdm

from app.live.terminal import say, warn
from app.reconstruction import Keyframe
from app.refinement.process import CANCELLED, refine_apart
from app.refinement.result import Refinement, kept


@dataclass(frozen=True)
class RefinedRun:
    """seconds: of processor time that refinement took."""

    refinement: Refinement
    seconds: float

    @property
    def document(self) -> dict[str, Any]:
        """What was changed and why, for a file; errors in pixels, medians over all keyframes."""
        frames = self.refinement.frames
        return {
            "reason": self.refinement.reason,
            "share_changed": sum(frame.changed for frame in frames) / len(frames),
            "error_before": _median([frame.error_before for frame in frames]),
            "error_after": _median([frame.error_after for frame in frames]),
            "track_length": _median([frame.track_length for frame in frames]),
            "depth_changed": sum(frame.depth_changed for frame in frames),
            "seconds_per_keyframe": self.seconds / len(frames),
            "frames": [asdict(frame) for frame in frames],
        }


def refine_run(keyframes: Sequence[Keyframe], source: str | None) -> RefinedRun:
    """Refine all keyframes of a run, with a bar that shows how far it is.

    source: where their frames can be read again, at full resolution; where they cannot, the
    network's images serve. Ctrl-C, or a fault, keeps the network's result; the reason says so.
    """
    try:
        with _bar() as progress:
            return RefinedRun(*refine_apart(keyframes, source, progress=progress, warn=warn))
    except KeyboardInterrupt:
        refinement = kept(keyframes, CANCELLED)
        say(f"refinement {refinement.reason}")
        return RefinedRun(refinement, 0.0)


@contextmanager
def _bar() -> Iterator[Callable[[float], None]]:
    form = "refining: {percentage:3.0f} %|{bar}| {elapsed}<{remaining}"
    with tqdm(total=1.0, disable=None, leave=False, bar_format=form) as bar:

        def show(share: float) -> None:
            bar.update(share - bar.n)

        yield show


def _median(values: Sequence[float]) -> float:
    known = [value for value in values if not np.isnan(value)]
    return float(np.median(known)) if known else np.nan
