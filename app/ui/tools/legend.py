"""Says which cameras have which colour, where two paths are shown."""

from PySide6.QtCore import QEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel

from app.ui import style
from app.ui.panels import label, set_role
from app.ui.texts import tr


class CameraLegend(QFrame):
    """Two names with their colours, in those of the theme."""

    def __init__(self) -> None:
        super().__init__()
        set_role(self, "float")
        self._swatches = [QLabel(), QLabel()]
        layout = QHBoxLayout(self)
        layout.setContentsMargins(style.GAP, style.GAP // 2, style.GAP, style.GAP // 2)
        layout.setSpacing(style.GAP)
        words = tr("Refined cameras"), tr("The network's cameras")
        for swatch, text in zip(self._swatches, words, strict=True):
            swatch.setFixedSize(16, 4)
            layout.addWidget(swatch)
            layout.addWidget(label(text))
        self._recolor()
        self.hide()

    def changeEvent(self, event: QEvent) -> None:
        if event.type() is QEvent.Type.PaletteChange:
            self._recolor()
        super().changeEvent(event)

    def _recolor(self) -> None:
        colors = style.TRAJECTORY, style.NETWORK
        for swatch, color in zip(self._swatches, colors, strict=True):
            swatch.setStyleSheet(f"background: {color}; border-radius: 2px;")
