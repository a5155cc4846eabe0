"""A run in the background, with sources that misbehave."""

from collections.abc import Iterator
from typing import Any

import pytest

from app.capture import Frame, SourceError
from app.ui.session import WAITING_KEYFRAMES
from tests.app.ui.waiting import wait


class Source:
    """`count` frames of the walk, to and fro; then `fault`. Live: frames without an end."""

    def __init__(
        self, room: Any, count: int = 8, is_live: bool = False, fault: Exception | None = None
    ) -> None:
        self.is_live = is_live
        self.length = None if is_live else count
        self._count = count
        self.closed = False
        self.given = 0
        self._room = room
        self._fault = fault

    def __iter__(self) -> Iterator[Frame]:
        while not self.closed:
            pose = self._room.walk()[7 - abs(7 - self.given % 14)]
            yield Frame(self.given, float(self.given), self._room.render(pose)[0], "frame")
            self.given += 1
            if self.given == self._count and self._fault:
                raise self._fault
            if self.given == self.length:
                return

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def use(driver: Any, room: Any) -> Any:
    """Makes the driver's next run read a Source with these settings."""

    def prepare(**settings: Any) -> Source:
        source = Source(room, **settings)
        driver.open_source = lambda spec, warn: source
        return source

    return prepare


def test_a_source_that_breaks_off_keeps_what_it_gave(driver: Any, use: Any) -> None:
    source = use(fault=SourceError("camera 0 stopped delivering images"))
    driver.run()
    assert "stopped delivering" in driver.window.failure
    assert len(driver.window.view.scene.scene.keyframes) >= 4
    assert source.closed
    assert driver.engines[0].closed


def test_an_unforeseen_fault_ends_the_run_with_a_message(
    driver: Any, use: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    use(fault=ZeroDivisionError("oops"))
    driver.run()
    assert driver.window.failure == "internal error: ZeroDivisionError: oops"
    assert "Traceback" in capfd.readouterr().err


def test_a_camera_goes_on_while_the_engine_is_busy(driver: Any, use: Any) -> None:
    source = use(is_live=True)
    engine = driver.start_and_hold()
    # A file would be read no further than the keyframes that may wait.
    while source.given < 10 * WAITING_KEYFRAMES:
        wait(10)
    _, decision = driver.window.runs.session.latest_frame()
    assert not decision.accepted
    assert decision.reason == "the engine is busy"
    driver.window.runs.stop()
    engine.go.set()
    driver.wait_for_end()
    assert driver.window.failure == ""
    assert 1 <= len(driver.window.view.scene.scene.keyframes) <= 2 * WAITING_KEYFRAMES
    assert source.closed


def test_a_file_waits_for_the_engine(driver: Any, use: Any) -> None:
    source = use(count=80)
    engine = driver.start_and_hold()
    wait(500)
    assert source.given < 80
    assert not driver.window.is_idle
    engine.go.set()
    driver.wait_for_end()
    assert driver.window.status.figure("keyframes") != "–"
    assert source.given == 80
