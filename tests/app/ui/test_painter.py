"""The thread that draws, and what the window may do meanwhile."""

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication

from app.ui.painter import Painter
from app.ui.slices import SLICE_SECONDS, Slices
from tests.app.ui.waiting import wait


def until(done: Callable[[], object]) -> None:
    for _ in range(500):
        if done():
            return
        wait(10)
    raise AssertionError("it never came")


class Held:
    """A pass that goes on until it is let go."""

    def __init__(self, result: Any = None) -> None:
        self.let_go = threading.Event()
        self.threads: list[int] = []
        self.shown: list[Any] = []
        self.result = result

    def begin(self) -> tuple[Callable[[], Any], Callable[[Any], None]]:
        return self.work, self.shown.append

    def work(self) -> Any:
        self.threads.append(threading.get_ident())
        assert self.let_go.wait(5)
        if isinstance(self.result, Exception):
            raise self.result
        return self.result


def test_the_window_goes_on_while_a_pass_is_drawn(qt: QApplication) -> None:
    painter, held = Painter(), Held("picture")
    painter.request(held.begin)
    wait(20)
    assert held.shown == []
    held.let_go.set()
    until(lambda: held.shown)
    assert held.shown == ["picture"]
    assert held.threads != [threading.get_ident()]


def test_changes_wait_for_the_pass_and_keep_their_order(qt: QApplication) -> None:
    painter, held = Painter(), Held()
    changes: list[int] = []
    painter.change(lambda: changes.append(0))
    assert changes == [0], "nothing is being drawn"
    painter.request(held.begin)
    painter.change(lambda: changes.append(1))
    painter.change(lambda: changes.append(2))
    assert changes == [0]
    held.let_go.set()
    until(lambda: len(changes) == 3)
    assert changes == [0, 1, 2]


def test_many_changes_leave_turns_to_the_window(qt: QApplication) -> None:
    painter, held, done = Painter(), Held(), 0

    def change() -> None:
        nonlocal done
        time.sleep(SLICE_SECONDS)
        done += 1

    painter.request(held.begin)
    for _ in range(5):
        painter.change(change)
    seen: list[int] = []
    watch = QTimer(interval=0)
    watch.timeout.connect(lambda: seen.append(done))
    watch.start()
    held.let_go.set()
    until(lambda: done == 5)
    assert {1, 2, 3, 4} <= {*seen}
    painter.request(held.begin)
    painter.change(change)
    painter.finish()
    assert done == 6, "who waits for the pass has its changes, too"


def test_views_take_turns_in_one_thread(qt: QApplication) -> None:
    painter, first, second = Painter(), Held(), Held()
    painter.request(first.begin)
    for _ in range(3):
        painter.request(second.begin)
    second.let_go.set()
    wait(20)
    assert second.threads == []
    first.let_go.set()
    until(lambda: second.shown)
    wait(50)
    assert second.threads == first.threads, "asked for thrice, drawn once"


def test_drawing_at_once_waits_for_what_is_under_way(qt: QApplication) -> None:
    painter, first, second = Painter(), Held(), Held()
    painter.request(first.begin)
    threading.Timer(0.05, first.let_go.set).start()
    second.let_go.set()
    painter.draw(second.begin)
    assert len(first.shown) == len(second.shown) == 1


def test_a_fault_is_reported_and_does_not_end_drawing(
    qt: QApplication, caplog: pytest.LogCaptureFixture
) -> None:
    painter, bad, good = Painter(), Held(RuntimeError("device lost")), Held()
    bad.let_go.set()
    good.let_go.set()
    painter.request(bad.begin)
    until(lambda: caplog.text)
    assert "device lost" in caplog.text
    painter.request(good.begin)
    until(lambda: good.shown)
    assert bad.shown == []


def test_slices_keep_the_order_and_can_be_finished_at_once(qt: QApplication) -> None:
    slices, done = Slices(qt), list[int]()
    slices.add(*(lambda number=number: done.append(number) for number in range(3)))
    assert done == []
    until(lambda: len(done) == 3)
    slices.add(lambda: time.sleep(SLICE_SECONDS), lambda: done.append(3), lambda: done.append(4))
    slices.finish()
    assert done == [0, 1, 2, 3, 4]
