"""The runtime in a thread of the tests' process: real programs, and no seconds for a child that
loads torch. What a process of its own is for, test_engine.py and test_live.py hold to the real one.
"""

import contextlib
import os
import subprocess
import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import TextIO

import pytest

from app.engine import program


class ThreadRuntime:
    """Stands for the subprocess.Popen that app.engine.process starts and talks to."""

    pid = None

    def __init__(self, command: list[str], **options: object) -> None:
        commands, self.stdin = _pipe()
        self.stdout, answers = _pipe()
        # Its name is among those that test_live.py looks for when nothing may be left.
        self._thread = threading.Thread(
            target=_serve, args=(commands, answers), name="runtime", daemon=True
        )
        self._thread.start()

    def kill(self) -> None:
        """It ends when its input does, after the window that it is at."""
        with contextlib.suppress(OSError):
            self.stdin.close()

    def wait(self) -> int:
        self._thread.join()
        return 1


def _pipe() -> tuple[TextIO, TextIO]:
    read, write = os.pipe()
    return os.fdopen(read, encoding="utf-8"), os.fdopen(write, "w", encoding="utf-8")


def _serve(commands: TextIO, answers: TextIO) -> None:
    with commands, answers:
        program._serve(commands, answers)


@contextlib.contextmanager
def runtime_in_a_thread() -> Iterator[None]:
    """Engines that are made meanwhile run in threads of this process."""
    from executorch.extension.pybindings import _C

    with pytest.MonkeyPatch.context() as patch:
        popen = SimpleNamespace(Popen=ThreadRuntime, PIPE=subprocess.PIPE)
        patch.setattr("app.engine.process.subprocess", popen)
        # For a child that hangs without a parent; here it would end the tests.
        nothing = SimpleNamespace(
            dump_traceback_later=lambda *_, **__: None, cancel_dump_traceback_later=lambda: None
        )
        patch.setattr(program, "faulthandler", nothing)
        # Both are settings of the whole process, which other tests run programs in, too.
        patch.setattr(program, "share_packed_weights", lambda libraries: True)
        patch.setattr(_C, "_unsafe_reset_threadpool", lambda threads: None)
        yield
