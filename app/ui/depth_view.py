"""Shows depth in colours, with the range that they stand for."""

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QRectF
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QVBoxLayout, QWidget

from app.export.images import color_depth
from app.ui import style
from app.ui.image_view import ImageView, to_qimage

STRAYS = 0.02
"""Share of the pixels at either end that does not stretch the range."""


class DepthView(QWidget):
    """A depth map and its legend. Depth is in network scale: it has no unit."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._picture = ImageView("Depth appears with the first keyframes", self)
        self._legend = QWidget(self)
        self._legend.setToolTip("Depth in the network's own scale, without a unit")
        self._near, self._far = QLabel(), QLabel()
        legend = QHBoxLayout(self._legend)
        legend.setContentsMargins(style.GAP, 0, style.GAP, style.GAP)
        legend.setSpacing(style.GAP)
        legend.addWidget(self._near)
        legend.addWidget(_Ramp(), stretch=1)
        legend.addWidget(self._far)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(style.GAP)
        layout.addWidget(self._picture, stretch=1)
        layout.addWidget(self._legend)
        self.set_depth(None)

    def set_depth(self, depth: NDArray[np.float32] | None) -> None:
        """Show z-depth [H,W] over its own range, without strays; 0 means unknown. None: nothing."""
        known = depth[depth > 0] if depth is not None else np.empty(0)
        self._legend.setVisible(len(known) > 0)
        if depth is None or not len(known):
            self._picture.set_image(None)
            return
        near, far = (float(value) for value in np.quantile(known, [STRAYS, 1 - STRAYS]))
        self._picture.set_image(color_depth(depth, near, far))
        self._near.setText(f"near {near:.2f}")
        self._far.setText(f"far {far:.2f}")


class _Ramp(QWidget):
    """The colours from near to far, in even steps of the logarithm like `color_depth`."""

    def __init__(self) -> None:
        super().__init__()
        self.setFixedHeight(8)
        depths = np.geomspace(1, 2, 256, dtype=np.float32)[None]
        self._image = to_qimage(color_depth(depths, 1, 2))

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        painter.drawImage(QRectF(self.rect()), self._image)
