"""Opens what the user names or drops: sources, models, recordings, several images at once."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QFileDialog, QWidget

from app.capture import CameraSettings, SourceError
from app.capture import open_source as open_any_source
from app.errors import AppError
from app.live import OpenSource
from app.ui import hints
from app.ui.camera_dialog import CameraDialog, CameraWish
from app.ui.choices import bundle_choice, source_choice
from app.ui.choosers import ModelChooser, SourceChooser
from app.ui.dropping import GatheredImages, understand
from app.ui.faults import fault_line
from app.ui.recording import Recording
from app.ui.run_display import RunDisplay
from app.ui.texts import sentence, tr


class Opener(QObject):
    """Puts what is opened into the lists of sources and models, or says why it cannot."""

    def __init__(
        self,
        sources: SourceChooser,
        models: ModelChooser,
        display: RunDisplay,
        open_source: OpenSource,
        parent: QWidget,
    ) -> None:
        super().__init__(parent)
        self.recording = Recording(display, self)
        self._window = parent
        self._sources, self._models = sources, models
        self._display = display
        self._open_source = open_source
        self._camera: CameraWish = (None, None, None)
        self._gathered: GatheredImages | None = None
        self.recording.opened.connect(self._on_opened)
        self.recording.failed.connect(self._on_not_opened)

    @property
    def open_source(self) -> OpenSource:
        """What opens the source of a run: a camera is asked for what the user wishes."""
        if self._open_source is open_any_source:
            return partial(open_any_source, camera=CameraSettings(*self._camera))
        return self._open_source

    def open_paths(self, paths: Sequence[Path]) -> None:
        """Make what was dropped the source or the model, or say why it is neither."""
        found = understand(paths)
        self._display.hide_message()
        if isinstance(found, str):
            self._display.show_message(found)
        elif found.kind == "model":
            self._models.add(bundle_choice(found.path))
        elif found.kind == "source":
            self._sources.add(source_choice(str(found.path)))
        elif found.kind == "session":
            self.recording.open(found.path)
        else:
            self._open_images(paths)

    def ask_session(self) -> None:
        """Let the user choose the folder of a recording."""
        path = QFileDialog.getExistingDirectory(self._window, tr("Open session"))
        if path:
            self.recording.open(Path(path))

    def ask_camera(self) -> None:
        """Let the user say what cameras are asked for."""
        dialog = CameraDialog(self._window, self._camera)
        if dialog.exec():
            self._camera = dialog.wish

    def _open_images(self, images: Sequence[Path]) -> None:
        try:
            self._gathered = GatheredImages(images)
        except AppError as error:
            self._display.show_message(hints.fault_words(error))
        else:
            self._sources.add(self._gathered.choice)

    def _on_opened(self) -> None:
        session = self.recording.session
        if session is None:
            return
        self._sources.add(source_choice(str(session.folder)))
        if session.lost:
            self._display.show_message(sentence("; ".join(map(fault_line, session.lost))))

    def _on_not_opened(self, error: str) -> None:
        self._display.show_message(hints.fault_words(SourceError(error)))
