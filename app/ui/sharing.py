"""Gives the space of keyframes that are switched off to those that are shown."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

from PySide6.QtCore import QObject, Signal

from app.reconstruction import FusedCloud, Keyframe, fuse_keyframes
from app.ui.scene import SceneKeyframe, packed_keyframe
from app.ui.scene_view import SceneView


class Sharing(QObject):
    """Fuses the keyframes that are shown anew when these are others, in a thread of its own."""

    _packed = Signal(object, int, object)

    def __init__(self, view: SceneView, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._view = view
        self._shares: Shares | None = None
        self._shown: list[int] = []
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="sharing")
        self._packed.connect(self._take)
        view.selection_changed.connect(self._refresh)

    def begin(self, keyframes: Sequence[Keyframe]) -> None:
        """The view has all of these keyframes, fused, and no run will change them."""
        fuse = self._view.scene.fuse
        self._shares = Shares(keyframes, fuse) if fuse and keyframes else None
        self._shown = [*range(len(keyframes))]
        self._refresh()

    def end(self) -> None:
        """Leave the view alone."""
        self._shares = None

    def close(self) -> None:
        """Drop what waits and let what is being done end."""
        self.end()
        self._executor.shutdown(wait=True, cancel_futures=True)

    def _refresh(self) -> None:
        shares, shown = self._shares, self._view.scene.shown_positions
        if shares is None or shown == self._shown:
            return
        self._shown = shown

        def work() -> None:
            try:
                for position, packed in shares.change(shown):
                    if shares is not self._shares:
                        return
                    self._packed.emit(shares, position, packed)
            except Exception:
                traceback.print_exc(file=sys.stderr)

        self._executor.submit(work)

    def _take(self, shares: Shares, position: int, packed: SceneKeyframe) -> None:
        if shares is self._shares:
            self._view.add_packed(position, packed)


class Shares:
    """What each keyframe of a reconstruction has in the view, for one thread."""

    def __init__(self, keyframes: Sequence[Keyframe], fuse: float) -> None:
        self._keyframes = keyframes
        self._fuse = fuse
        self._fused: FusedCloud | None = None

    def change(self, shown: Sequence[int]) -> Iterator[tuple[int, SceneKeyframe]]:
        """Share among these positions; yields the keyframes that have other points than before."""
        before = self._fused
        if before is None:
            before = self._among(range(len(self._keyframes)))
        self._fused = self._among(shown)
        for position in shown:
            if not self._fused.agrees(before, position):
                keyframe = self._keyframes[position]
                yield position, packed_keyframe(keyframe, self._fused.cloud(position, keyframe))

    def _among(self, positions: Sequence[int]) -> FusedCloud:
        return fuse_keyframes({at: self._keyframes[at] for at in positions}, self._fuse)
