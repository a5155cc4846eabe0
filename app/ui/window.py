"""The window: choose a source and a model, watch the scene grow, look at it, export it."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from PySide6.QtCore import Signal
from PySide6.QtGui import QCloseEvent, QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QMainWindow, QVBoxLayout, QWidget

from app.arguments import program
from app.capture import open_source
from app.engine import Engine
from app.live import OpenSource
from app.ui import dialogs, habits, hints, wiring
from app.ui.choices import Choice
from app.ui.choosers import ModelChooser, SourceChooser
from app.ui.compare import CompareChooser
from app.ui.controls import RunBar, State
from app.ui.exporting import Exporter, asked_export
from app.ui.menu_table import menu_table
from app.ui.menus import Actions
from app.ui.opening import Opener
from app.ui.planning import USUAL_VIEWS, Plan
from app.ui.recording import new_session_folder
from app.ui.refine_control import RefineControl
from app.ui.run_control import Order, RunControl
from app.ui.run_display import RunDisplay
from app.ui.settings import Settings
from app.ui.sharing import Sharing
from app.ui.texts import tr

WHILE_IDLE = (
    *("open_video", "open_folder", "open_session", "open_bundle"),
    *("record", "camera", "compare", "refine_newest"),
)
"""Entries of the menus that change what the next run is."""


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
        self.reopen = False
        """Whether the user has chosen another language: the window closed to be made anew."""
        self.settings = settings or Settings()
        self.demo = sources[0] if sources else None

        self.setWindowTitle("Pocket VGGT")
        self.setAcceptDrops(True)
        self.actions_ = Actions(self, menu_table())
        self.sources, self.models = SourceChooser(sources), ModelChooser(bundles)
        self.compare = CompareChooser(self.models)
        self._bar = RunBar(self.sources, self.models, self.compare, self.actions_)
        self.plan = Plan(self._bar, self.settings.get("views", USUAL_VIEWS), self)
        self.display = RunDisplay(self.ask_export, self.refine)
        self.view, self.status = self.display.view, self.display.status
        self.exporter = Exporter(self.display, self)
        self.runs = RunControl(self.display, start_engine, self)
        self.sharing = Sharing(self.view.scene, self)
        self.refinement = RefineControl(self.display, self)
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
        self._say(tr("Ready"))

    @property
    def is_idle(self) -> bool:
        """Whether no run is going on."""
        return self.runs.state is State.IDLE

    @property
    def failure(self) -> str:
        """What went wrong in the last run, "" if nothing did."""
        return self.runs.failure

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
            self.display.show_comparison(False)
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
        recorded = self.opener.recording.lane() if self.compare.takes_recording else None
        self.opener.recording.keep_for(source.value)
        self.sharing.end()
        self.refinement.begin([])
        # What has the focus is switched off now: another button would get it.
        self.setFocus()
        self.runs.start(
            Order(
                source,
                model,
                views,
                self.plan.overlap,
                self.opener.open_source,
                new_session_folder() if self.actions_["record"].isChecked() else None,
                self.compare.choice,
                recorded,
                self.actions_["refine_newest"].isChecked(),
            )
        )

    def export(self, name: str, path: Path) -> None:
        """Write the points that are shown in the format of this name; see `exporter.ended`."""
        versions = self.refinement.versions
        selection = self.view.scene.selection(versions.keyframes)
        again = [*program(), "export", "DIR", "--format", name, "--out", path.name]
        same = f"the same: {shlex.join([*again, *selection.arguments()])}"
        origin = (self.runs.origin(selection.refine), *versions.origin, same)
        self.exporter.start(name, path, replace(selection, origin=origin))
        self.refresh()

    def refine(self) -> None:
        """Make the cameras and depth of all keyframes exact, in the background."""
        if self._can_refine():
            self.display.finish_growth()
            self.refinement.start(self.runs.keyframes, self.runs.source)

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
        self.runs.abandon()
        self.display.close_work()
        self.sharing.close()
        self.refinement.close()
        self.exporter.close()
        self.plan.stop()
        self.opener.recording.wait()
        habits.remember(self)
        super().closeEvent(event)

    def _on_run_ended(self) -> None:
        growth = self.runs.growth
        self.refinement.begin(self.runs.keyframes)
        self._share()
        # A shorter run had only smaller windows, and says nothing about these.
        if growth and len(growth.keyframes) >= self.plan.views:
            self.plan.remember(growth.views_per_second, growth.peak_memory)
        self.run_ended.emit()

    def _say(self, text: str) -> None:
        self.status.set_state(text)
        self.refresh()

    def refresh(self) -> None:
        """Show what can be done now."""
        self._bar.show_state(self.runs.state, self._is_ready())
        for name in WHILE_IDLE:
            self.actions_[name].setEnabled(self.is_idle)
        for name in ("side", "wipe", "blink", "report"):
            self.actions_[name].setEnabled(self.display.is_comparing)
        self.actions_["demo"].setEnabled(self._is_ready() and self.demo is not None)
        self._refresh_model()
        if self.is_idle and not self.display.has_scene:
            self.view.show_hint(self._make_hint())
        self._count_points()

    def _refresh_model(self) -> None:
        self.actions_["model"].setEnabled(self.plan.bundle is not None)

    def _refresh_work(self) -> None:
        """What goes on beside the run can be cancelled, the newest of it first."""
        working = [work for work in (self.exporter, self.refinement) if work.is_busy]
        self.status.offer_cancel(working[0].cancel if working else None)
        can_refine = self._can_refine()
        self.view.refine.setEnabled(can_refine)
        self.actions_["refine"].setEnabled(can_refine)
        self.actions_["refinement_report"].setEnabled(self.refinement.versions.can_switch)

    def _can_refine(self) -> bool:
        rests = self.runs.state in (State.IDLE, State.PAUSED) and not self.display.is_comparing
        return rests and self.refinement.can_refine(self.runs.keyframes)

    def _share(self) -> None:
        """Nothing but the user changes what the view has now."""
        if self.is_idle:
            self.sharing.begin(self.refinement.versions.keyframes)

    def _go_on_refining(self) -> None:
        paused = self.runs.state is not State.RUNNING
        self.refinement.go_on(self.runs.keyframes, paused)

    def _is_ready(self) -> bool:
        return self.is_idle and self.sources.choice is not None and self.models.choice is not None

    def _count_points(self) -> None:
        self._refresh_work()
        can_export = self.display.count_points() > 0 and not self.exporter.is_busy
        self.view.export.setEnabled(can_export)
        self.actions_["export"].setEnabled(can_export)

    def _make_hint(self) -> hints.Message:
        if self.models.choice is None:
            return hints.no_model(self.models.ask_bundle)
        return hints.nothing_captured(self.demo, self.play, self.sources.ask_video)

    def play(self, source: Choice | None) -> None:
        """Run this source, if there is one."""
        if source:
            self.sources.add(source)
            self.start()

    def _look_at_model(self) -> None:
        if self.models.choice:
            self.plan.look(Path(self.models.choice.value))
        self.refresh()

    def _on_opened(self) -> None:
        recording = self.opener.recording
        if recording.session:
            self.runs.take_recording(recording.keyframes, recording.session.folder)
        self.refinement.begin(self.runs.keyframes)
        self._share()
        self._offer_recording()
        self._say(tr("Session opened"))

    def _offer_recording(self) -> None:
        """What was recorded can be compared with while the recording is the source."""
        session, source = self.opener.recording.session, self.sources.choice
        is_source = bool(session and source and str(session.folder) == source.value)
        self.compare.offer_recording(is_source and bool(self.opener.recording.keyframes))
        self._refresh_compare()

    def _refresh_compare(self) -> None:
        other = self.compare.choice
        self.plan.look_at_other(Path(other.value) if other else None)
        self.actions_["compare"].setChecked(self.compare.currentIndex() > 0)
        if self.is_idle and self.compare.currentIndex() == 0:
            self.display.show_comparison(False)
        self.refresh()

    def ask_export(self) -> None:
        """Let the user choose a format and a place, and write what is shown there."""
        if self.actions_["export"].isEnabled() and (choice := asked_export(self)):
            self.export(*choice)

    def _connect(self) -> None:
        self.runs.entered.connect(self._say)
        self.runs.growing.connect(self.refinement.make_room)
        self.runs.grown.connect(self._count_points)
        self.runs.grown.connect(self._go_on_refining)
        self.runs.ended.connect(self._on_run_ended)
        self.sources.picked.connect(self._offer_recording)
        self.compare.picked.connect(self._refresh_compare)
        self.models.picked.connect(self._look_at_model)
        self.plan.changed.connect(self._refresh_model)
        self.view.scene.selection_changed.connect(self._count_points)
        self.opener.recording.opened.connect(self._on_opened)
        self.refinement.said.connect(self.status.set_state)
        self.refinement.changed.connect(self.refresh)
        self.refinement.versions.switching.connect(self.sharing.end)
        self.display.version_shown.connect(self._share)
        self.display.version_shown.connect(self._count_points)
        self.exporter.said.connect(self.status.set_state)
        self.exporter.ended.connect(self.refresh)
        wiring.wire(self)
        habits.wire(self)

    def show_model(self) -> None:
        """What the model's manifest says, and what a run takes here."""
        if sections := self.plan.sections():
            dialogs.facts_dialog(self, tr("Model details"), sections).open()
