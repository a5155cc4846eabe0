"""Shows an image as large as fits."""

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QImage, QMouseEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from app.ui import style


class ImageView(QWidget):
    """An image in the middle of the widget, at its own aspect; a hint where there is none."""

    hovered = Signal(object)
    """The pointer is over this pixel (row, column) of the image, or over none (None)."""

    def __init__(self, hint: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._hint = hint
        self._image: QImage | None = None
        # The image as large as it is painted: it is painted more often than it is new.
        self._scaled: QImage | None = None
        self._caption = ""
        self.setMouseTracking(True)
        self.setMinimumSize(160, 120)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)

    def set_image(self, image: NDArray[np.uint8] | None) -> None:
        """Show an image uint8 [H,W,3] RGB, or none."""
        self._image = None if image is None else to_qimage(image)
        self._scaled = None
        self.update()

    def set_caption(self, text: str) -> None:
        """Words in the lower left corner of the image; "" for none."""
        if text != self._caption:
            self._caption = text
            self.update()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        place = self._place()
        pixel = None
        if self._image is not None and place.contains(event.position()):
            at = event.position() - place.topLeft()
            row = int(at.y() * self._image.height() / place.height())
            column = int(at.x() * self._image.width() / place.width())
            pixel = min(row, self._image.height() - 1), min(column, self._image.width() - 1)
        self.hovered.emit(pixel)

    def leaveEvent(self, event: QEvent) -> None:
        self.hovered.emit(None)

    def sizeHint(self) -> QSize:
        return QSize(400, 300)

    def paintEvent(self, event: QPaintEvent) -> None:
        with QPainter(self) as painter:
            self._paint(painter)

    def _paint(self, painter: QPainter) -> None:
        if self._image is None:
            painter.setPen(QColor(style.MUTED))
            painter.drawText(
                self.rect(), Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap, self._hint
            )
            return
        place, ratio = self._place(), self.devicePixelRatio()
        size = (place.size() * ratio).toSize()
        if self._scaled is None or self._scaled.size() != size:
            smooth = Qt.TransformationMode.SmoothTransformation
            self._scaled = self._image.scaled(size, mode=smooth)
        painter.drawImage(place, self._scaled)
        if self._caption:
            box = painter.fontMetrics().boundingRect(self._caption).adjusted(-6, -3, 6, 3)
            box.moveBottomLeft(self._place().bottomLeft().toPoint())
            box.translate(4, -4)
            painter.fillRect(box, QColor(style.PANEL))
            painter.setPen(QColor(style.TEXT))
            painter.drawText(box, Qt.AlignmentFlag.AlignCenter, self._caption)

    def _place(self) -> QRectF:
        """Where the image is drawn."""
        if self._image is None:
            return QRectF()
        size = self._image.size().scaled(self.size(), Qt.AspectRatioMode.KeepAspectRatio)
        x, y = (self.width() - size.width()) / 2, (self.height() - size.height()) / 2
        return QRectF(x, y, size.width(), size.height())


def to_qimage(image: NDArray[np.uint8]) -> QImage:
    """A QImage with its own copy of an image uint8 [H,W,3] RGB."""
    height, width, _ = image.shape
    data = np.ascontiguousarray(image).tobytes()
    return QImage(data, width, height, 3 * width, QImage.Format.Format_RGB888).copy()
