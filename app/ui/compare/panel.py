"""Two models on the same frames: what they see, how far apart, and what it takes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QCloseEvent
from PySide6.QtWidgets import (
    QFileDialog,
    QHBoxLayout,
    QSplitter,
    QVBoxLayout,
    QWidget,
)

from app.compare import Comparison, Lane, Model, compare_lanes
from app.compare.lanes import lane_titles
from app.compare.run import note_costs
from app.engine import Engine
from app.live import Growth, MovedKeyframe
from app.reconstruction import Keyframe
from app.reconstruction.truth import find_truth
from app.ui import style
from app.ui.adapter import Adapter, find_adapter
from app.ui.compare.linked_views import LinkedViews
from app.ui.compare.mode_bar import ModeBar
from app.ui.compare.report_writer import ReportWriter
from app.ui.compare.side_column import SideColumn
from app.ui.compare.split_view import Mode
from app.ui.compare.words import lane_name, share_words
from app.ui.compare.worker import Compare, Worker
from app.ui.controls import LabelledSlider
from app.ui.faults import fault_line
from app.ui.panels import Banner, Panel, button
from app.ui.scene import SceneKeyframe
from app.ui.texts import tr


class ComparePanel(QWidget):
    """Takes the growths of two lanes, or what a session holds and the growths of one.

    `begin`, then `add` for each growth, `fail` where a lane cannot go on, `end` at the end; all
    from the thread of the window. `changed` tells of a new `comparison`, `report_ended` of a folder
    that was written, and of what went wrong ("" if nothing did).
    """

    changed = Signal()
    report_ended = Signal(str, str)

    def __init__(self, adapter: Callable[[], Adapter | None] = find_adapter) -> None:
        super().__init__()
        self.comparison: Comparison | None = None
        self.lanes: list[Lane] = []
        self._source, self._command = "", ""
        self._settings: dict[str, Any] = {}
        self._source_size: tuple[int, int] | None = None
        self._picked = 0
        self._worker = Worker(self)
        self.writer = ReportWriter(self)
        self.linked = LinkedViews(adapter)
        self.side = SideColumn()
        self.difference, self.figures = self.side.difference, self.side.figures
        self.banner = Banner()
        self.confidence = LabelledSlider(
            tr("Confidence"),
            (0, 95),
            30,
            share_words,
            tr("Hides the points that are least certain"),
        )
        self.report = button(
            tr("Report…"),
            tr("Write this comparison as a page with pictures, and its figures"),
            self.ask_report,
        )
        self.report.setEnabled(False)
        # A text that is longer while it is written would widen the whole window.
        metrics, words = self.report.fontMetrics(), (self.report.text(), tr("Cancel"))
        self.report.setMinimumWidth(max(map(metrics.horizontalAdvance, words)) + 4 * style.GAP)
        self.modes = ModeBar(self.linked)
        self._lay_out()

        self._worker.packed.connect(self._on_packed)
        self._worker.compared.connect(self._on_compared)
        self.writer.progress.connect(self._on_report_progress)
        self.writer.ended.connect(self._on_report_ended)
        self.confidence.changed.connect(lambda p: self.linked.set_confidence_quantile(p / 100))
        self.difference.picked.connect(self._on_picked)
        self.linked.set_confidence_quantile(self.confidence.value / 100)

    def begin(
        self,
        models: Sequence[Model],
        source: str,
        *,
        recorded: Lane | None = None,
        command: str = "",
        settings: dict[str, Any] | None = None,
    ) -> None:
        """Start over with two models; recorded: takes the place of the first of them, so that one
        model is compared with what a session holds. command: the line that makes the same.
        """
        self.comparison = None
        self._worker.restart()
        titles = lane_titles(models)
        self.lanes = [Lane(title, model) for title, model in zip(titles, models, strict=True)]
        if recorded:
            self.lanes.insert(0, recorded)
        self._source, self._command, self._settings = source, command, settings or {}
        self._source_size = None
        self.linked.clear()
        names = lane_name(self.lanes[0]), lane_name(self.lanes[1])
        self.linked.set_names(names)
        self.side.clear()
        self.figures.set_names(names)
        self.banner.hide()
        self.scenes.set_note(tr("Looking for keyframes"))
        self.report.setEnabled(False)
        if recorded:
            self._worker.pack(0, dict(enumerate(recorded.keyframes)), {})

    def set_source_size(self, size: tuple[int, int]) -> None:
        """(H, W) of the source's frames; of use where the models take images of other sizes."""
        self._source_size = size

    def add(self, growth: Growth) -> None:
        """Take over what a window of views brought to a lane."""
        place = growth.lane + self._first_live
        lane = self.lanes[place]
        lane.add(growth)
        if place < 2:
            keyframes: dict[int, Keyframe] = {
                view.position: growth.keyframes[view.position] for view in growth.views
            }
            clouds = {view.position: view.cloud for view in growth.views}
            for position, cloud in growth.clouds.items():
                keyframes[position], clouds[position] = growth.keyframes[position], cloud
            self._worker.pack(place, keyframes, clouds, growth.moved)
        if all(entry.keyframes for entry in self.lanes):
            self.scenes.set_note("")
            self._refresh()

    def fail(self, lane: int, error: Exception) -> None:
        """A lane cannot go on; what it has stays."""
        entry = self.lanes[lane + self._first_live]
        entry.failure = str(error)
        self.banner.show_text(
            tr("{model} ended early: {reason}. What it had reconstructed stays.").format(
                model=lane_name(entry), reason=fault_line(entry.failure).rstrip(".")
            )
        )
        self._refresh()

    def end(self, engines: Sequence[Engine] = ()) -> None:
        """The run is over; engines: of its lanes, for their energy and memory."""
        note_costs(self.lanes[self._first_live :], engines)
        self.scenes.set_note("")
        self._refresh()

    def write_report(self, out: Path) -> None:
        """Write the folder `out` in the background, as `python -m app compare` does."""
        if self.lanes and not self.writer.is_busy:
            self.report.setText(tr("Cancel"))
            self.writer.start(out, self._snapshot(with_truth=True), self._command)

    def set_mode(self, mode: Mode) -> None:
        """Compare side by side, with a wipe, or by blinking to the other one."""
        self.modes.choose(mode)

    def close_work(self) -> None:
        """End what goes on in the background."""
        self._worker.close()
        self.writer.close()

    def closeEvent(self, event: QCloseEvent) -> None:
        self.close_work()
        super().closeEvent(event)

    @property
    def _first_live(self) -> int:
        """Place of the first lane that is not recorded."""
        return 1 if self.lanes and self.lanes[0].is_recorded else 0

    def _snapshot(self, with_truth: bool = False) -> Compare:
        """Makes a comparison of the lanes as they are now, in whatever thread it is called."""
        lanes = [replace(lane, times=[*lane.times], joules=[*lane.joules]) for lane in self.lanes]
        source, size, settings = self._source, self._source_size, self._settings
        return lambda: compare_lanes(
            source, lanes, find_truth(source) if with_truth else None, size, settings
        )

    def _refresh(self) -> None:
        if all(lane.keyframes for lane in self.lanes):
            self.figures.set_lanes(self.lanes)
            self.side.fit()
            self._worker.compare(self._snapshot())
        self.report.setEnabled(any(lane.keyframes for lane in self.lanes[:1]))

    def _on_packed(
        self, lane: int, moved: Sequence[MovedKeyframe], keyframes: dict[int, SceneKeyframe]
    ) -> None:
        for entry in moved:
            self.linked.set_pose(lane, *entry)
        for position, keyframe in keyframes.items():
            self.linked.set_keyframe(lane, position, keyframe)
        self._on_picked(self._picked)

    def _on_compared(self, comparison: Comparison) -> None:
        apart = comparison.differences[1]
        if apart is None:
            return
        self.comparison = comparison
        self.linked.set_similarity(apart.together)
        self.side.set_comparison(comparison)
        self.report.setEnabled(True)
        self.changed.emit()

    def _on_picked(self, position: int) -> None:
        self._picked = position
        for view in self.linked.views:
            if position in view.scene.keyframes:
                view.highlight(position)

    def ask_report(self) -> None:
        """Let the user choose a place for the report, or cancel the one that is being written."""
        if self.writer.is_busy:
            self.writer.cancel()
            return
        chosen, _ = QFileDialog.getSaveFileName(
            self, tr("Report: name of a new folder"), "comparison"
        )
        if chosen:
            self.write_report(Path(chosen))

    def _on_report_progress(self, done: int, total: int) -> None:
        self.scenes.set_note(tr("Report: step {done} of {total}").format(done=done, total=total))

    def _on_report_ended(self, folder: str, error: str) -> None:
        self.report.setText(tr("Report…"))
        page = Path(folder) / "report.html"
        self.scenes.set_note("" if error else tr("Report written: {page}").format(page=page))
        if error:
            self.banner.show_text(error)
        self.report_ended.emit(folder, error)

    def _lay_out(self) -> None:
        bar = QHBoxLayout()
        bar.setContentsMargins(style.GAP, 0, style.GAP, 0)
        bar.setSpacing(style.GAP)
        bar.addWidget(self.modes)
        bar.addStretch()
        bar.addWidget(self.report)
        looks = QHBoxLayout()
        looks.setContentsMargins(style.GAP, 0, style.GAP, style.GAP)
        looks.setSpacing(style.GAP)
        looks.addWidget(self.confidence, stretch=1)
        looks.addWidget(
            button(tr("Reset view"), tr("Look at the whole scene again"), self.linked.reset_view)
        )
        pictures = QWidget()
        column = QVBoxLayout(pictures)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(style.GAP)
        column.addWidget(self.banner)
        column.addWidget(self.linked, stretch=1)
        column.addLayout(bar)
        column.addLayout(looks)

        self.scenes = Panel(tr("3D view"), pictures)
        split = QSplitter(Qt.Orientation.Horizontal, handleWidth=style.GAP)
        split.addWidget(self.scenes)
        split.addWidget(self.side)
        split.setStretchFactor(0, 1)
        split.setStretchFactor(1, 0)
        split.setSizes([880, self.side.minimumWidth()])
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(split)
