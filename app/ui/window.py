"""The window: choose a source and a model, watch the scene grow, look at it, export it."""

import math
import shlex
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QCloseEvent, QKeySequence, QShortcut
from PySide6.QtWidgets import (
    QMainWindow,
    QProgressBar,
    QSplitter,
    QVBoxLayout,
    QWidget,
)

from app.capture import SourceError
from app.engine import Bundle, BundleError, Engine, EngineError
from app.errors import AppError
from app.reconstruction import Keyframe
from app.reconstruction.truth import Accuracy
from app.ui import style
from app.ui.choices import Choice
from app.ui.choosers import ModelChooser, SourceChooser
from app.ui.controls import RunBar, State
from app.ui.depth_view import DepthView
from app.ui.exporting import Exporter, ask_export
from app.ui.image_view import ImageView
from app.ui.panels import Message, Panel, StatusBar, button, set_role
from app.ui.scene import pack_keyframe
from app.ui.scene_panel import HOW_TO_MOVE, ScenePanel
from app.ui.session import Beginning, Growth, Session

FIGURES = {
    "Keyframes": ("Frames that are part of the reconstruction", "000"),
    "Points": ("Points that are shown, of all that there are", "0,000,000 of 0,000,000"),
    "Speed": ("Views that the network took in a second of its time", "00.0 views/s"),
    "Latency": ("From the choice of a keyframe to its points in the view", "00.00 s"),
    "Memory": ("Largest memory of the engine's process so far", "0000 MiB"),
    "Model": ("Size of the model's program", "00.0 MB"),
}
UNKNOWN_LENGTH = 10**9
"""Of a camera's stream: the progress bar then stays empty."""

ADVICE: dict[type[AppError], str] = {
    SourceError: "Choose another source.",
    BundleError: "Choose another model.",
    EngineError: "Press Start to run it again; if that does not help, choose another model.",
}
"""What the user can do about a fault."""


