"""Writes what is shown to files of any format, while the window goes on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QFileDialog, QWidget

from app.export import FORMATS, Selection, export_as
from app.reconstruction import Keyframe
from app.ui.run_display import RunDisplay
from app.ui.texts import tr
from app.ui.writing import BackgroundWriter


class Exporter(BackgroundWriter):
    """One export at a time.

    `progress` tells the keyframe that is being read and how many there are: formats read them once
    or twice. `ended` tells that it is over, with what went wrong ("" for nothing). `said` tells in
    words what is going on.
    """

    ended = Signal(str)
    said = Signal(str)

    def __init__(self, display: RunDisplay, parent: QObject | None = None) -> None:
        """display: shows what went wrong."""
        super().__init__(parent)
        self._display = display
        self._path = Path()
        self.progress.connect(self._on_progress)
        self.ended.connect(self._on_ended)

    def start(self, name: str, path: Path, selection: Selection) -> None:
        """Write a selection in the format of this name; returns at once."""
        count, read = len(selection.keyframes), 0
        self._path = path

        def watch(keyframe: Keyframe) -> None:
            nonlocal read
            self._watch(read % count + 1, count)
            read += 1

        def write() -> None:
            watched = replace(selection, watch=watch)
            cancelled = tr("The export was cancelled; nothing was written.")
            error = self._attempt(path, lambda: export_as(name, path, watched), cancelled)
            self._thread = None
            self.ended.emit(error)

        self._begin(write)

    def _on_progress(self, number: int, count: int) -> None:
        words = tr("Exporting: keyframe {number} of {count}")
        self.said.emit(words.format(number=number, count=count))

    def _on_ended(self, error: str) -> None:
        if error:
            self._display.show_message(error)
        done = tr("Exported: {path}").format(path=self._path)
        self.said.emit(tr("Not exported") if error else done)


def format_words() -> dict[str, str]:
    """The labels of `FORMATS` in the user's language."""
    return {
        "ply": tr("Points, PLY"),
        "glb": tr("Points and cameras, GLB"),
        "mesh": tr("Surface, PLY"),
        "mesh-glb": tr("Surface, GLB"),
        "colmap": tr("COLMAP, binary"),
        "colmap-text": tr("COLMAP, text"),
        "nerfstudio": "nerfstudio",
        "tum": tr("Trajectory, TUM"),
        "npz": tr("Arrays, npz"),
    }


def asked_export(parent: QWidget) -> tuple[str, Path] | None:
    """The user's choice of a format and a place, if there is one."""
    folder, words = tr("a folder *"), format_words()
    names = {
        f"{words[name]} ({'*' + form.suffix if form.suffix else folder})": name
        for name, form in FORMATS.items()
    }
    chosen, kind = QFileDialog.getSaveFileName(parent, tr("Export"), "scene", ";;".join(names))
    if not chosen:
        return None
    path, form = Path(chosen), FORMATS[names[kind]]
    return names[kind], path if path.suffix.lower() == form.suffix else Path(chosen + form.suffix)
