"""Refine in the window: what is shown, exported and said, whatever happens to the process."""

from __future__ import annotations

import math
import os
import signal
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from app.geometry import PoseErrors
from app.reconstruction import Keyframe
from app.reconstruction.truth import Accuracy
from app.refinement.outcome import FrameReport, Refinement
from app.refinement.process import CANCELLED, RefinedRun, RefineError, RefineProcess, kept
from app.ui.window import MainWindow
from tests.app.ui.waiting import wait_until

SHIFT = 0.25


class Process:
    """Moves all cameras but the first to the side and halves their depth, once it may go on."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.go.set()
        self.began = threading.Event()
        self.closed = False
        self.fault = ""
        self.source: str | None = ""

    def refine(
        self,
        keyframes: Sequence[Keyframe],
        source: str | None,
        *,
        cancelled: Callable[[], bool],
        progress: Callable[[float], None],
        warn: Callable[[str], None],
    ) -> RefinedRun:
        self.source = source
        progress(0.4)
        self.began.set()
        while not self.go.wait(0.01):
            if cancelled():
                return RefinedRun(kept(keyframes, CANCELLED), 0.0)
        if self.fault:
            raise RefineError(self.fault)
        first, *rest = keyframes
        moved = [
            replace(k, extrinsic=k.extrinsic + [[0, 0, 0, SHIFT]] * 3, depth=k.depth / 2)
            for k in rest
        ]
        frames = [
            FrameReport(True, "geometry explains its matches", 50, 2.5, 0.4) for _ in keyframes
        ]
        return RefinedRun(
            Refinement([first, *moved], frames, f"{len(frames)} of 8 frames changed"), 4
        )

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def process() -> Process:
    return Process()


@pytest.fixture
def window(driver: Any, process: Process) -> MainWindow:
    window: MainWindow = driver.window
    window.refinement.refining._start = lambda: process  # type: ignore[assignment, return-value]
    return window


def refine(window: MainWindow) -> None:
    """Press Refine and wait until what came of it is shown."""
    window.view.refine.click()
    wait_until(lambda: not window.refinement.is_busy)
    window.display.finish_growth()


def centres(window: MainWindow) -> NDArray[np.float64]:
    return window.view.scene.scene.centers()


def version(window: MainWindow, name: str) -> None:
    (action,) = (a for a in window.view.bar.versions.actions() if a.data() == name)
    assert action.isEnabled()
    action.trigger()
    window.display.finish_growth()


def message(window: MainWindow) -> str:
    return window.view.banner._text.text() if window.view.banner.isVisible() else ""


def test_refine_waits_for_keyframes_that_rest(window: MainWindow, driver: Any) -> None:
    button, entry = window.view.refine, window.actions_["refine"]
    assert not button.isEnabled()
    engine = driver.start_and_hold()
    assert not entry.isEnabled()
    engine.go.set()
    driver.wait_for_end()
    assert button.isEnabled()
    assert entry.isEnabled()
    assert not any(action.isEnabled() for action in window.view.bar.versions.actions())


def test_what_is_refined_is_shown_and_the_network_s_comes_back(
    window: MainWindow, driver: Any, process: Process, walk: Path
) -> None:
    driver.run()
    network, count = centres(window), window.view.scene.scene.point_count
    depth = window.runs.keyframes[3].depth
    refine(window)
    assert process.source == str(walk)
    assert process.closed
    assert window.status._state.text() == "Refined: 8 of 8 cameras, 2.5 → 0.4 px off"
    assert not window.view.refine.isEnabled()
    refined = centres(window)
    np.testing.assert_allclose(
        np.linalg.norm(refined[1:] - network[1:], axis=1), SHIFT * 3**0.5, rtol=1e-5
    )
    scene = window.view.scene.scene
    for shown in (scene.keyframes[3].depth, window.display.depth_view._entries[3].depth):
        np.testing.assert_array_equal(shown, depth / 2)

    version(window, "both")
    np.testing.assert_array_equal(centres(window), refined)
    np.testing.assert_array_equal(
        [k.world_from_camera[:3, 3] for k in scene.others.values()], network
    )
    assert window.view.legend.isVisible()

    version(window, "network")
    np.testing.assert_array_equal(centres(window), network)
    assert window.view.scene.scene.point_count == count
    assert window.display.depth_view._entries[3].depth is depth
    assert not window.view.legend.isVisible()
    assert not scene.others


def test_errors_are_those_of_the_version_that_is_shown(
    window: MainWindow, driver: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Truth:
        def compare(self, keyframes: Sequence[Keyframe]) -> Accuracy:
            moved = keyframes is not window.runs.keyframes
            return Accuracy(PoseErrors(0.5 if moved else 7.0, math.nan, math.nan), None)

    monkeypatch.setattr("app.ui.refining.find_truth", lambda source: Truth())
    driver.run()
    window.display.show_accuracy(Truth().compare(window.runs.keyframes))
    refine(window)
    note = window.view._note
    assert "rotation 0.5°" in note.text()
    version(window, "network")
    assert "rotation 7.0°" in note.text()
    version(window, "both")
    assert "rotation 0.5°" in note.text()


def test_an_export_is_of_what_is_shown_and_says_so(
    window: MainWindow, driver: Any, tmp_path: Path
) -> None:
    driver.run()
    refine(window)
    for name, refine_line, moved in (("refined", "full", True), ("network", "none", False)):
        version(window, name)
        done: list[str] = []
        window.exporter.ended.connect(done.append)
        window.export("npz", tmp_path / f"{name}.npz")
        wait_until(lambda done=done: bool(done))  # type: ignore[misc]
        assert done == [""]
        with np.load(tmp_path / f"{name}.npz") as file:
            comments = "\n".join(file["comments"])
            first, second = file["extrinsic"][:2], window.runs.keyframes
        assert f"refine {refine_line}," in comments
        assert ("refinement: 8 of 8 frames changed" in comments) is moved
        assert ("--refine full" in comments) is moved
        assert bool(np.abs(first[1] - second[1].extrinsic).max() > 0.1) is moved


def test_a_report_tells_what_was_refined(window: MainWindow, driver: Any, tmp_path: Path) -> None:
    entry, page = window.actions_["refinement_report"], tmp_path / "refinement.html"
    driver.run()
    assert not entry.isEnabled()
    refine(window)
    assert entry.isEnabled()
    window.refinement.write_report(page, window.runs.origin("full"))
    assert window.status._state.text() == f"Report written: {page}"
    assert "8 of 8 (100 %)" in page.read_text()
    assert "--refine full" in page.read_text()
    window.refinement.write_report(tmp_path / "gone" / "x.html", "")
    assert "could not be written: No such file or directory" in message(window)


def test_a_run_may_refine_its_newest_keyframes(
    window: MainWindow, driver: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked: list[bool] = []

    class Refiner:
        def __init__(self, warn: Callable[[str], None]) -> None:
            asked.append(True)

        def add(self, frame: object) -> None: ...

        def offer(self, keyframes: object) -> None: ...

        def take(self, timeout: float = 0.0) -> list[object]:
            return []

        def close(self) -> None: ...

    monkeypatch.setattr("app.live.run.NewestRefiner", Refiner)
    driver.run()
    assert not asked
    assert window.view.scene.selection(window.runs.keyframes).refine == "none"
    window.actions_["refine_newest"].trigger()
    driver.run()
    assert asked == [True]
    assert "--refine local" in window.runs.origin("local")
    refine(window)
    for name, words in (("refined", "full"), ("network", "local")):
        version(window, name)
        assert window.view.scene.selection(window.runs.keyframes).refine == words


def test_hidden_keyframes_stay_hidden_and_give_their_space_in_either_version(
    window: MainWindow, driver: Any
) -> None:
    driver.run()
    refine(window)
    window.view.scene.set_visible(2, False)
    version(window, "network")
    assert window.view.scene.scene.shown_positions == [0, 1, 3, 4, 5, 6, 7]
    assert window.sharing._shares is not None
    assert window.sharing._shares._keyframes is window.runs.keyframes
    version(window, "refined")
    assert window.sharing._shares._keyframes is not window.runs.keyframes


def test_cancelling_keeps_the_network_s_result(
    window: MainWindow, driver: Any, process: Process
) -> None:
    driver.run()
    network = centres(window)
    process.go.clear()
    window.refine()
    wait_until(lambda: "40 %" in window.status._state.text())
    assert window.status._state.text() == "Refining: 40 %"
    assert window.status._cancel.isVisible()
    assert not window.actions_["refine"].isEnabled()
    window.status._cancel.click()
    wait_until(lambda: not window.refinement.is_busy)
    assert message(window) == "Cancelled: the network's result is kept."
    assert window.status._state.text() == "Not refined"
    assert not window.status._cancel.isVisible()
    assert window.actions_["refine"].isEnabled()
    np.testing.assert_array_equal(centres(window), network)


@pytest.mark.parametrize(
    "fault",
    [
        "refinement failed: out of memory",
        "refinement ended unexpectedly (signal 11)",
    ],
)
def test_a_fault_keeps_the_network_s_result(
    window: MainWindow, driver: Any, process: Process, fault: str
) -> None:
    driver.run()
    network = centres(window)
    process.fault = fault
    refine(window)
    assert message(window) == f"{fault[0].upper()}{fault[1:]}: the network's result is kept."
    np.testing.assert_array_equal(centres(window), network)
    assert not window.refinement.versions.can_switch


def test_a_process_that_is_killed_is_one_german_line(
    german: None, window: MainWindow, driver: Any
) -> None:
    def killed_at_once() -> RefineProcess:
        process = RefineProcess()
        os.kill(process.pid, signal.SIGKILL)
        return process

    driver.run()
    window.refinement.refining._start = killed_at_once
    refine(window)
    assert message(window) == (
        "Das Verfeinern endete unerwartet (Signal 9: beendet, vielleicht aus Mangel an Speicher): "
        "das Ergebnis des Netzes bleibt."
    )


def test_a_run_that_goes_on_drops_what_was_refined(window: MainWindow, driver: Any) -> None:
    driver.run()
    refine(window)
    assert window.refinement.versions.can_switch
    window.runs.growing.emit()
    window.display.finish_growth()
    assert not window.refinement.versions.can_switch
    assert window.view.scene.scene.refine == "none"
    expected = [k.world_from_camera[:3, 3] for k in window.runs.keyframes]
    np.testing.assert_allclose(centres(window), expected, atol=1e-6)


def test_keyframes_that_still_come_are_refined_too(
    window: MainWindow, driver: Any, process: Process
) -> None:
    driver.run()
    process.go.clear()
    window.refine()
    wait_until(process.began.is_set)
    process.began.clear()
    window.refinement.make_room()
    window.refinement.go_on(window.runs.keyframes, paused=True)
    wait_until(process.began.is_set)
    process.go.set()
    wait_until(lambda: window.refinement.versions.can_switch)


def test_another_run_begins_without_the_old_refinement(window: MainWindow, driver: Any) -> None:
    driver.run()
    refine(window)
    version(window, "both")
    driver.run()
    assert not window.refinement.versions.can_switch
    assert not window.view.legend.isVisible()
    assert not window.view.scene.scene.others
    assert window.view.refine.isEnabled()


def test_closing_the_window_ends_the_process(
    window: MainWindow, driver: Any, process: Process
) -> None:
    driver.run()
    process.go.clear()
    window.refine()
    wait_until(process.began.is_set)
    window.close()
    assert process.closed
