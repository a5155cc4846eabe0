"""Processes of the app's own: how they are started, and how they ended."""

import os
import sys
from pathlib import Path

KILLED = 9
"""The signal that leaves no last words. Where memory runs out the system sends it."""


def child_command(name: str) -> list[str]:
    """What starts one of the programs that app/__main__.py knows."""
    # A frozen app is its own interpreter. With -P no `app` in the working folder comes first.
    python = [] if getattr(sys, "frozen", False) else ["-P", "-m", "app"]
    return [sys.executable, *python, name]


def child_environment() -> dict[str, str]:
    """This process's own, in which the child finds `app`, also when it is not installed."""
    before = os.environ.get("PYTHONPATH")
    paths = [str(Path(__file__).parents[1]), *([before] if before else [])]
    return os.environ | {"PYTHONPATH": os.pathsep.join(paths)}


def exit_words(code: int) -> str:
    """How a process ended that should not have."""
    if code == -KILLED:
        return f"signal {KILLED}: killed, perhaps for want of memory"
    return f"signal {-code}" if code < 0 else f"exit status {code}"
