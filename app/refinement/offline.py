"""Refines the keyframes of a run that is over, with its frames read once more."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from app.capture import Frame, FrameSource, open_source
from app.errors import AppError
from app.live.terminal import say, warn
from app.reconstruction import Keyframe
from app.refinement.refine import refine
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
    network's images serve. Ctrl-C keeps the network's result, and says so.
    """
    start = time.process_time()
    try:
        with _bar() as progress, closing(_Frames(source)) as frames:
            refinement = refine(keyframes, frames.read, progress=progress)
    except KeyboardInterrupt:
        refinement = kept(keyframes, "cancelled: the network's result is kept")
        say(f"refinement {refinement.reason}")
    return RefinedRun(refinement, time.process_time() - start)


@contextmanager
def _bar() -> Iterator[Callable[[float], None]]:
    form = "refining: {percentage:3.0f} %|{bar}| {elapsed}<{remaining}"
    with tqdm(total=1.0, disable=None, leave=False, bar_format=form) as bar:

        def show(share: float) -> None:
            bar.update(share - bar.n)

        yield show


class _Frames:
    """The frames of keyframes that are asked for in their order."""

    def __init__(self, source: str | None) -> None:
        self._source: FrameSource | None = None
        self._frames: Iterator[Frame] = iter(())
        self._next: Frame | None = None
        if source is not None:
            try:
                self._source = open_source(source)
                self._frames = iter(self._source)
            except AppError as error:
                warn(f"{error}: refined with the network's images")
        self._advance()

    def read(self, keyframe: Keyframe) -> NDArray[np.uint8]:
        """The frame [h,w,3] of a keyframe; its image where the frame is not there any more."""
        while self._next is not None and self._next.index < keyframe.index:
            self._advance()
        found = self._next
        if found is None or (found.index, found.name) != (keyframe.index, keyframe.name):
            return keyframe.image
        return found.image

    def _advance(self) -> None:
        try:
            self._next = next(self._frames, None)
        except AppError as error:
            warn(f"{error}: the rest is refined with the network's images")
            self._next = None

    def close(self) -> None:
        if self._source:
            self._source.close()


def _median(values: Sequence[float]) -> float:
    known = [value for value in values if not np.isnan(value)]
    return float(np.median(known)) if known else np.nan
