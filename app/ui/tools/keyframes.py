"""The list of keyframes: each can be switched on and off."""

from PySide6.QtCore import QSize, Qt, QTimer
from PySide6.QtGui import QIcon, QPixmap
from PySide6.QtWidgets import QHBoxLayout, QListWidget, QListWidgetItem, QVBoxLayout, QWidget

from app.ui import style
from app.ui.image_view import to_qimage
from app.ui.panels import button, label, set_role
from app.ui.scene import SceneKeyframe
from app.ui.scene_view import SceneView
from app.ui.texts import tr

ICON = QSize(56, 42)
_POSITION = Qt.ItemDataRole.UserRole


class KeyframeList(QWidget):
    """Thumbnails with check boxes; "only" and "all" for many at once."""

    def __init__(self, view: SceneView) -> None:
        super().__init__()
        self._view = view
        self._drawn: dict[int, SceneKeyframe] = {}
        self.list = QListWidget()
        self.list.setIconSize(ICON)
        self.list.setToolTip(tr("Double click: look along with this keyframe"))
        self._count = label(role="muted")
        self._only = button(tr("Only this"), tr("Switch all others off"), self._show_only)
        self._all = button(tr("All"), tr("Switch all keyframes on"), lambda: view.show_only())
        top = QHBoxLayout()
        top.setSpacing(style.GAP // 2)
        top.addWidget(self._count, stretch=1)
        for entry in (self._only, self._all):
            set_role(entry, "small")
            top.addWidget(entry)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(style.GAP, style.GAP, style.GAP, style.GAP)
        layout.setSpacing(style.GAP)
        layout.addLayout(top)
        layout.addWidget(self.list, stretch=1)
        # Keyframes come several at a time: one refresh does for all.
        self._soon = QTimer(self, singleShot=True, interval=50)
        self._soon.timeout.connect(self.refresh)
        view.keyframes_changed.connect(self._soon.start)
        self.list.itemChanged.connect(self._on_item)
        self.list.currentItemChanged.connect(self._on_current)
        self.list.itemDoubleClicked.connect(lambda item: view.look_along(item.data(_POSITION)))
        self.refresh()

    def choose(self, position: int | None) -> None:
        """Select the entry of a keyframe."""
        for row in range(self.list.count()):
            if self.list.item(row).data(_POSITION) == position:
                self.list.setCurrentRow(row)

    def refresh(self) -> None:
        """Bring the list up to date."""
        scene = self._view.scene
        listed = [p for p in sorted(scene.keyframes) if p not in scene.removed]
        self.list.blockSignals(True)
        for row in reversed(range(self.list.count())):
            if self.list.item(row).data(_POSITION) not in listed:
                self.list.takeItem(row)
        for row, position in enumerate(listed):
            item = self.list.item(row)
            if item is None or item.data(_POSITION) != position:
                item = QListWidgetItem()
                item.setData(_POSITION, position)
                item.setFlags(item.flags() | Qt.ItemFlag.ItemIsUserCheckable)
                self.list.insertItem(row, item)
                self._drawn.pop(position, None)
            shown = position not in scene.hidden
            item.setCheckState(Qt.CheckState.Checked if shown else Qt.CheckState.Unchecked)
            self._draw(item, scene.keyframes[position])
        self.list.blockSignals(False)
        on = len(scene.shown_positions)
        words = tr("{on} of {all} on") if on < len(listed) else tr("{all} keyframes")
        self._count.setText(words.format(on=on, all=len(listed)))
        self._all.setEnabled(on < len(listed))
        self._only.setEnabled(self.list.currentItem() is not None)

    def _draw(self, item: QListWidgetItem, keyframe: SceneKeyframe) -> None:
        position = item.data(_POSITION)
        if self._drawn.get(position) is keyframe and not item.icon().isNull():
            return
        self._drawn[position] = keyframe
        item.setText(tr("Keyframe {number}").format(number=position + 1))
        if keyframe.image is not None:
            mode = Qt.TransformationMode.SmoothTransformation
            picture = QPixmap.fromImage(to_qimage(keyframe.image))
            aspect = Qt.AspectRatioMode.KeepAspectRatio
            item.setIcon(QIcon(picture.scaled(ICON * 2, aspect, mode)))

    def _on_item(self, item: QListWidgetItem) -> None:
        on = item.checkState() is Qt.CheckState.Checked
        self._view.set_visible(item.data(_POSITION), on)

    def _on_current(self, item: QListWidgetItem | None) -> None:
        self._only.setEnabled(item is not None)
        self._view.highlight(item.data(_POSITION) if item else None)

    def _show_only(self) -> None:
        if item := self.list.currentItem():
            self._view.show_only([item.data(_POSITION)])
