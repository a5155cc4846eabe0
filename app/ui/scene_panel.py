"""The 3D view with what belongs to it: its tools, messages over it, and how it is looked at."""

from collections.abc import Callable

from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QAction, QKeySequence, QShortcut
from PySide6.QtWidgets import (
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QStackedLayout,
    QVBoxLayout,
    QWidget,
)

from app.ui import style
from app.ui.controls import LabelledSlider
from app.ui.menu_table import refine_tip
from app.ui.panels import Banner, Message, Panel, button, set_role
from app.ui.scene_view import SceneView
from app.ui.texts import tr
from app.ui.tools import CropTool, KeyframeCard, KeyframeList, MeasureTool, ViewBar
from app.ui.tools.legend import CameraLegend
from app.ui.tools.look import wear

DRAWER = 236
"""Width of the drawer in logical pixels."""


class ScenePanel(Panel):
    """The 3D view under a bar of its tools, with a drawer beside it and sliders below."""

    def __init__(
        self, export: Callable[[], None], refine: Callable[[], None] = lambda: None
    ) -> None:
        """export: called when the user asks for what is shown as a file, refine: for better
        cameras and depth."""
        self.scene = SceneView()
        self.hint: Message | None = None
        self.banner = Banner()
        self.confidence = LabelledSlider(
            tr("Confidence"), (0, 95), 30, _share_words, tr("Hides the points that are least sure")
        )
        self.point_size = LabelledSlider(
            tr("Point size"),
            (1, 8),
            3,
            tr("{size} px").replace("{size}", "{}").format,
            tr("Side of a point on the screen ([ and ])"),
        )
        self.export = button(
            tr("Export…"), tr("Write what is shown: points, a surface, COLMAP … (Ctrl+E)"), export
        )
        self.refine = button(tr("Refine"), f"{refine_tip()} (Ctrl+Shift+R)", refine)
        self.legend = CameraLegend()
        self.keyframes, self.crop = KeyframeList(self.scene), CropTool(self.scene)
        self.measure, self.card = MeasureTool(self.scene), KeyframeCard(self.scene)
        content = QWidget()
        super().__init__(tr("3D view"), content)
        self.bar = ViewBar(self.scene, self)
        self._drawer = QFrame()
        self._pages = QStackedLayout(self._drawer)
        self._lay_out(content)
        self.show_how_to_move()
        self._connect()
        self._on_confidence(self.confidence.value)
        self.scene.set_point_size(self.point_size.value)
        wear(self)

    def show_hint(self, hint: Message | None) -> None:
        """Put a message into the middle of the view, in place of an earlier one."""
        if self.hint:
            self.hint.hide()
            self.hint.deleteLater()
        self.hint = hint
        if hint:
            self._stack.addWidget(hint, 0, 0, Qt.AlignmentFlag.AlignCenter)

    def show_how_to_move(self) -> None:
        """Say beside the title what the mouse does."""
        self.set_note(how_to_move(self.bar.modes.checkedAction().data()))

    def show_versions(self, can_switch: bool, shown: str) -> None:
        """Offer to switch between the network's version and the refined one; shown: which is."""
        self.bar.offer_versions(can_switch, shown)
        self.legend.setVisible(bool(self.scene.scene.others))

    def changeEvent(self, event: QEvent) -> None:
        if event.type() is QEvent.Type.PaletteChange:
            wear(self)
        super().changeEvent(event)

    def _lay_out(self, content: QWidget) -> None:
        picture = QWidget()
        self._stack = stack = QGridLayout(picture)
        stack.setContentsMargins(0, 0, 0, 0)
        stack.addWidget(self.scene, 0, 0)
        over = QVBoxLayout()
        over.setContentsMargins(style.GAP, style.GAP, style.GAP, style.GAP)
        over.setSpacing(style.GAP)
        over.addWidget(self.banner)
        over.addWidget(self.legend, alignment=Qt.AlignmentFlag.AlignRight)
        over.addStretch()
        over.addWidget(self.card, alignment=Qt.AlignmentFlag.AlignLeft)
        over.addWidget(self.measure, alignment=Qt.AlignmentFlag.AlignHCenter)
        stack.addLayout(over, 0, 0)

        set_role(self._drawer, "drawer")
        self._drawer.setFixedWidth(DRAWER)
        for page in (self.keyframes, self.crop):
            self._pages.addWidget(page)
        self._drawer.hide()
        middle = QHBoxLayout()
        middle.setSpacing(0)
        middle.addWidget(picture, stretch=1)
        middle.addWidget(self._drawer)

        looks = QHBoxLayout()
        looks.setContentsMargins(style.GAP, 0, style.GAP, style.GAP)
        looks.setSpacing(2 * style.GAP)
        looks.addWidget(self.confidence, stretch=3)
        looks.addWidget(self.point_size, stretch=2)
        buttons = QHBoxLayout()
        buttons.setSpacing(style.GAP)
        buttons.addWidget(self.refine)
        buttons.addWidget(self.export)
        looks.addLayout(buttons)

        column = QVBoxLayout(content)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(style.GAP)
        column.addWidget(self.bar)
        column.addLayout(middle, stretch=1)
        column.addLayout(looks)

    def _connect(self) -> None:
        self.confidence.changed.connect(self._on_confidence)
        self.point_size.changed.connect(self.scene.set_point_size)
        bar = self.bar
        for action, page in ((bar.keyframes, self.keyframes), (bar.box, self.crop)):
            action.toggled.connect(
                lambda on, action=action, page=page: self._on_drawer(on, action, page)
            )
        bar.measure.toggled.connect(self._on_measure)
        bar.modes.triggered.connect(self.show_how_to_move)
        self.measure.scale_changed.connect(self.crop.refresh)
        self.scene.keyframe_picked.connect(self._on_picked)
        self.scene.nothing_picked.connect(self._on_nothing)
        escape = QShortcut(QKeySequence("Esc"), self, self._on_escape)
        escape.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)

    def _on_confidence(self, percent: int) -> None:
        self.scene.set_confidence_quantile(percent / 100)

    def _on_drawer(self, on: bool, action: QAction, page: QWidget) -> None:
        """One page at a time."""
        if on:
            self._pages.setCurrentWidget(page)
            for other in (self.bar.keyframes, self.bar.box):
                if other is not action:
                    other.setChecked(False)
        self._drawer.setVisible(self.bar.keyframes.isChecked() or self.bar.box.isChecked())

    def _on_measure(self, on: bool) -> None:
        if on:
            self.card.close_card()
        self.measure.setVisible(on)

    def _on_picked(self, position: int) -> None:
        if not self.bar.measure.isChecked():
            self.card.show_keyframe(position)
            self.keyframes.choose(position)

    def _on_nothing(self) -> None:
        if self.card.isVisible():
            self.card.close_card()

    def _on_escape(self) -> None:
        if self.bar.measure.isChecked():
            self.bar.measure.setChecked(False)
        else:
            self.card.close_card()


def how_to_move(mode: str) -> str:
    """What the mouse does in a mode of `MODES`."""
    if mode == "fly":
        return tr("W A S D to move, drag to look around, wheel for speed")
    if mode == "trackball":
        return tr("Drag to turn, right drag to pan, wheel to zoom")
    return tr("Drag to orbit, right drag to pan, wheel to zoom")


def _share_words(hidden: int) -> str:
    return tr("best {share} %").format(share=100 - hidden) if hidden else tr("all points")
