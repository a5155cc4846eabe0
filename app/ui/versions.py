"""The network's reconstruction and the refined one: which of them is shown, or both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from PySide6.QtCore import QObject, Signal

from app.reconstruction import Keyframe
from app.ui.refining import Refined
from app.ui.run_display import RunDisplay
from app.ui.scene import SceneKeyframe

NETWORK, REFINED, BOTH = VERSIONS = "network", "refined", "both"
"""What may be shown; both: the refined scene, and the network's cameras beside its own."""


class Versions(QObject):
    """Keeps what the view shows of the network while it shows what was refined.

    `changed` tells that another version is shown, or that there are others to show; `switching`
    that the points in the view are about to be replaced.
    """

    changed = Signal()
    switching = Signal()

    def __init__(self, display: RunDisplay, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._display = display
        self._keyframes: Sequence[Keyframe] = []
        self._packed: dict[int, SceneKeyframe] = {}
        self._refined: Refined | None = None
        # Of the network's version, which may have been refined beside the run.
        self._refine = "none"
        self.shown = NETWORK

    @property
    def network(self) -> Sequence[Keyframe]:
        """The keyframes as the network has them."""
        return self._keyframes

    @property
    def can_switch(self) -> bool:
        """Whether there is a refined version."""
        return self._refined is not None

    @property
    def keyframes(self) -> Sequence[Keyframe]:
        """Those whose points are shown."""
        if self._refined and self.shown != NETWORK:
            return self._refined.run.refinement.keyframes
        return self._keyframes

    @property
    def origin(self) -> tuple[str, ...]:
        """A line on how what is shown was refined, if it was."""
        if self._refined and self.shown != NETWORK:
            return (f"refinement: {self._refined.run.refinement.reason}",)
        return ()

    @property
    def refined(self) -> Refined | None:
        """The refined version, if there is one."""
        return self._refined

    def begin(self, keyframes: Sequence[Keyframe]) -> None:
        """The view shows these keyframes as the network has them, and nothing else."""
        self._keyframes, self._refined = keyframes, None
        scene = self._display.view.scene.scene
        self._packed = dict(scene.keyframes) if keyframes else {}
        self._refine = scene.refine
        self.shown = NETWORK
        self.changed.emit()

    def drop(self) -> None:
        """Show the network's version, and forget the refined one."""
        if self._refined is None:
            return
        self.show(NETWORK)
        self._refined = None
        self.changed.emit()

    def set_refined(self, refined: Refined) -> None:
        """There is a refined version of what `begin` was given: show it."""
        self._refined = refined
        self.show(REFINED)

    def show(self, version: str) -> None:
        """Show one of `VERSIONS`."""
        if self._refined is None or version == self.shown:
            return
        had, self.shown = self.shown, version
        view = self._display.view.scene
        view.set_others(self._packed if version == BOTH else {})
        view.scene.refine = self._refine if version == NETWORK else "full"
        if NETWORK in (had, version):
            self.switching.emit()
            packed: Mapping[int, SceneKeyframe] = self._refined.packed
            self._display.show_version(
                self.keyframes, self._packed if version == NETWORK else packed
            )
            self._display.note_accuracy(None if version == NETWORK else self._refined.accuracy)
        self.changed.emit()
