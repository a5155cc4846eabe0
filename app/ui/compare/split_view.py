"""Two pictures of one size side by side, or on top of each other under a divider."""

from enum import Enum, auto

from PySide6.QtCore import QEvent, QObject, QPoint, QRectF, Qt, Signal
from PySide6.QtGui import QColor, QMouseEvent, QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QLabel, QWidget

from app.ui import style
from app.ui.panels import label, set_role
from app.ui.texts import tr

HANDLE = 14
"""Width of what can be grabbed of the divider, logical pixels."""

STEP = 0.02
"""What an arrow key moves the divider by, as a share of the width."""


class Mode(Enum):
    """How two pictures are compared."""

    SIDE = auto()
    WIPE = auto()
    BLINK = auto()


class SplitView(QWidget):
    """The pictures keep their size when the divider moves: only how much of them is seen changes.

    In the mode WIPE the first is seen left of the divider and the second right of it; in the mode
    BLINK one of both. `divided` tells where the divider is, 0 to 1.
    """

    divided = Signal(float)

    def __init__(self, first: QWidget, second: QWidget, names: tuple[str, str]) -> None:
        super().__init__()
        self.mode = Mode.SIDE
        self.share = 0.5
        self.shows_second = True
        self.first, self.second = first, second
        # The second lies in a frame that cuts it off on the left, above the first.
        self._frame = QWidget(self)
        first.setParent(self)
        second.setParent(self._frame)
        # A picture that is wider than its half would be cut off, and framed for what is not seen.
        for picture in (first, second):
            picture.setMinimumSize(0, 0)
        first.lower()
        self._frame.raise_()
        self._divider = _Divider(self)
        self._captions = tuple(_caption(name, self) for name in names)
        self.setMinimumSize(320, 240)

    def set_names(self, names: tuple[str, str]) -> None:
        """What the pictures are called in their upper corners."""
        for caption, name in zip(self._captions, names, strict=True):
            caption.setText(name)
        self._arrange()

    def set_mode(self, mode: Mode) -> None:
        """Compare in another way."""
        self.mode = mode
        self._arrange()

    def set_share(self, share: float) -> None:
        """Put the divider at this share of the width, 0 to 1."""
        self.share = min(max(share, 0.0), 1.0)
        self._arrange()
        self.divided.emit(self.share)

    def blink(self) -> None:
        """Show the other picture in the same place."""
        self.shows_second = not self.shows_second if self.mode is Mode.BLINK else False
        self.set_mode(Mode.BLINK)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._arrange()

    def _arrange(self) -> None:
        width, height = self.width(), self.height()
        half = (width - style.GAP) // 2
        at = width - half
        if self.mode is Mode.SIDE:
            self.first.setGeometry(0, 0, half, height)
            self._frame.setGeometry(at, 0, half, height)
            self.second.setGeometry(0, 0, half, height)
        else:
            at = round(self.share * width) if self.mode is Mode.WIPE else 0
            self.first.setGeometry(0, 0, width, height)
            self._frame.setGeometry(at, 0, width - at, height)
            self.second.setGeometry(-at, 0, width, height)
        self._frame.setVisible(self.mode is not Mode.BLINK or self.shows_second)
        self._divider.setGeometry(at - HANDLE // 2, 0, HANDLE, height)
        self._divider.setVisible(self.mode is Mode.WIPE)
        self._place_captions(at)

    def _place_captions(self, at: int) -> None:
        left, right = self._captions
        for caption in self._captions:
            caption.adjustSize()
            caption.setVisible(bool(caption.text()))
        left.move(style.GAP, style.GAP)
        beside = (
            at + style.GAP if self.mode is Mode.SIDE else self.width() - right.width() - style.GAP
        )
        right.move(beside, style.GAP)
        if self.mode is Mode.BLINK:
            right.move(style.GAP, style.GAP)
            hidden = left if self.shows_second else right
            hidden.hide()


class _Divider(QWidget):
    """A line to drag, with a knob; arrow keys move it, too."""

    def __init__(self, view: SplitView) -> None:
        super().__init__(view)
        self._view = view
        self.setCursor(Qt.CursorShape.SplitHCursor)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setToolTip(tr("Drag to see more of one side (left and right keys)"))
        self.setAccessibleName(tr("Divider between the two pictures"))
        self.installEventFilter(self)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if event.buttons() & Qt.MouseButton.LeftButton:
            at = self.mapTo(self._view, event.position().toPoint()).x()
            self._view.set_share(at / max(1, self._view.width()))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        event.accept()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        keys = {Qt.Key.Key_Left: -STEP, Qt.Key.Key_Right: STEP}
        if event.type() is QEvent.Type.KeyPress and event.key() in keys:  # type: ignore[attr-defined]
            self._view.set_share(self._view.share + keys[event.key()])  # type: ignore[attr-defined]
            return True
        return super().eventFilter(watched, event)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        middle = self.width() / 2
        painter.fillRect(QRectF(middle - 1, 0, 2, self.height()), QColor(style.TEXT))
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(style.ACCENT if self.hasFocus() else style.TEXT))
        center = QPoint(round(middle), self.height() // 2)
        painter.drawRoundedRect(QRectF(center.x() - 5, center.y() - 18, 10, 36), 5, 5)


def _caption(name: str, parent: QWidget) -> QLabel:
    caption = label(name)
    caption.setParent(parent)
    set_role(caption, "caption")
    caption.setMargin(style.GAP // 2)
    caption.setAutoFillBackground(True)
    caption.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
    return caption
