"""What a command does on Ctrl-C, and when the camera goes away."""

import threading
from types import SimpleNamespace
from typing import Any, cast

import pytest

from app.live import Beginning, Growth, LiveRun
from app.live import terminal as module
from app.live.terminal import TerminalFollower


class Run:
    """Notes what is asked of it; Ctrl-C comes while it is waited for, so many times."""

    frames = 5

    def __init__(
        self, follower: TerminalFollower, is_live: bool, windows: int, presses: int
    ) -> None:
        self.calls: list[str] = []
        self.resumed = threading.Event()
        self._follower, self._is_live = follower, is_live
        self._windows, self._presses = windows, presses

    def start(self) -> None:
        self.calls.append("start")
        self._follower.began(Beginning((), None, self._is_live))
        for _ in range(self._windows):
            self._follower.grown(cast(Growth, SimpleNamespace(keyframes=[])))

    def join(self) -> None:
        self.calls.append("join")
        if self._presses:
            self._presses -= 1
            raise KeyboardInterrupt

    def stop(self) -> None:
        self.calls.append("stop")

    def abandon(self) -> None:
        self.calls.append("abandon")

    def resume(self) -> None:
        self.resumed.set()


def follow(**run: Any) -> tuple[list[str], bool]:
    """What was asked of the run, and whether KeyboardInterrupt was raised."""
    follower = TerminalFollower()
    fake = Run(follower, **run)
    try:
        follower.follow(cast(LiveRun, fake))
    except KeyboardInterrupt:
        return fake.calls, True
    return fake.calls, False


def test_a_run_that_nobody_ends() -> None:
    calls = ["start", "join", "abandon"]
    assert follow(is_live=True, windows=1, presses=0) == (calls, False)


def test_a_camera_is_finished_and_a_file_abandoned() -> None:
    calls = ["start", "join", "stop", "join", "abandon"]
    assert follow(is_live=True, windows=1, presses=1) == (calls, False)
    assert follow(is_live=False, windows=1, presses=1) == (["start", "join", "abandon"], True)


def test_a_camera_without_a_result_and_ctrl_c_once_more() -> None:
    calls = ["start", "join", "stop", "join", "abandon"]
    assert follow(is_live=True, windows=0, presses=1) == (calls, True)
    assert follow(is_live=True, windows=1, presses=2) == (calls, True)


def test_a_camera_that_went_away_is_tried_again(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(module, "REOPEN_INTERVAL", 0.0)
    follower = TerminalFollower()
    run = Run(follower, is_live=True, windows=0, presses=0)
    follower.follow(cast(LiveRun, run))
    for _ in range(2):
        run.resumed.clear()
        follower.interrupted("Front stalled")
        assert run.resumed.wait(10)
    follower.frame_ready()
    assert capsys.readouterr().err.splitlines() == [
        "Front stalled; trying to go on every second, Ctrl-C ends the capture",
        "the camera is back",
    ]
