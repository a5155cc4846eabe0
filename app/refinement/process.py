"""Refines in a child process: its memory, its faults and Python's lock are not those of the app."""

import contextlib
import queue
import subprocess
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from app.child import KILLED, child_command, child_environment, exit_words
from app.errors import AppError
from app.reconstruction.keyframe import Keyframe
from app.refinement.messages import Message, pack_keyframes, receive, send, unpack_refinement
from app.refinement.outcome import Refinement, kept, known_median

KEPT = ": the network's result is kept"
CANCELLED = f"cancelled{KEPT}"
"""How reasons of refinements that came to nothing end, and the one that the user gave."""

_TRACE = "@", "***", "PC:"

_POLL = 0.05
"""Seconds between two looks at whether it was cancelled."""


@dataclass(frozen=True)
class RefinedRun:
    """seconds: of processor time that refinement took."""

    refinement: Refinement
    seconds: float

    @property
    def changed(self) -> bool:
        """Whether anything is other than the network has it."""
        return any(frame.changed for frame in self.refinement.frames)

    @property
    def document(self) -> dict[str, Any]:
        """What was changed and why, for a file; errors in pixels, medians over all keyframes."""
        frames = self.refinement.frames
        return {
            "reason": self.refinement.reason,
            "share_changed": sum(frame.changed for frame in frames) / len(frames),
            "error_before": known_median([frame.error_before for frame in frames]),
            "error_after": known_median([frame.error_after for frame in frames]),
            "track_length": known_median([frame.track_length for frame in frames]),
            "depth_changed": sum(frame.depth_changed for frame in frames),
            "seconds_per_keyframe": self.seconds / len(frames),
            "frames": [asdict(frame) for frame in frames],
        }


class RefineError(AppError):
    """The child could not be started, or died."""


class RefineProcess:
    """One child. `refine` may be called again while it lives; `close` may come from any thread."""

    def __init__(self) -> None:
        """Start the child, and return before it is ready. Raises RefineError."""
        self._answers: queue.SimpleQueue[Message | None] = queue.SimpleQueue()
        # The last line of what it says there is our message.
        self._log: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115
        try:
            self._process = subprocess.Popen(
                child_command("refine-program"),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._log,
                env=child_environment(),
            )
        except OSError as error:
            self._log.close()
            raise RefineError(f"refinement cannot be started: {error.strerror or error}") from None
        threading.Thread(target=self._listen, name="refinement", daemon=True).start()

    @property
    def pid(self) -> int:
        """Process id of the child."""
        return self._process.pid

    def refine(
        self,
        keyframes: Sequence[Keyframe],
        source: str | None,
        *,
        cancelled: Callable[[], bool] = lambda: False,
        progress: Callable[[float], None] = lambda share: None,
        warn: Callable[[str], None] = lambda text: None,
    ) -> RefinedRun:
        """Refine keyframes.

        source: where their frames can be read again; cancelled: asked a few times a second, after
        which the child is ended and the network's result kept; progress: told the share that is
        done; warn: receives lines about what could not be read. Raises RefineError when
        the child dies.
        """
        content, arrays = pack_keyframes(keyframes)
        return self._ask(
            keyframes,
            (content | {"source": source}, arrays),
            cancelled=cancelled,
            progress=progress,
            warn=warn,
        )

    def refine_newest(
        self, keyframes: Sequence[Keyframe], frames: Mapping[int, NDArray[np.uint8]]
    ) -> RefinedRun:
        """Refine the newest keyframes of a capture, see `app.refinement.local`.

        frames: [h,w,3] in full, by index, of those that were not among them the last time. Raises
        RefineError when the child dies.
        """
        content, arrays = pack_keyframes(keyframes)
        images = {f"frame {index}": image for index, image in frames.items()}
        return self._ask(keyframes, (content | {"frames": [*frames]}, arrays | images))

    def _ask(
        self,
        keyframes: Sequence[Keyframe],
        request: Message,
        *,
        cancelled: Callable[[], bool] = lambda: False,
        progress: Callable[[float], None] = lambda share: None,
        warn: Callable[[str], None] = lambda text: None,
    ) -> RefinedRun:
        assert self._process.stdin is not None
        # A child that is gone shows up as an end of its answers.
        with contextlib.suppress(OSError, ValueError):
            send(self._process.stdin, *request)
        while not cancelled():
            try:
                answer = self._answers.get(timeout=_POLL)
            except queue.Empty:
                continue
            if answer is None:
                raise RefineError(self._last_words())
            said, changed = answer
            if "progress" in said:
                progress(said["progress"])
            elif "warning" in said:
                warn(said["warning"])
            elif "error" in said:
                raise RefineError(f"refinement failed: {said['error'].splitlines()[0]}")
            else:
                seconds = said.pop("seconds")
                return RefinedRun(unpack_refinement(keyframes, said, changed), seconds)
        self.close()
        return RefinedRun(kept(keyframes, CANCELLED), 0.0)

    def close(self) -> None:
        """End the child, whatever it is doing; may be called twice."""
        self._process.kill()
        self._process.wait()
        if self._process.stdin:
            with contextlib.suppress(OSError):
                self._process.stdin.close()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as answers:
            while (answer := receive(answers)) is not None:
                self._answers.put(answer)
        self._answers.put(None)

    def _last_words(self) -> str:
        code = self._process.wait()
        text = f"refinement ended unexpectedly ({exit_words(code)})"
        self._log.seek(0)
        lines = [line.strip() for line in self._log.read().decode("utf-8", "replace").splitlines()]
        # pycolmap's own account of a crash ends with addresses.
        words = [line for line in lines if line and not line.startswith(_TRACE)]
        return f"{text}: {words[-1]}" if words and code != -KILLED else text


def refine_apart(
    keyframes: Sequence[Keyframe],
    source: str | None,
    *,
    cancelled: Callable[[], bool] = lambda: False,
    progress: Callable[[float], None] = lambda share: None,
    warn: Callable[[str], None] = lambda text: None,
    start: Callable[[], RefineProcess] = RefineProcess,
) -> RefinedRun:
    """Refine keyframes in a child of its own, as `RefineProcess.refine` does.

    Whatever happens to it, and when it is cancelled, the network's result is kept; the reason says
    so.
    """
    process = None
    try:
        process = start()
        return process.refine(keyframes, source, cancelled=cancelled, progress=progress, warn=warn)
    except RefineError as error:
        return RefinedRun(kept(keyframes, f"{error}{KEPT}"), 0.0)
    finally:
        if process:
            process.close()
