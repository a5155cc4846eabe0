"""Writes what is shown to files of any format, while the window goes on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFileDialog, QWidget

from app.export import FORMATS, Selection, export_as
from app.reconstruction import Keyframe
from app.ui.texts import tr
from app.ui.writing import BackgroundWriter


class Exporter(BackgroundWriter):
    """One export at a time.

    `progress` tells the keyframe that is being read and how many there are: formats read them once
    or twice. `ended` tells that it is over, with what went wrong ("" for nothing).
    """

    ended = Signal(str)

    def start(self, name: str, path: Path, selection: Selection) -> None:
        """Write a selection in the format of this name; returns at once."""
        count, read = len(selection.keyframes), 0

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


def ask_export(parent: QWidget) -> tuple[str, Path] | None:
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
