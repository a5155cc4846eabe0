"""Colour maps of pictures of depth and confidence, and the ramp that explains them."""

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QRectF
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QWidget

from app.export.images import color_table
from app.reconstruction.cloud import confidence_rank
from app.ui.image_view import to_qimage

MAPS = ("turbo", "viridis", "grey")


def color_confidence(confidence: NDArray[np.float32], name: str = "turbo") -> NDArray[np.uint8]:
    """The place of each pixel [H,W] by its confidence in one of `MAPS`, [H,W,3]; sure is bright."""
    return color_table(name)[confidence_rank(confidence)]


class Ramp(QWidget):
    """The colours from one end of a range to the other."""

    def __init__(self) -> None:
        super().__init__()
        self.setFixedHeight(8)
        self.set_map("turbo")

    def set_map(self, name: str, reverse: bool = False) -> None:
        """Show one of `MAPS` from high to low, as depth has it, or the other way."""
        colors = color_table(name)[None, :: 1 if reverse else -1]
        self._image = to_qimage(np.ascontiguousarray(colors))
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        painter.drawImage(QRectF(self.rect()), self._image)
