"""The 3D view with what belongs to it: messages over it, and how it is looked at."""

from collections.abc import Callable

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QVBoxLayout, QWidget

from app.ui import style
from app.ui.controls import LabelledSlider
from app.ui.panels import Banner, Message, Panel, button
from app.ui.scene_view import SceneView

HOW_TO_MOVE = "Drag to orbit, right drag to pan, wheel to zoom"


class ScenePanel(Panel):
    """The 3D view, a hint in its middle, a banner on top, and sliders below."""

    def __init__(self, export: Callable[[], None]) -> None:
        """export: called when the user asks for what is shown as a file."""
        self.scene = SceneView()
        self.hint: Message | None = None
        self.banner = Banner()
        self.confidence = LabelledSlider(
            "Confidence", (0, 95), 30, _share_words, "Hides the points that are least certain"
        )
        self.point_size = LabelledSlider(
            "Point size", (1, 8), 2, "{} px".format, "Side of a point on the screen ([ and ])"
        )
        self.export = button(
            "Export…", "Write what is shown: points, a surface, COLMAP … (Ctrl+E)", export
        )
        reset = button("Reset view", "Look at the whole scene again (R)", self.scene.reset_view)

        picture = QWidget()
        self._stack = stack = QGridLayout(picture)
        stack.setContentsMargins(0, 0, 0, 0)
        stack.addWidget(self.scene, 0, 0)
        top = QVBoxLayout()
        top.setContentsMargins(style.GAP, style.GAP, style.GAP, style.GAP)
        top.addWidget(self.banner)
        top.addStretch()
        stack.addLayout(top, 0, 0)

        looks = QHBoxLayout()
        looks.setContentsMargins(style.GAP, 0, style.GAP, style.GAP)
        looks.setSpacing(2 * style.GAP)
        looks.addWidget(self.confidence, stretch=3)
        looks.addWidget(self.point_size, stretch=2)
        looks.addWidget(reset)
        looks.addWidget(self.export)

        content = QWidget()
        column = QVBoxLayout(content)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(style.GAP)
        column.addWidget(picture, stretch=1)
        column.addLayout(looks)
        super().__init__("3D view", content)
        self.set_note(HOW_TO_MOVE)

        self.confidence.changed.connect(self._on_confidence)
        self.point_size.changed.connect(self.scene.set_point_size)
        self._on_confidence(self.confidence.value)

    def show_hint(self, hint: Message | None) -> None:
        """Put a message into the middle of the view, in place of an earlier one."""
        if self.hint:
            self.hint.hide()
            self.hint.deleteLater()
        self.hint = hint
        if hint:
            self._stack.addWidget(hint, 0, 0, Qt.AlignmentFlag.AlignCenter)

    def _on_confidence(self, percent: int) -> None:
        self.scene.set_confidence_quantile(percent / 100)


def _share_words(hidden: int) -> str:
    return f"best {100 - hidden} %" if hidden else "all points"
