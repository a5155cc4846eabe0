"""Difference against the confidence that the second model predicted."""

import re

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent
from PySide6.QtSvg import QSvgRenderer
from PySide6.QtWidgets import QSizePolicy, QWidget

from app.compare import ConfidenceCurve
from app.compare.report_plots import confidence_plot
from app.compare.svg import Ink
from app.ui import style
from app.ui.texts import localized, tr


class CurveView(QWidget):
    """The plot that the report has, in the colours of the window."""

    def __init__(self) -> None:
        super().__init__()
        self._curve: ConfidenceCurve | None = None
        self.setMinimumSize(240, 150)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self.setToolTip(
            tr(
                "Median (line) and 90th percentile (dashed) of the difference by predicted"
                " confidence; bars: how many pixels have it. A model that knows where it is wrong"
                " has lines that fall to the right."
            )
        )

    def sizeHint(self) -> QSize:
        return QSize(380, 190)

    def set_curve(self, curve: ConfidenceCurve | None) -> None:
        """Show a curve or none."""
        self._curve = curve
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        if self._curve is None:
            painter = QPainter(self)
            painter.setPen(QColor(style.MUTED))
            words = tr("The difference appears with the first keyframes")
            painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter, words)
            return
        ink = Ink(style.TEXT, style.MUTED, style.BORDER, style.HOVER)
        size = (self.width(), self.height())
        labels = tr("predicted confidence"), tr("difference (%)")
        plot = confidence_plot([(style.TRAJECTORY, self._curve)], labels, size, ink)
        svg = re.sub(r"(?<=>)[\d.]+(?=<)", lambda found: localized(found[0]), plot.svg(""))
        QSvgRenderer(svg.encode()).render(QPainter(self), QRectF(self.rect()))
