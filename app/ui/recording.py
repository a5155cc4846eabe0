"""Recordings in the window: where new ones go, and how one is opened and looked through."""

from __future__ import annotations

import threading
from datetime import datetime
from pathlib import Path

from PySide6.QtCore import QObject, QStandardPaths, Signal

from app.capture import Frame
from app.compare import Lane
from app.compare.run import lane_of
from app.errors import AppError
from app.reconstruction import Keyframe, fuse_keyframes
from app.sessions import Session, open_session
from app.ui.run_display import RunDisplay
from app.ui.scene import SceneKeyframe, packed_keyframe


def new_session_folder() -> Path:
    """Where the next recording goes: a folder of the user's documents, named by the time."""
    documents = QStandardPaths.writableLocation(QStandardPaths.StandardLocation.DocumentsLocation)
    return Path(documents) / "Pocket VGGT" / f"{datetime.now():%Y-%m-%d %H.%M.%S}"


class Recording(QObject):
    """A recording that is shown: its keyframes as they were last, and any of its frames.

    `opened` and `failed` (with a line) tell how `open` went.
    """

    opened = Signal()
    failed = Signal(str)
    _read = Signal(object, object)

    def __init__(self, display: RunDisplay, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.session: Session | None = None
        self.keyframes: list[Keyframe] = []
        self._display = display
        self._thread: threading.Thread | None = None
        self._read.connect(self._on_read)
        display.timeline.sought.connect(self.seek)

    def open(self, folder: Path) -> None:
        """Read a recording in the background and show it; returns at once."""
        self.wait()
        self._thread = threading.Thread(
            target=self._open, args=(folder,), name="recording", daemon=True
        )
        self._thread.start()

    def wait(self) -> None:
        """Wait until nothing is read any more."""
        if self._thread:
            self._thread.join()
            self._thread = None

    def keep_for(self, source: str) -> None:
        """Forget the recording unless it is the source of the run that starts."""
        if self.session is None or str(self.session.folder) != source:
            self.session = None
            self._display.timeline.clear()

    def lane(self) -> Lane | None:
        """What was reconstructed while it was recorded, to compare with, if anything was."""
        if self.session is None or not self.keyframes:
            return None
        return lane_of(self.session, self.keyframes)

    def seek(self, position: int) -> None:
        """Show the frame at this position of the recording, and its depth where it has one."""
        if self.session is None:
            return
        recorded = self.session.frames[position]
        try:
            image = self.session.read_image(recorded)
        except AppError as error:
            self.failed.emit(str(error))
            return
        frame = Frame(recorded.index, recorded.time, image, recorded.name)
        self._display.show_frame(frame, recorded.decision)
        self._display.progress.reset()
        for number, keyframe in enumerate(self.keyframes):
            if keyframe.index == recorded.index:
                self._display.depth_view.show_keyframe(number)

    def _open(self, folder: Path) -> None:
        try:
            session = open_session(folder)
            keyframes = session.read_keyframes()
        except AppError as error:
            self.failed.emit(str(error))
            return
        fuse = self._display.view.scene.scene.fuse
        fused = fuse_keyframes(dict(enumerate(keyframes)), fuse) if fuse else None
        packed = [
            packed_keyframe(keyframe, fused.cloud(at, keyframe) if fused is not None else None)
            for at, keyframe in enumerate(keyframes)
        ]
        self._read.emit(session, list(zip(keyframes, packed, strict=True)))

    def _on_read(self, session: Session, keyframes: list[tuple[Keyframe, SceneKeyframe]]) -> None:
        self.session, self.keyframes = session, [keyframe for keyframe, _ in keyframes]
        self._display.clear()
        for position, (_, packed) in enumerate(keyframes):
            self._display.view.scene.add_packed(position, packed)
        self._display.status.set_figure("keyframes", f"{len(self.keyframes)}")
        self._display.show_depths(self.keyframes, range(len(self.keyframes)))
        indices = {keyframe.index for keyframe in self.keyframes}
        chosen = [n for n, f in enumerate(session.frames) if f.index in indices]
        times = [frame.time for frame in session.frames]
        self._display.timeline.show_recording(times, chosen)
        if times:
            self.seek(0)
        self.opened.emit()