class MainWindow(QMainWindow):
    """The whole window. It never waits: a Session does the work in the background."""

    run_ended = Signal()
    """A run is over; `failure` says what went wrong, if anything did."""

    def __init__(
        self,
        sources: Sequence[Choice],
        bundles: Sequence[Choice],
        start_engine: Callable[[Bundle], Engine] = Engine,
    ) -> None:
        """sources, bundles: what to offer; start_engine: makes the engine of a run."""
        super().__init__()
        self.failure = ""
        self._start_engine = start_engine
        self._session: Session | None = None
        self._state = State.IDLE
        self._started = 0.0
        self._origin = ""
        self._keyframes: list[Keyframe] = []
        self.exporter = Exporter(self)
        self._first_source = sources[0] if sources else None

        self.setWindowTitle("Pocket VGGT")
        self.sources, self.models = SourceChooser(sources), ModelChooser(bundles)
        self._bar = RunBar(self.sources, self.models, self.start, self.toggle_pause, self.stop)
        self._progress = QProgressBar(textVisible=False)
        self._video, self._depth = ImageView("No images yet"), DepthView()
        self._video_panel = Panel("Video", self._video)
        self._depth_panel = Panel("Depth", self._depth)
        self.view = ScenePanel(self._ask_export)
        self.status = StatusBar(FIGURES)
        self._lay_out()
        self._connect()
        self._enter(State.IDLE, "Ready")
        self.resize(1280, 800)

    @property
    def is_idle(self) -> bool:
        """Whether no run is going on."""
        return self._state is State.IDLE

    def start(self) -> None:
        """Run the chosen source through the chosen model, into an empty scene."""
        source, model = self.sources.choice, self.models.choice
        if self._state is not State.IDLE or source is None or model is None:
            return
        self.failure = ""
        self.view.banner.hide()
        self.view.show_hint(None)
        self.view.scene.clear()
        self._video.set_image(None)
        self._depth.set_depth(None)
        self._video_panel.set_note("")
        self._depth_panel.set_note("")
        self.view.set_note(HOW_TO_MOVE)
        self._progress.reset()
        self.status.reset()
        self._started = time.perf_counter()
        self._keyframes = []
        made = ["python", "-m", "app", "reconstruct", source.value, "--bundle", model.value]
        self._origin = f"made in the window; the same: {shlex.join([*made, '--out', 'DIR'])}"
        session = Session(source.value, Path(model.value), self._start_engine, parent=self)
        session.began.connect(self._on_began)
        session.frame_ready.connect(self._on_frame)
        session.grown.connect(self._on_grown)
        session.assessed.connect(self._on_assessed)
        session.warned.connect(self.view.banner.show_text)
        session.failed.connect(self._on_failed)
        session.ended.connect(self._on_ended)
        self._session = session
        self._enter(State.RUNNING, f"Loading {model.label}…")
        session.start()

    def toggle_pause(self) -> None:
        """Hold the source or go on."""
        if self._session and self._state is State.RUNNING:
            self._session.pause()
            self._enter(State.PAUSED, "Paused")
        elif self._session and self._state is State.PAUSED:
            self._session.resume()
            self._enter(State.RUNNING, "Capturing")

    def stop(self) -> None:
        """End the source; the keyframes that wait are still reconstructed."""
        if self._session and self._state in (State.RUNNING, State.PAUSED):
            self._enter(State.ENDING, "Finishing…")
            self._session.stop()

    def export(self, name: str, path: Path) -> None:
        """Write the points that are shown in the format of this name; see `exporter.ended`."""
        selection = self.view.scene.selection(self._keyframes)
        again = ["python", "-m", "app", "export", "DIR", "--format", name, "--out", path.name]
        origin = (self._origin, f"the same: {shlex.join([*again, *selection.arguments()])}")
        self.exporter.start(name, path, replace(selection, origin=origin))

    def closeEvent(self, event: QCloseEvent) -> None:
        if self._session:
            self._session.abandon()
        super().closeEvent(event)

    def _on_export_ended(self, error: str) -> None:
        if error:
            self.view.banner.show_text(error)
        else:
            self.status.set_state("Exported")

    def _on_began(self, beginning: Beginning) -> None:
        self._progress.setMaximum(beginning.length or UNKNOWN_LENGTH)
        self.status.set_figure("Model", f"{beginning.bundle.model_bytes / 1e6:.1f} MB")
        if self._state is State.RUNNING:
            self.status.set_state("Capturing")

    def _on_frame(self) -> None:
        latest = self._session.latest_frame() if self._session else None
        if latest is None:
            return
        frame, decision = latest
        self._video.set_image(frame.image)
        verdict = "keyframe" if decision.accepted else "skipped"
        self._video_panel.set_note(f"Frame {frame.index + 1} {verdict}: {decision.reason}")
        self._progress.setValue(frame.index + 1)

    def _on_grown(self, growth: Growth) -> None:
        self._keyframes = growth.keyframes
        for view in growth.views:
            keyframe = growth.keyframes[view.position]
            packed = pack_keyframe(
                view.cloud.points,
                view.cloud.colors,
                view.cloud.rank,
                view.world_from_camera,
                view.intrinsic,
                view.depth.shape,
                image=keyframe.image,
                depth=view.depth,
                confidence=keyframe.confidence,
                frame=keyframe.index,
                name=keyframe.name,
            )
            self.view.scene.add_packed(view.position, packed)
            self._depth.set_keyframe(view.position, view.depth, keyframe.confidence)
        newest = growth.views[-1]
        self._depth_panel.set_note(f"Keyframe {newest.position + 1}, frame {newest.frame + 1}")
        latency = time.perf_counter() - growth.accepted
        self.status.set_figure("Keyframes", f"{len(growth.keyframes)}")
        self.status.set_figure("Speed", f"{growth.views_per_second:.1f} views/s")
        self.status.set_figure("Latency", f"{latency:.2f} s")
        self.status.set_figure("Memory", f"{growth.peak_memory / 2**20:.0f} MiB")
        self._count_points()

    def _on_assessed(self, accuracy: Accuracy) -> None:
        depth = accuracy.depth.abs_rel if accuracy.depth else math.nan
        errors = {
            f"rotation {accuracy.pose.rotation_deg:.1f}°": accuracy.pose.rotation_deg,
            f"path {accuracy.pose.ate_percent:.1f} %": accuracy.pose.ate_percent,
            f"depth {100 * depth:.0f} %": depth,
        }
        known = [text for text, error in errors.items() if math.isfinite(error)]
        if known:
            self.view.set_note(f"Off the truth by: {', '.join(known)}")

    def _on_failed(self, error: AppError) -> None:
        self.failure = str(error)
        what = f"{self.failure[:1].upper()}{self.failure[1:].rstrip('.')}."
        self.view.banner.show_text(f"{what} {ADVICE.get(type(error), '')}".rstrip())

    def _on_ended(self) -> None:
        assert self._session is not None
        self._session.deleteLater()
        latest = self._session.latest_frame()
        self._session = None
        count = len(self.view.scene.scene.keyframes)
        if not count and not self.failure and self._state is not State.ENDING:
            why = f"; the last one: {latest[1].reason}" if latest else ""
            self._on_failed(SourceError(f"no frame could be used{why}"))
        seconds = time.perf_counter() - self._started
        self._enter(State.IDLE, "Ended by an error" if self.failure else f"Done in {seconds:.1f} s")
        self._progress.reset()
        self.run_ended.emit()

    def _enter(self, state: State, text: str) -> None:
        self._state = state
        self.status.set_state(text)
        self._refresh()

    def _refresh(self) -> None:
        ready = self.sources.choice is not None and self.models.choice is not None
        self._bar.show_state(self._state, ready)
        self._pause_key.setEnabled(self._state in (State.RUNNING, State.PAUSED))
        if self._state is State.IDLE and not self.view.scene.scene.keyframes:
            self.view.show_hint(self._make_hint())
        self._count_points()

    def _count_points(self) -> None:
        scene = self.view.scene.scene
        self.view.export.setEnabled(scene.shown_count > 0)
        if scene.point_count:
            self.status.set_figure("Points", f"{scene.shown_count:,} of {scene.point_count:,}")

    def _make_hint(self) -> Message:
        if self.models.choice is None:
            return Message(
                "No model yet",
                "Run “make demo” once in the project's folder: it prepares the models that come "
                "with it. Or open a bundle that you have.",
                [button("Open bundle…", "By its manifest.json or zip", self.models.ask_bundle)],
            )
        open_video = button("Open video…", "Choose a video (Ctrl+O)", self.sources.ask_video)
        first = self._first_source
        if first is None:
            return Message(
                "Nothing captured yet",
                "Open a video or a folder of images that show one place from several sides.",
                [open_video],
            )
        play = button(f"Start: {first.label}", "Run this source", lambda: self._play(first))
        set_role(play, "primary")
        return Message(
            "Nothing captured yet",
            f"Start with “{first.label}” and watch it become points in space. Or open a video or "
            "a folder of images that show one place from several sides.",
            [play, open_video],
        )

    def _play(self, source: Choice) -> None:
        self.sources.add(source)
        self.start()

    def _lay_out(self) -> None:
        self._progress.setFixedHeight(3)
        images = QSplitter(Qt.Orientation.Vertical, handleWidth=style.GAP)
        images.addWidget(self._video_panel)
        images.addWidget(self._depth_panel)
        middle = QSplitter(Qt.Orientation.Horizontal, handleWidth=style.GAP)
        middle.addWidget(images)
        middle.addWidget(self.view)
        middle.setSizes([400, 880])
        middle.setStretchFactor(0, 0)
        middle.setStretchFactor(1, 1)

        root = QWidget()
        layout = QVBoxLayout(root)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self._bar)
        layout.addWidget(self._progress)
        inner = QVBoxLayout()
        inner.setContentsMargins(style.GAP, style.GAP, style.GAP, style.GAP)
        inner.addWidget(middle)
        layout.addLayout(inner, stretch=1)
        layout.addWidget(self.status)
        self.setCentralWidget(root)

    def _connect(self) -> None:
        self.sources.picked.connect(self._refresh)
        self.models.picked.connect(self._refresh)
        self.view.scene.selection_changed.connect(self._count_points)
        self.exporter.ended.connect(self._on_export_ended)
        self._pause_key = QShortcut(QKeySequence("Space"), self, self.toggle_pause)
        for keys, action in {
            "[": lambda: self.view.point_size.step(-1),
            "]": lambda: self.view.point_size.step(1),
            "Ctrl+E": self._ask_export,
            "Ctrl+O": self.sources.ask_video,
        }.items():
            QShortcut(QKeySequence(keys), self, action)

    def _ask_export(self) -> None:
        if self.view.scene.scene.shown_count and (choice := ask_export(self)):
            self.export(*choice)
