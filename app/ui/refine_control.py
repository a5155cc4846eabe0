"""Refines the scene when the user wants it, and shows what came of it or what it was."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QFileDialog

from app.compare.report_refinement import refinement_page
from app.files import write_file
from app.reconstruction import Keyframe
from app.ui.faults import fault_line
from app.ui.refining import Refined, Refining
from app.ui.run_display import RunDisplay
from app.ui.texts import number, sentence, tr
from app.ui.versions import Versions


class RefineControl(QObject):
    """`said` tells in words what is going on, `changed` that something else is shown or can be
    done."""

    said = Signal(str)
    changed = Signal()

    def __init__(self, display: RunDisplay, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.refining, self.versions = Refining(self), Versions(display, self)
        self._display = display
        self._source: str | None = None
        self._again = False
        bar = display.view.bar
        bar.versions.triggered.connect(lambda action: self.versions.show(action.data()))
        self.versions.changed.connect(self._on_versions)
        self.refining.progress.connect(self._on_progress)
        self.refining.warned.connect(lambda text: display.show_message(fault_line(text)))
        self.refining.ended.connect(self._on_ended)

    @property
    def is_busy(self) -> bool:
        """Whether something is being refined."""
        return self.refining.is_busy

    def can_refine(self, keyframes: Sequence[Keyframe]) -> bool:
        """Whether there is something to refine that is not refined or being refined already."""
        return len(keyframes) > 1 and not self.is_busy and not self.versions.can_switch

    def start(self, keyframes: Sequence[Keyframe], source: str | None) -> None:
        """Refine all keyframes of the scene; returns at once.

        source: where their frames can be read again; None: the network's images serve.
        """
        if not self.can_refine(keyframes):
            return
        self._display.hide_message()
        if self.versions.network is not keyframes:
            self.versions.begin(keyframes)
        self._source = source if source and Path(source).exists() else None
        self.refining.start(keyframes, self._source, self._display.view.scene.scene.fuse)
        self._on_progress(0.0)
        self.changed.emit()

    def cancel(self) -> None:
        """Keep the network's result."""
        self.refining.cancel()

    def begin(self, keyframes: Sequence[Keyframe]) -> None:
        """The scene has these keyframes now, as the network has them; what is being refined of
        others is dropped."""
        if self.versions.network is not keyframes:
            self.refining.drop()
            self.versions.begin(keyframes)
            self.changed.emit()

    def make_room(self) -> None:
        """The keyframes are about to change: what was refined is no longer theirs.

        What is being refined is begun again with `go_on`.
        """
        self._again = self._again or self.is_busy
        self.refining.drop()
        self.versions.drop()

    def go_on(self, keyframes: Sequence[Keyframe], paused: bool) -> None:
        """The keyframes have changed; paused: no more are expected soon."""
        again, self._again = self._again, False
        if again and paused:
            self.start(keyframes, self._source)
        elif again:
            self.changed.emit()

    def ask_report(self, made_by: str) -> None:
        """Let the user choose a place for a page on what was refined; made_by: a line on how."""
        chosen, _ = QFileDialog.getSaveFileName(
            self._display, tr("Refinement report"), "refinement.html", "HTML (*.html)"
        )
        if chosen:
            self.write_report(Path(chosen), made_by)

    def write_report(self, path: Path, made_by: str) -> None:
        """Write the page, or say why it cannot be written."""
        if (refined := self.versions.refined) is None:
            return
        run = refined.run
        source = Path(self._source).name if self._source else "a camera"
        page = refinement_page(run.refinement, run.seconds, source, made_by)
        try:
            write_file(path, page.encode())
        except OSError as error:
            words = tr("{path} could not be written: {reason}. Choose another place.")
            reason = fault_line(str(error.strerror or error))
            self._display.show_message(words.format(path=path, reason=reason))
        else:
            self.said.emit(tr("Report written: {page}").format(page=path))

    def close(self) -> None:
        """End what goes on in the background."""
        self.refining.close()

    def _on_progress(self, share: float) -> None:
        if self.is_busy:
            self.said.emit(tr("Refining: {percent} %").format(percent=round(100 * share)))

    def _on_ended(self, refined: Refined) -> None:
        reason = sentence(fault_line(refined.run.refinement.reason))
        if refined.run.changed:
            self.versions.set_refined(refined)
            self.said.emit(outcome_words(refined))
        else:
            self.said.emit(tr("Not refined"))
            self._display.show_message(reason)
        self.changed.emit()

    def _on_versions(self) -> None:
        self._display.view.show_versions(self.versions.can_switch, self.versions.shown)
        self.changed.emit()


def outcome_words(refined: Refined) -> str:
    """What a refinement changed, and how well its cameras fit what they see."""
    document = refined.run.document
    frames = refined.run.refinement.frames
    words = tr("Refined: {changed} of {count} cameras").format(
        changed=sum(frame.changed for frame in frames), count=len(frames)
    )
    if math.isfinite(document["error_before"]) and math.isfinite(document["error_after"]):
        words += tr(", {before} → {after} px off").format(
            before=number(document["error_before"], 1), after=number(document["error_after"], 1)
        )
    return words
