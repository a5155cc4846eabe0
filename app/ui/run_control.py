"""Starts, holds and ends runs, one at a time, and shows what they bring."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from app.arguments import program
from app.capture import SourceError
from app.compare import Lane, MeasuredEngine, Model
from app.engine import Engine
from app.errors import AppError
from app.live import OpenSource
from app.reconstruction import Keyframe
from app.ui import hints
from app.ui.choices import Choice
from app.ui.controls import State
from app.ui.faults import fault_line
from app.ui.reasons import reason_words
from app.ui.run_display import RunDisplay
from app.ui.scene import SceneKeyframe
from app.ui.session import Beginning, Growth, Session
from app.ui.texts import number, sentence, tr


@dataclass(frozen=True)
class Order:
    """What to run. other: a second model on the same frames; recorded: what a recording holds, to
    compare with instead; record_to: folder of a new recording; refine_newest: refine beside the
    run, where nothing is compared.
    """

    source: Choice
    model: Choice
    views: int
    overlap: int
    open_source: OpenSource
    record_to: Path | None = None
    other: Choice | None = None
    recorded: Lane | None = None
    refine_newest: bool = False

    @property
    def compares(self) -> bool:
        """Whether two reconstructions are shown side by side."""
        return self.other is not None or self.recorded is not None

    @property
    def refine(self) -> str:
        """How what comes of it is refined, as the option of that name."""
        return "local" if self.refine_newest and not self.compares else "none"

    def command(self, refine: str = "none") -> list[str]:
        """The command line that does the same into a folder DIR; refine: as its option."""
        windows = ["--views", str(self.views), "--overlap", str(self.overlap), "--out", "DIR"]
        app = program()
        if not self.compares:
            windows += ["--refine", refine] if refine != "none" else []
            return [*app, "reconstruct", self.source.value, "--bundle", self.model.value, *windows]
        bundles = [choice.value for choice in (self.model, self.other) if choice]
        return [*app, "compare", self.source.value, "--bundles", *bundles, *windows]


class RunControl(QObject):
    """`entered` tells a new state in words, `growing` that keyframes are about to come or change,
    `grown` that there are more points, `ended` the end: `failure` says what went wrong, if anything
    did.
    """

    entered = Signal(str)
    growing = Signal()
    grown = Signal()
    ended = Signal()

    def __init__(
        self, display: RunDisplay, start_engine: Callable[..., Engine], parent: QObject
    ) -> None:
        super().__init__(parent)
        self.state = State.IDLE
        self.failure = ""
        self.source: str | None = None
        """Where the frames of the scene can be read again, if they can."""
        self.growth: Growth | None = None
        """The last one of the first model."""
        self.keyframes: Sequence[Keyframe] = []
        self.session: Session | None = None
        self._display = display
        display.growth_shown.connect(self.grown)
        self._start_engine = start_engine
        self._order: Order | None = None
        self._started = 0.0

    def start(self, order: Order) -> None:
        """Run into an empty scene."""
        self._order = order
        self.failure = ""
        self.growth, self.keyframes = None, []
        self.source = str(order.record_to) if order.record_to else order.source.value
        self._display.clear()
        self._display.view.scene.scene.refine = order.refine
        self._started = time.perf_counter()
        engine = self._start_engine
        session = Session(
            order.source.value,
            Path(order.model.value),
            MeasuredEngine if order.compares and engine is Engine else engine,
            self,
            more_bundles=(Path(order.other.value),) if order.other else (),
            open_source=order.open_source,
            views=order.views,
            overlap=order.overlap,
            record_to=order.record_to,
            refine_newest=order.refine == "local",
        )
        session.began.connect(self._on_began)
        session.frame_ready.connect(self._on_frame)
        session.grown.connect(self._on_grown)
        session.assessed.connect(self._display.show_accuracy)
        session.warned.connect(lambda text: self._display.show_message(fault_line(text)))
        session.interrupted.connect(self._on_interrupted)
        session.lane_failed.connect(self._on_lane_failed)
        session.failed.connect(self._on_failed)
        session.ended.connect(self._on_ended)
        self.session = session
        names = [choice.label for choice in (order.model, order.other) if choice]
        self._enter(State.RUNNING, tr("Loading {model}…").format(model=" + ".join(names)))
        self._display.view.show_hint(hints.first_points(order.views))
        session.start()

    def toggle_pause(self) -> None:
        """Hold the source or go on; a camera that was gone is opened again."""
        if self.session and self.state is State.RUNNING:
            self.session.pause()
            self._enter(State.PAUSED, tr("Paused"))
        elif self.session and self.state is State.PAUSED:
            self._display.hide_message()
            self.session.resume()
            self._enter(State.RUNNING, tr("Capturing"))

    def stop(self) -> None:
        """End the source, while the keyframes that wait are still reconstructed; then at once."""
        if self.session and self.state in (State.RUNNING, State.PAUSED):
            self._display.hide_message()
            self._enter(State.ENDING, tr("Finishing…"))
            self.session.stop()
        elif self.session and self.state is State.ENDING:
            self.session.abandon()

    def take_recording(self, keyframes: Sequence[Keyframe], folder: Path) -> None:
        """A recording is shown, and no run made it."""
        self.keyframes, self.source, self._order = keyframes, str(folder), None

    def abandon(self) -> None:
        """End at once and wait for the end."""
        if self.session:
            self.session.abandon()

    def origin(self, refine: str) -> str:
        """How the scene was made, for what is written of it; refine: how it is refined."""
        if self._order is None:
            return ""
        return f"made in the window; the same: {shlex.join(self._order.command(refine))}"

    def _on_began(self, beginning: Beginning) -> None:
        order = self._order
        assert order is not None
        self._display.show_beginning(beginning)
        if beginning.is_live and not order.record_to:
            self.source = None
        if order.compares:
            self._display.comparison().begin(
                [Model.of(bundle) for bundle in beginning.bundles],
                order.source.value,
                recorded=order.recorded,
                command=shlex.join(order.command()),
                settings={"views": order.views, "overlap": order.overlap, "refine": "none"},
            )
            self._display.show_comparison(True)
        if self.state is State.RUNNING:
            self._enter(State.RUNNING, tr("Capturing"))

    def _on_frame(self) -> None:
        if self.session and (latest := self.session.latest_frame()):
            self._display.show_frame(*latest)

    def _on_grown(self, growth: Growth, packed: dict[int, SceneKeyframe]) -> None:
        if self._order and self._order.compares:
            self._display.comparison().add(growth)
        if growth.lane == 0:
            # Its figures are wanted at the end; the points are those of the view.
            self.growing.emit()
            self.growth = replace(growth, views=[], clouds={})
            self.keyframes = growth.keyframes
            self._display.view.show_hint(None)
            self._display.show_growth(growth, packed)

    def _on_interrupted(self, message: str) -> None:
        advice = tr("Plug the camera in again, then press Resume.")
        self._display.show_message(f"{sentence(fault_line(message))} {advice}")
        self._enter(State.PAUSED, tr("Interrupted"))

    def _on_lane_failed(self, error: AppError, lane: int) -> None:
        self._display.comparison().fail(lane, error)

    def _on_failed(self, error: AppError) -> None:
        self.failure = str(error)
        self._display.show_message(hints.fault_words(error))

    def _on_ended(self) -> None:
        session, order = self.session, self._order
        assert session is not None
        assert order is not None
        self._display.finish_growth()
        latest = session.latest_frame()
        if order.compares and self._display.is_comparing:
            panel = self._display.comparison()
            if latest:
                panel.set_source_size(latest[0].image.shape[:2])
            panel.end(session.engines)
        session.deleteLater()
        self.session = None
        if not self._display.has_scene and not self.failure and self.state is not State.ENDING:
            why = f"; the last one: {reason_words(latest[1].reason)}" if latest else ""
            self._on_failed(SourceError(f"no frame could be used{why}"))
        seconds = number(time.perf_counter() - self._started, 1)
        if self.failure:
            words = tr("Ended by an error")
        elif order.record_to:
            words = tr("Done in {seconds} s, recorded in {folder}").format(
                seconds=seconds, folder=order.record_to
            )
        else:
            words = tr("Done in {seconds} s").format(seconds=seconds)
        self._enter(State.IDLE, words)
        self._display.progress.reset()
        self.ended.emit()

    def _enter(self, state: State, text: str) -> None:
        self.state = state
        self.entered.emit(text)
