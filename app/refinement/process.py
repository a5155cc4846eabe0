"""Refines in a child process: its memory, its faults and Python's lock are not those of the app."""

import contextlib
import queue
import subprocess
import tempfile
import threading
from collections.abc import Callable, Sequence
from typing import IO

from app.child import KILLED, child_command, child_environment, exit_words
from app.errors import AppError
from app.reconstruction.keyframe import Keyframe
from app.refinement.messages import Message, pack_keyframes, receive, send, unpack_refinement
from app.refinement.result import Refinement, kept

KEPT = "the network's result is kept"
CANCELLED = f"cancelled: {KEPT}"
"""How reasons of refinements that came to nothing end, and the one that the user gave."""

_POLL = 0.05
"""Seconds between two looks at whether it was cancelled."""


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
    ) -> tuple[Refinement, float] | None:
        """Refine keyframes and tell the seconds of processor time that it took; None: cancelled.

        source: where their frames can be read again; cancelled: asked a few times a second, after
        which the child is ended; progress: told the share that is done; warn: receives lines about
        what could not be read. Raises RefineError when the child dies.
        """
        content, arrays = pack_keyframes(keyframes)
        assert self._process.stdin is not None
        # A child that is gone shows up as an end of its answers.
        with contextlib.suppress(OSError, ValueError):
            send(self._process.stdin, content | {"source": source}, arrays)
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
                return unpack_refinement(keyframes, said, changed), seconds
        self.close()
        return None

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
        lines = self._log.read().decode("utf-8", "replace").strip().splitlines()
        return f"{text}: {lines[-1].strip()}" if lines and code != -KILLED else text


def refine_apart(
    keyframes: Sequence[Keyframe],
    source: str | None,
    *,
    cancelled: Callable[[], bool] = lambda: False,
    progress: Callable[[float], None] = lambda share: None,
    warn: Callable[[str], None] = lambda text: None,
    start: Callable[[], RefineProcess] = RefineProcess,
) -> tuple[Refinement, float]:
    """Refine keyframes in a child of its own, as `RefineProcess.refine` does.

    Whatever happens to it, and when it is cancelled, the network's result is kept; the reason says
    so.
    """
    process = None
    try:
        process = start()
        done = process.refine(keyframes, source, cancelled=cancelled, progress=progress, warn=warn)
        return done or (kept(keyframes, CANCELLED), 0.0)
    except RefineError as error:
        return kept(keyframes, f"{error}: {KEPT}"), 0.0
    finally:
        if process:
            process.close()
