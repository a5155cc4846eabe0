"""Shows an image as large as fits."""

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QImage, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from app.ui import style


class ImageView(QWidget):
    """An image in the middle of the widget, at its own aspect; a hint where there is none."""

    def __init__(self, hint: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._hint = hint
        self._image: QImage | None = None
        self.setMinimumSize(160, 120)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)

    def set_image(self, image: NDArray[np.uint8] | None) -> None:
        """Show an image uint8 [H,W,3] RGB, or none."""
        self._image = None if image is None else to_qimage(image)
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(400, 300)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        if self._image is None:
            painter.setPen(QColor(style.MUTED))
            painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter, self._hint)
            return
        size = self._image.size().scaled(self.size(), Qt.AspectRatioMode.KeepAspectRatio)
        x, y = (self.width() - size.width()) / 2, (self.height() - size.height()) / 2
        painter.drawImage(QRectF(x, y, size.width(), size.height()), self._image)


def to_qimage(image: NDArray[np.uint8]) -> QImage:
    """A QImage with its own copy of an image uint8 [H,W,3] RGB."""
    height, width, _ = image.shape
    data = np.ascontiguousarray(image).tobytes()
    return QImage(data, width, height, 3 * width, QImage.Format.Format_RGB888).copy()
