"""The middle and the bottom of the window: what a run shows while it goes on."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from PySide6.QtCore import QByteArray, Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QProgressBar, QSplitter, QVBoxLayout, QWidget

from app.capture import Decision, Frame
from app.reconstruction import Keyframe
from app.reconstruction.truth import Accuracy
from app.ui import style
from app.ui.compare import ComparePanel
from app.ui.depth_view import DepthMaps, DepthView
from app.ui.hints import accuracy_words, figures
from app.ui.image_view import ImageView
from app.ui.panels import Panel, StatusBar
from app.ui.reasons import reason_words
from app.ui.scene import SceneKeyframe
from app.ui.scene_panel import ScenePanel
from app.ui.session import Beginning, Growth
from app.ui.slices import Slices
from app.ui.texts import number, tr
from app.ui.timeline import Timeline

UNKNOWN_LENGTH = 10**9
"""Of a camera's stream: the progress bar then stays empty."""

WIDE = 1500
"""Logical pixels at which images and a comparison fit beside each other."""


class RunDisplay(QWidget):
    """Video, depth and the 3D view side by side, progress on top, figures below."""

    growth_shown = Signal(object)
    """All views have what a Growth brought."""

    version_shown = Signal()
    """All views have what `show_version` brought."""

    def __init__(self, export: Callable[[], None], refine: Callable[[], None]) -> None:
        """export: called when the user asks for what is shown as a file, refine: for better
        cameras and depth."""
        super().__init__()
        self.progress = QProgressBar(textVisible=False)
        self.progress.setFixedHeight(3)
        self.video_view, self.depth_view = ImageView(tr("No images yet")), DepthView()
        self.timeline = Timeline()
        self.view = ScenePanel(export, refine)
        self.status = StatusBar(figures())
        self._comparison: ComparePanel | None = None
        self._shows_images = True
        self._keyframes: Sequence[Keyframe] = []
        self._accuracy: Accuracy | None = None
        self._slices = Slices(self)
        self.view.scene.keyframes_changed.connect(self._sync_depth)
        self.depth_view.shown_changed.connect(self._on_depth)

        film = QWidget()
        column = QVBoxLayout(film)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(style.GAP)
        column.addWidget(self.video_view, stretch=1)
        column.addWidget(self.timeline)
        self._video_panel = Panel(tr("Video"), film)
        self._depth_panel = Panel(tr("Depth"), self.depth_view)
        self._images = QSplitter(Qt.Orientation.Vertical, handleWidth=style.GAP)
        self._images.addWidget(self._video_panel)
        self._images.addWidget(self._depth_panel)
        self._middle = QSplitter(Qt.Orientation.Horizontal, handleWidth=style.GAP)
        self._middle.addWidget(self._images)
        centre = QWidget()
        self._centre = QVBoxLayout(centre)
        self._centre.setContentsMargins(0, 0, 0, 0)
        self._centre.addWidget(self.view)
        self._middle.addWidget(centre)
        self._middle.setSizes([400, 880])
        self._middle.setStretchFactor(0, 0)
        self._middle.setStretchFactor(1, 1)

        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.progress)
        inner = QVBoxLayout()
        inner.setContentsMargins(style.GAP, style.GAP, style.GAP, style.GAP)
        inner.addWidget(self._middle)
        layout.addLayout(inner, stretch=1)
        layout.addWidget(self.status)

    def clear(self) -> None:
        """Forget the last run."""
        self._slices.finish()
        self.show_comparison(False)
        self.hide_message()
        self.view.show_hint(None)
        self._keyframes = []
        self._accuracy = None
        self.view.scene.clear()
        self.video_view.set_image(None)
        self.depth_view.clear()
        self._video_panel.set_note("")
        self.view.show_how_to_move()
        self.progress.reset()
        self.status.reset()

    def show_beginning(self, beginning: Beginning) -> None:
        """Source and model are open."""
        self.progress.setMaximum(beginning.length or UNKNOWN_LENGTH)
        self.status.set_figure("model", f"{number(beginning.bundle.model_bytes / 1e6, 1)} MB")

    def show_frame(self, frame: Frame, decision: Decision) -> None:
        """The newest frame, and whether it became a keyframe."""
        self.video_view.set_image(frame.image)
        text = (
            tr("Frame {number} keyframe: {reason}")
            if decision.accepted
            else tr("Frame {number} skipped: {reason}")
        )
        self._video_panel.set_note(
            text.format(number=frame.index + 1, reason=reason_words(decision.reason))
        )
        self.progress.setValue(frame.index + 1)

    def show_growth(self, growth: Growth, packed: dict[int, SceneKeyframe]) -> None:
        """What one window of views brought, and its keyframes as the 3D view takes them.

        A closed loop may change all keyframes: they are taken over in slices, see `growth_shown`.
        """
        scene = self.view.scene
        self._slices.add(
            *(partial(scene.set_pose, *moved) for moved in growth.moved),
            *(partial(scene.add_packed, *item) for item in packed.items()),
            partial(self._end_growth, growth),
        )

    def finish_growth(self) -> None:
        """Take over at once what is left of a growth."""
        self._slices.finish()

    def show_version(
        self, keyframes: Sequence[Keyframe], packed: Mapping[int, SceneKeyframe]
    ) -> None:
        """Put other keyframes, and what the 3D view takes of them, in the places of the old."""
        scene = self.view.scene
        self._slices.add(
            *(partial(scene.add_packed, *item) for item in packed.items()),
            partial(self.show_depths, keyframes, range(len(keyframes))),
            self.version_shown.emit,
        )

    def show_depths(self, keyframes: Sequence[Keyframe], changed: Sequence[int]) -> None:
        """Take over all keyframes as they are now; changed: positions of new and changed ones."""
        self._keyframes = keyframes
        removed = self.view.scene.scene.removed
        self._set_depths([position for position in changed if position not in removed])

    def comparison(self) -> ComparePanel:
        """Where two models are compared, made when it is needed first."""
        if self._comparison is None:
            panel = self._comparison = ComparePanel()
            panel.hide()
            self._centre.addWidget(panel)
            for scene in panel.linked.views:
                scene.set_point_size(self.view.point_size.value)
                self.view.point_size.changed.connect(scene.set_point_size)
            self.view.bar.reset.triggered.connect(panel.linked.reset_view)
        return self._comparison

    @property
    def is_comparing(self) -> bool:
        """Whether the comparison is in the middle, in place of the one scene."""
        return self._comparison is not None and not self._comparison.isHidden()

    def show_comparison(self, shown: bool) -> None:
        """Put the comparison into the middle, or the one scene."""
        if shown or self._comparison:
            self.comparison().setVisible(shown)
        self.view.setVisible(not shown)
        self.view.bar.set_active(not shown)
        self._arrange()

    def show_message(self, text: str) -> None:
        """Say what went wrong over what is in the middle."""
        self.view.banner.show_text(text)
        if self._comparison:
            self._comparison.banner.show_text(text)

    def hide_message(self) -> None:
        """What was said is done with."""
        self.view.banner.hide()
        if self._comparison:
            self._comparison.banner.hide()

    def close_work(self) -> None:
        """End what goes on in the background."""
        if self._comparison:
            self._comparison.close_work()

    def show_accuracy(self, accuracy: Accuracy, lane: int = 0) -> None:
        """How far the run is off the truth."""
        if lane == 0:
            self._accuracy = accuracy
            self.note_accuracy(None)

    def note_accuracy(self, accuracy: Accuracy | None) -> None:
        """How far what is shown is off the truth; None: as far as the run was."""
        if (known := accuracy or self._accuracy) and (words := accuracy_words(known)):
            self.view.set_note(words)

    def count_points(self) -> int:
        """Bring the figure of the points up to date; returns how many are shown."""
        scene = self.view.scene.scene
        shown, count = scene.shown_count, scene.point_count
        if count:
            words = tr("{shown} of {all}")
            self.status.set_figure("points", words.format(shown=number(shown), all=number(count)))
        return shown

    @property
    def has_scene(self) -> bool:
        """Whether there is anything to look at."""
        return bool(self.view.scene.scene.keyframes)

    def show_images(self, shown: bool) -> None:
        """Show video and depth beside the 3D view, or not."""
        self._shows_images = shown
        self._arrange()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._arrange()

    def save_state(self) -> QByteArray:
        """How the room is shared out."""
        return self._middle.saveState()

    def restore_state(self, state: QByteArray) -> None:
        """Share the room out as before."""
        if not state.isEmpty():
            self._middle.restoreState(state)

    def _end_growth(self, growth: Growth) -> None:
        scaled = [place for place, _, factor in growth.moved if factor != 1]
        for position in scaled:
            # The depth from before the loop would be kept for nothing else.
            self.view.scene.scene.keyframes[position].depth = growth.keyframes[position].depth
        self.show_depths(growth.keyframes, [*scaled, *(view.position for view in growth.views)])
        latency = time.perf_counter() - growth.accepted
        speed = tr("{value} views/s").format(value=number(growth.views_per_second, 1))
        self.status.set_figure("keyframes", f"{len(growth.keyframes)}")
        self.status.set_figure("speed", speed)
        self.status.set_figure("latency", f"{number(latency, 2)} s")
        self.status.set_figure("memory", f"{growth.peak_memory / 2**20:.0f} MiB")
        self.growth_shown.emit(growth)

    def _arrange(self) -> None:
        """A comparison has images of its own, and needs the room in all but wide windows."""
        has_room = not self.is_comparing or self.width() >= WIDE
        self._images.setVisible(self._shows_images and has_room)

    def _set_depths(self, positions: Sequence[int]) -> None:
        words = tr("Keyframe {keyframe}, frame {frame}")
        self.depth_view.set_keyframes(
            {
                position: DepthMaps(
                    keyframe.depth,
                    keyframe.confidence,
                    words.format(keyframe=position + 1, frame=keyframe.index + 1),
                )
                for position in positions
                for keyframe in [self._keyframes[position]]
            }
        )

    def _sync_depth(self) -> None:
        """Keyframes that were taken back have no depth to turn to, until they are back again."""
        scene = self.view.scene.scene
        there = {place for place in scene.keyframes if place not in scene.removed}
        known = self.depth_view.positions
        for position in known - there:
            self.depth_view.remove_keyframe(position)
        self._set_depths([place for place in there - known if place < len(self._keyframes)])

    def _on_depth(self, position: int | None) -> None:
        self._depth_panel.set_note("" if position is None else self.depth_view.words)
