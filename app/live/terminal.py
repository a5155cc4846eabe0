"""Follows a run from a command line: how far it is, cameras that go away, Ctrl-C."""

import sys
import threading

from tqdm import tqdm

from app.errors import AppError
from app.live.events import Beginning, Growth, Subscriber
from app.live.run import LiveRun

REOPEN_INTERVAL = 1.0
"""Seconds between the tries to open a camera that went away."""


class TerminalFollower(Subscriber):
    """Shows how a run goes on; a base for those that keep what it brings.

    is_live: the source is a camera; failure: what ended the run early, if anything did.
    """

    def __init__(self) -> None:
        self.is_live = False
        self.failure: AppError | None = None
        self._run: LiveRun | None = None
        self._has_grown = False
        self._bar = tqdm(unit=" frames", disable=None, leave=False)
        self._gone = ""

    def follow(self, run: LiveRun) -> None:
        """Start a run and wait for its end.

        Ctrl-C is the ordinary end of a camera, whose pictures cannot be had again: what was
        captured is still worked on. Of a file, once more, or before there is anything, it abandons
        the run and is raised as KeyboardInterrupt.
        """
        self._run = run
        run.start()
        try:
            run.join()
        except KeyboardInterrupt:
            if not self.is_live:
                raise
            say("stopping: what was captured is written; Ctrl-C once more writes nothing")
            run.stop()
            run.join()
            if not self._has_grown:
                raise
        finally:
            run.abandon()
            self._bar.close()

    def began(self, beginning: Beginning) -> None:
        self.is_live = beginning.is_live
        self._bar.reset(total=beginning.length)

    def frame_ready(self) -> None:
        if self._gone:
            say("the camera is back")
            self._gone = ""
        if self._run:
            self._bar.update(self._run.frames - self._bar.n)

    def grown(self, growth: Growth) -> None:
        self._has_grown = True
        self._bar.set_postfix_str(f"{len(growth.keyframes)} keyframes")

    def interrupted(self, message: str) -> None:
        if not self._gone:
            say(f"{message}; trying to go on every second, Ctrl-C ends the capture")
        self._gone = message
        if self._run:
            again = threading.Timer(REOPEN_INTERVAL, self._run.resume)
            again.daemon = True
            again.start()

    def warned(self, message: str) -> None:
        warn(message)

    def failed(self, error: AppError) -> None:
        self.failure = error


def say(text: str) -> None:
    """Write a line above the bars."""
    tqdm.write(text, file=sys.stderr)


def warn(text: str) -> None:
    """Say a warning."""
    say(f"warning: {text}")
