"""The window: choose a source and a model, watch the scene grow, look at it, export it."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from PySide6.QtCore import Signal
from PySide6.QtGui import QCloseEvent, QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QMainWindow, QVBoxLayout, QWidget

from app.capture import SourceError, open_source
from app.engine import Engine
from app.errors import AppError
from app.live import OpenSource
from app.reconstruction import Keyframe
from app.ui import dialogs, habits, hints
from app.ui.choices import Choice
from app.ui.choosers import ModelChooser, SourceChooser
from app.ui.controls import RunBar, State
from app.ui.exporting import Exporter, ask_export
from app.ui.menus import Actions, menu_table
from app.ui.opening import Opener
from app.ui.planning import USUAL_VIEWS, Plan
from app.ui.recording import new_session_folder
from app.ui.run_display import RunDisplay
from app.ui.scene import SceneKeyframe
from app.ui.session import Beginning, Growth, Session
from app.ui.settings import Settings
from app.ui.texts import tr


class MainWindow(QMainWindow):
    """The whole window. It never waits: a Session does the work in the background."""

    run_ended = Signal()
    """A run is over; `failure` says what went wrong, if anything did."""

    def __init__(
        self,
        sources: Sequence[Choice],
        bundles: Sequence[Choice],
        start_engine: Callable[..., Engine] = Engine,
        open_source: OpenSource = open_source,
        settings: Settings | None = None,
    ) -> None:
        """sources, bundles: what to offer; start_engine, open_source: make the parts of a run;
        settings: what is remembered, by default only as long as the window is there.
        """
        super().__init__()
        self.failure = ""
        self.reopen = False
        """Whether the user has chosen another language: the window closed to be made anew."""
        self.settings = settings or Settings()
        self._start_engine = start_engine
        self._session: Session | None = None
        self._state = State.IDLE
        self._started = 0.0
        self._origin = ""
        self._growth: Growth | None = None
        self._keyframes: Sequence[Keyframe] = []
        self._demo = sources[0] if sources else None

        self.setWindowTitle("Pocket VGGT")
        self.setAcceptDrops(True)
        self.actions_ = Actions(self, menu_table())
        self.exporter = Exporter(self)
        self.sources, self.models = SourceChooser(sources), ModelChooser(bundles)
        self._bar = RunBar(self.sources, self.models, self.actions_)
        self.plan = Plan(self._bar, self.settings.get("views", USUAL_VIEWS), self)
        self.display = RunDisplay(self._ask_export)
        self.view, self.status = self.display.view, self.display.status
        self.opener = Opener(self.sources, self.models, self.display, open_source, self)
        root = QWidget()
        layout = QVBoxLayout(root)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self._bar)
        layout.addWidget(self.display, stretch=1)
        self.setCentralWidget(root)
        self.resize(1280, 800)
        self._connect()
        habits.restore(self)
        if self.models.choice:
            self.plan.look(Path(self.models.choice.value))
        self._enter(State.IDLE, tr("Ready"))

    @property
    def is_idle(self) -> bool:
        """Whether no run is going on."""
        return self._state is State.IDLE

    def start(self) -> None:
        """Run the chosen source through the chosen model, into an empty scene.

        A run that will not fit into memory is not started: the window says so and proposes another.
        """
        if not self._is_ready():
            return
        self.plan.refresh()
        if self.plan.fits or self.plan.chosen is None:
            self.run_with(self.plan.views)
        else:
            chosen, machine = self.plan.chosen, self.plan.machine
            self.view.show_hint(
                hints.does_not_fit(
                    chosen, self.plan.proposed, machine, self.run_with, self.models.ask_bundle
                )
            )

    def run_with(self, views: int) -> None:
        """Start with so many views at a time, whether they fit or not."""
        source, model = self.sources.choice, self.models.choice
        if not self._is_ready() or source is None or model is None:
            return
        if views != self.plan.views:
            self.plan.use_views(views)
        self.failure = ""
        self.display.clear()
        self._started = time.perf_counter()
        self._growth, self._keyframes = None, []
        self.opener.recording.keep_for(source.value)
        record_to = new_session_folder() if self.actions_["record"].isChecked() else None
        overlap = self.plan.overlap
        made = ["python", "-m", "app", "reconstruct", source.value, "--bundle", model.value]
        made += ["--views", str(views), "--overlap", str(overlap), "--out", "DIR"]
        self._origin = f"made in the window; the same: {shlex.join(made)}"
        session = Session(
            source.value,
            Path(model.value),
            self._start_engine,
            self,
            open_source=self.opener.open_source,
            views=views,
            overlap=overlap,
            record_to=record_to,
        )
        session.began.connect(self._on_began)
        session.frame_ready.connect(self._on_frame)
        session.grown.connect(self._on_grown)
        session.assessed.connect(self.display.show_accuracy)
        session.warned.connect(self.view.banner.show_text)
        session.interrupted.connect(self._on_interrupted)
        session.failed.connect(self._on_failed)
        session.ended.connect(self._on_ended)
        self._session = session
        self._enter(State.RUNNING, tr("Loading {model}…").format(model=model.label))
        session.start()

    def toggle_pause(self) -> None:
        """Hold the source or go on."""
        if self._session and self._state is State.RUNNING:
            self._session.pause()
            self._enter(State.PAUSED, tr("Paused"))
        elif self._session and self._state is State.PAUSED:
            self.view.banner.hide()
            self._session.resume()
            self._enter(State.RUNNING, tr("Capturing"))

    def stop(self) -> None:
        """End the source, while the keyframes that wait are still reconstructed; then at once."""
        if self._session and self._state in (State.RUNNING, State.PAUSED):
            self._enter(State.ENDING, tr("Finishing…"))
            self._session.stop()
        elif self._session and self._state is State.ENDING:
            self._session.abandon()

    def export(self, name: str, path: Path) -> None:
        """Write the points that are shown in the format of this name; see `exporter.ended`."""
        selection = self.view.scene.selection(self._keyframes)
        again = ["python", "-m", "app", "export", "DIR", "--format", name, "--out", path.name]
        origin = (self._origin, f"the same: {shlex.join([*again, *selection.arguments()])}")
        self.exporter.start(name, path, replace(selection, origin=origin))
        self.status.offer_cancel(self.exporter.cancel)
        self._refresh()

    def follow_system(self) -> None:
        """Take the system's colours where the user wants the theme to be as the system."""
        if self.settings.get("theme", "system") == "system":
            habits.use_theme(self, "system")

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if self.is_idle and event.mimeData().hasUrls():
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        event.acceptProposedAction()
        urls = event.mimeData().urls()
        self.opener.open_paths([Path(url.toLocalFile()) for url in urls if url.isLocalFile()])

    def closeEvent(self, event: QCloseEvent) -> None:
        if self._session:
            self._session.abandon()
        self.exporter.close()
        self.plan.stop()
        self.opener.recording.wait()
        habits.remember(self)
        super().closeEvent(event)

    def _on_export_progress(self, number: int, count: int) -> None:
        words = tr("Exporting: keyframe {number} of {count}")
        self.status.set_state(words.format(number=number, count=count))

    def _on_export_ended(self, error: str) -> None:
        self.status.offer_cancel(None)
        self.status.set_state(tr("Not exported") if error else tr("Exported"))
        if error:
            self.view.banner.show_text(error)
        self._refresh()

    def _on_began(self, beginning: Beginning) -> None:
        self.display.show_beginning(beginning)
        if self._state is State.RUNNING:
            self.status.set_state(tr("Capturing"))

    def _on_frame(self) -> None:
        if self._session and (latest := self._session.latest_frame()):
            self.display.show_frame(*latest)

    def _on_grown(self, growth: Growth, packed: dict[int, SceneKeyframe]) -> None:
        self._growth, self._keyframes = growth, growth.keyframes
        self.display.show_growth(growth, packed)
        self._count_points()

    def _on_interrupted(self, message: str) -> None:
        advice = tr("Plug the camera in again, then press Resume.")
        self.view.banner.show_text(f"{message[:1].upper()}{message[1:].rstrip('.')}. {advice}")
        self._enter(State.PAUSED, tr("Interrupted"))

    def _on_failed(self, error: AppError) -> None:
        self.failure = str(error)
        self.view.banner.show_text(hints.fault_words(error))

    def _on_ended(self) -> None:
        assert self._session is not None
        self._session.deleteLater()
        latest = self._session.latest_frame()
        self._session = None
        if not self.display.has_scene and not self.failure and self._state is not State.ENDING:
            why = f"; the last one: {latest[1].reason}" if latest else ""
            self._on_failed(SourceError(f"no frame could be used{why}"))
        # A shorter run had only smaller windows, and says nothing about these.
        if self._growth and len(self._growth.keyframes) >= self.plan.views:
            self.plan.remember(self._growth.views_per_second, self._growth.peak_memory)
        seconds = f"{time.perf_counter() - self._started:.1f}"
        done = tr("Done in {seconds} s").format(seconds=seconds)
        self._enter(State.IDLE, tr("Ended by an error") if self.failure else done)
        self.display.progress.reset()
        self.run_ended.emit()

    def _enter(self, state: State, text: str) -> None:
        self._state = state
        self.status.set_state(text)
        self._refresh()

    def _refresh(self) -> None:
        self._bar.show_state(self._state, self._is_ready())
        for name in (
            "open_video",
            "open_folder",
            "open_session",
            "open_bundle",
            "record",
            "camera",
        ):
            self.actions_[name].setEnabled(self.is_idle)
        self.actions_["demo"].setEnabled(self._is_ready() and self._demo is not None)
        self._refresh_model()
        if self.is_idle and not self.display.has_scene:
            self.view.show_hint(self._make_hint())
        self._count_points()

    def _refresh_model(self) -> None:
        self.actions_["model"].setEnabled(self.plan.bundle is not None)

    def _is_ready(self) -> bool:
        return self.is_idle and self.sources.choice is not None and self.models.choice is not None

    def _count_points(self) -> None:
        can_export = self.display.count_points() > 0 and not self.exporter.is_busy
        self.view.export.setEnabled(can_export)
        self.actions_["export"].setEnabled(can_export)

    def _make_hint(self) -> hints.Message:
        if self.models.choice is None:
            return hints.no_model(self.models.ask_bundle)
        return hints.nothing_captured(self._demo, self._play, self.sources.ask_video)

    def _play_demo(self) -> None:
        if self._demo:
            self._play(self._demo)

    def _play(self, source: Choice) -> None:
        self.sources.add(source)
        self.start()

    def _look_at_model(self) -> None:
        if self.models.choice:
            self.plan.look(Path(self.models.choice.value))
        self._refresh()

    def _on_opened(self) -> None:
        self._keyframes = self.opener.recording.keyframes
        self._enter(State.IDLE, tr("Session opened"))

    def _ask_export(self) -> None:
        if self.actions_["export"].isEnabled() and (choice := ask_export(self)):
            self.export(*choice)

    def _connect(self) -> None:
        self.sources.picked.connect(self._refresh)
        self.models.picked.connect(self._look_at_model)
        self.plan.changed.connect(self._refresh_model)
        self.view.scene.selection_changed.connect(self._count_points)
        self.opener.recording.opened.connect(self._on_opened)
        self.exporter.progress.connect(self._on_export_progress)
        self.exporter.ended.connect(self._on_export_ended)
        self.actions_.wire(
            {
                "open_video": self.sources.ask_video,
                "open_folder": self.sources.ask_folder,
                "open_bundle": self.models.ask_bundle,
                "open_session": self.opener.ask_session,
                "record": self._refresh,
                "camera": self.opener.ask_camera,
                "export": self._ask_export,
                "quit": self.close,
                "start": self.start,
                "pause": self.toggle_pause,
                "stop": self.stop,
                "points_smaller": lambda: self.view.point_size.step(-1),
                "points_larger": lambda: self.view.point_size.step(1),
                "demo": self._play_demo,
                "model": self._show_model,
                "shortcuts": lambda: dialogs.shortcut_sheet(self, self.actions_.sheet()).open(),
                "about": lambda: dialogs.about_dialog(self).open(),
            }
        )
        modes, look, tools, undo = self.view.bar.actions_by_group
        for place, group in (("look", [*look, *modes]), ("tools", tools), ("undo", undo)):
            self.actions_.fill(place, group)
        habits.wire(self)

    def _show_model(self) -> None:
        if sections := self.plan.sections():
            dialogs.facts_dialog(self, tr("Model details"), sections).open()
