"""The column beside the compared views: difference, confidence and cost."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtWidgets import QFrame, QScrollArea, QVBoxLayout, QWidget

from app.compare import Comparison
from app.ui import style
from app.ui.compare.curve_view import CurveView
from app.ui.compare.difference_view import DifferenceView
from app.ui.compare.figures_view import FiguresView
from app.ui.compare.words import cut_words
from app.ui.panels import Panel, label
from app.ui.texts import tr

WIDTH = 400
"""The least, in logical pixels."""


class SideColumn(QScrollArea):
    """As wide as its table needs it, with a bar to scroll up and down."""

    def __init__(self) -> None:
        super().__init__(widgetResizable=True)
        self.difference, self.curve, self.figures = DifferenceView(), CurveView(), FiguresView()
        self._cut = label(role="muted")
        self._cut.setWordWrap(True)
        confidence, self._inside = QWidget(), QWidget()
        lines = QVBoxLayout(confidence)
        lines.setContentsMargins(style.GAP, 0, style.GAP, style.GAP)
        lines.addWidget(self.curve)
        lines.addWidget(self._cut)
        stack = QVBoxLayout(self._inside)
        stack.setContentsMargins(0, 0, 0, 0)
        stack.setSpacing(style.GAP)
        stack.addWidget(Panel(tr("Difference"), self.difference))
        stack.addWidget(Panel(tr("Difference by confidence"), confidence))
        stack.addWidget(Panel(tr("Cost"), self.figures))
        stack.addStretch()
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setWidget(self._inside)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.fit()

    def clear(self) -> None:
        """Show nothing."""
        self.difference.clear()
        self.curve.set_curve(None)
        self.figures.clear()
        self._cut.setText("")

    def set_comparison(self, comparison: Comparison) -> None:
        """Show another comparison."""
        apart = comparison.differences[1]
        self.difference.set_comparison(comparison)
        self.curve.set_curve(apart.confidence if apart else None)
        self._cut.setText(cut_words(comparison))

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        # Only now what is inside knows how wide its new texts are.
        if watched is self._inside and event.type() is QEvent.Type.LayoutRequest:
            self.fit()
        return super().eventFilter(watched, event)

    def fit(self) -> None:
        """Grow with the table, whose width comes from the names of the models."""
        bar = self.verticalScrollBar().sizeHint().width()
        self.setMinimumWidth(max(WIDTH, self._inside.minimumSizeHint().width() + bar))
