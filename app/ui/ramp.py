"""Colour maps of pictures of depth and confidence, and the ramp that explains them."""

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QRectF
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QWidget

from app.export.images import color_depth, color_table
from app.reconstruction.cloud import confidence_rank
from app.ui.image_view import to_qimage

MAPS = ("turbo", "viridis", "grey")


def colored(
    depth: NDArray[np.float32], near: float, far: float, name: str = "turbo"
) -> NDArray[np.uint8]:
    """Depth [H,W] from near to far in one of `MAPS`, [H,W,3] RGB; near is bright, 0 is black."""
    if name == "turbo":
        return color_depth(depth, near, far)
    place = np.log(np.maximum(depth, 1e-9) / near) / max(np.log(far / near), 1e-9)
    picture = _map(np.rint(255 * (1 - np.clip(place, 0, 1))).astype(np.uint8), name)
    picture[depth <= 0] = 0
    return picture


def color_confidence(confidence: NDArray[np.float32], name: str = "turbo") -> NDArray[np.uint8]:
    """The place of each pixel [H,W] by its confidence in one of `MAPS`, [H,W,3]; sure is bright."""
    return _map(confidence_rank(confidence), name)


def _map(value: NDArray[np.uint8], name: str) -> NDArray[np.uint8]:
    if name == "grey":
        return np.repeat(value[..., None], 3, axis=-1)
    return color_table(name)[value]


class Ramp(QWidget):
    """The colours from one end of a range to the other."""

    def __init__(self) -> None:
        super().__init__()
        self.setFixedHeight(8)
        self.set_map("turbo")

    def set_map(self, name: str, reverse: bool = False) -> None:
        """Show one of `MAPS` from high to low, as depth has it, or the other way."""
        values = np.arange(256, dtype=np.uint8)[None, :: 1 if reverse else -1]
        self._image = to_qimage(_map(np.ascontiguousarray(values), name))
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        painter.drawImage(QRectF(self.rect()), self._image)
