"""A session as a source of frames, with the keyframes that it was recorded with."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from app.capture import (
    Decision,
    Frame,
    FrameSource,
    KeyframeSelector,
    SourceError,
    default_selector,
)
from app.reconstruction.keyframe import Keyframe
from app.sessions.reader import Session, SessionError

# Between the end of one capture and the beginning of the next (seconds).
_PAUSE = 1.0
# Grey levels that a JPEG may change on average.
_LOSS = 8.0


class SessionSource:
    """The frames of a session in their order."""

    is_live = False

    def __init__(self, session: Session, warn: Callable[[str], None] = lambda text: None) -> None:
        """warn: receives a line about each thing that is lost."""
        self.session = session
        self.length: int | None = len(session.frames)
        self._warn = warn
        self._closed = False
        for line in session.lost:
            warn(f"{session.folder}: {line}")

    def __iter__(self) -> Iterator[Frame]:
        """Raises SourceError when not one frame can be read."""
        readable = 0
        for recorded in self.session.frames:
            if self._closed:
                return
            try:
                image = self.session.read_image(recorded)
            except SessionError as error:
                self._warn(f"{error}: skipped")
                continue
            readable += 1
            yield Frame(recorded.index, recorded.time, image, recorded.name)
        if not readable:
            raise SourceError(f"{self.session.folder} holds no frame that can be read")

    def reopen(self) -> None:
        """Nothing ever interrupts a session."""

    def close(self) -> None:
        self._closed = True

    def make_selector(self, every: int = 1) -> KeyframeSelector:
        """A selector that repeats what was decided; with `every` above 1, one that decides anew."""
        if every > 1:
            return KeyframeSelector(every=every)
        return _RecordedSelector(self.session)


class ContinuedSource:
    """The frames of a session, then those of a source that goes on with it.

    With it a capture is resumed: what was recorded is worked through once more, then the source
    is. Only then it is live, if the source is.
    """

    def __init__(
        self, session: Session, source: FrameSource, warn: Callable[[str], None] = lambda text: None
    ) -> None:
        """Closes `source` when it is closed itself."""
        self.is_live = False
        self._recorded = SessionSource(session, warn)
        self._source = source
        self._continuation = Continuation(session)
        self._replayed = False
        known = self._recorded.length
        self.length = None if source.length is None or known is None else known + source.length

    def __iter__(self) -> Iterator[Frame]:
        session = self._recorded.session
        if session.frames and not self._replayed:
            yield from self._recorded
        self._replayed = True
        self.is_live = self._source.is_live
        for frame in self._source:
            if (placed := self._continuation.place(frame)) is not None:
                yield placed

    def reopen(self) -> None:
        """Raises SourceError while the device is still gone."""
        self._source.reopen()

    def close(self) -> None:
        self._recorded.close()
        self._source.close()

    def make_selector(self, every: int = 1) -> KeyframeSelector:
        """Repeats what was decided on recorded frames, then decides on new ones."""
        return _RecordedSelector(self._recorded.session, default_selector(self._source, every))


class _RecordedSelector(KeyframeSelector):
    """Decides as the session did; on frames that it does not know, `after` decides."""

    def __init__(self, session: Session, after: KeyframeSelector | None = None) -> None:
        super().__init__()
        self._decisions = {frame.index: frame.decision for frame in session.frames}
        self._after = after

    def consider(self, frame: Frame) -> Decision:
        decision = self._decisions.get(frame.index)
        if decision is None and self._after:
            return self._after.consider(frame)
        return decision or Decision(False, "not in the session")


class Continuation:
    """Puts the frames of a source behind those of a session.

    A source that begins with a frame that the session has is the same one read again: its frames
    keep their places. Another one begins after the last frame.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._last = session.frames[-1] if session.frames else None
        self._shift: tuple[int, float] | None = None

    def place(self, frame: Frame) -> Frame | None:
        """The frame with its index and time in the session; None if the session has it."""
        if self._shift is None:
            self._shift = self._find_shift(frame)
        index, time = self._shift
        placed = replace(frame, index=frame.index + index, time=frame.time + time)
        return placed if self._last is None or placed.index > self._last.index else None

    def place_keyframe(self, keyframe: Keyframe) -> Keyframe:
        """A keyframe made of a frame that was placed, with index and time as in the session."""
        index, time = self._shift or (0, 0.0)
        return replace(keyframe, index=keyframe.index + index, time=keyframe.time + time)

    def _find_shift(self, frame: Frame) -> tuple[int, float]:
        last = self._last
        if last is None or frame.index > last.index or self._has(frame):
            return 0, 0.0
        return last.index + 1 - frame.index, last.time + _PAUSE - frame.time

    def _has(self, frame: Frame) -> bool:
        ours = (frame.index, frame.time, frame.name)
        for known in self._session.frames:
            if (known.index, known.time, known.name) == ours:
                return _alike(self._session.read_image(known), frame.image)
        return False


def _alike(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> bool:
    """Whether two images are the same but for the losses of a JPEG."""
    if first.shape != second.shape:
        return False
    return float(np.abs(first.astype(np.int16) - second).mean()) < _LOSS
