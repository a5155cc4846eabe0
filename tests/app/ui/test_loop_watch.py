"""The watch over an event loop: how late it is, and what in the window makes it so."""

import time
from pathlib import Path

import pytest
from PySide6.QtCore import QObject, QTimer
from PySide6.QtWidgets import QApplication

from app.bench import loop
from tests.app.ui.waiting import wait


def hold_up() -> None:
    time.sleep(0.15)


def test_it_says_what_holds_the_loop_up(qt: QApplication, monkeypatch: pytest.MonkeyPatch) -> None:
    # This file in place of the window's: tests/app/ui.
    monkeypatch.setattr(loop, "_APP", Path(__file__).parents[1])
    parent = QObject()
    watch = loop.LoopWatch(parent)
    watch.start()
    wait(30)
    QTimer.singleShot(0, hold_up)
    wait(250)
    watch.stop()
    assert max(watch.turns) > 0.14
    assert max(watch.work) < 0.1  # sleep is no work
    shares = watch.held_up_by()
    assert next(iter(shares)) == "app/ui/test_loop_watch.py hold_up"
    assert sum(shares.values()) == pytest.approx(1)
