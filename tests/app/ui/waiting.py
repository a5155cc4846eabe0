"""Waiting in an event loop that other threads can work beside."""

from collections.abc import Callable

from PySide6.QtCore import QEventLoop, QTimer


def wait(milliseconds: int) -> None:
    """As QTest.qWait, which however lets no other thread run Python meanwhile."""
    loop = QEventLoop()
    QTimer.singleShot(milliseconds, loop.quit)
    loop.exec()


def wait_until(is_so: Callable[[], bool], seconds: float = 10.0) -> None:
    """Wait until something is so. Raises AssertionError when it is not after some seconds."""
    for _ in range(round(100 * seconds)):
        if is_so():
            return
        wait(10)
    raise AssertionError(f"it did not happen within {seconds} seconds")
