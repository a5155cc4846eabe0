"""Shows the depth or the confidence of the keyframes in colours, one at a time."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtWidgets import (
    QDoubleSpinBox,
    QHBoxLayout,
    QLabel,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from app.export.images import color_depth
from app.ui import style
from app.ui.choosers import Dropdown
from app.ui.image_view import ImageView
from app.ui.panels import label, set_role
from app.ui.ramp import MAPS, Ramp, color_confidence
from app.ui.texts import number, tr
from app.ui.tools.look import wear

STRAYS = 0.02
"""Share of the pixels at either end that does not stretch the range."""


@dataclass(frozen=True)
class DepthMaps:
    """What there is to show of a keyframe: z-depth [H,W] (0 unknown), confidence [H,W], and its
    name.
    """

    depth: NDArray[np.float32]
    confidence: NDArray[np.float32] | None = None
    name: str = ""


class DepthView(QWidget):
    """Depth maps with a legend. Depth is in network scale, without a unit.

    It shows the newest keyframe until the user turns back; the range of colours is each map's own,
    or one that is locked for all.
    """

    shown_changed = Signal(object)
    """Another keyframe is shown: its position, or None."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._entries: dict[int, DepthMaps] = {}
        self._shown: int | None = None
        self._range = (1.0, 2.0)
        self._picture = ImageView(tr("Depth appears with the first keyframes"), self)
        self._picture.hovered.connect(self._on_hover)
        self.previous = self._tool("‹", tr("Previous keyframe"), lambda: self._step(-1))
        self.next = self._tool("›", tr("Next keyframe"), lambda: self._step(1))
        for tool in (self.previous, self.next):
            tool.setFixedWidth(24)
        self.name = label()
        self.what = self._chooser(
            [tr("Depth"), tr("Confidence")], tr("What the picture shows of a keyframe")
        )
        self.map = self._chooser(
            [tr("Turbo"), tr("Viridis"), tr("Grey")], tr("Colours of the picture")
        )
        self.lock = self._tool(tr("Lock"), tr("Keep this range of depth for all keyframes"), None)
        self.lock.setCheckable(True)
        self._near, self._far = QLabel(), QLabel()
        self.near, self.far = self._bound(tr("Nearest depth")), self._bound(tr("Farthest depth"))
        self._ramp = Ramp()
        self._top, self._legend = QWidget(self), QWidget(self)
        self._lay_out()
        self.lock.toggled.connect(self._on_lock)
        self.near.valueChanged.connect(self._refresh)
        self.far.valueChanged.connect(self._refresh)
        self.what.currentIndexChanged.connect(self._refresh)
        self.map.currentIndexChanged.connect(self._refresh)
        wear(self)
        self._refresh()

    @property
    def shown(self) -> int | None:
        """Position of the keyframe that is shown."""
        return self._shown

    @property
    def positions(self) -> set[int]:
        """Keyframes that can be turned to."""
        return set(self._entries)

    @property
    def words(self) -> str:
        """Name of the keyframe that is shown."""
        if self._shown is None:
            return ""
        name = self._entries[self._shown].name
        return name or tr("Keyframe {number}").format(number=self._shown + 1)

    def set_keyframes(self, keyframes: Mapping[int, DepthMaps]) -> None:
        """Take over keyframes by position. However many, one picture is made at most."""
        if not keyframes:
            return
        was_newest = self._shown is None or self._shown == max(self._entries)
        self._entries.update(keyframes)
        if was_newest:
            self.show_keyframe(max(self._entries))
        elif self._shown in keyframes:
            self._refresh()
        else:
            self._refresh_pages()

    def remove_keyframe(self, position: int) -> None:
        """Forget a keyframe; its neighbour is shown in its place."""
        self._entries.pop(position, None)
        if self._shown == position:
            earlier = [p for p in self._entries if p < position]
            left = max(earlier) if earlier else min(self._entries, default=None)
            self.show_keyframe(left)
        else:
            self._refresh_pages()

    def set_depth(self, depth: NDArray[np.float32] | None) -> None:
        """Show one depth map [H,W] and no others; None: nothing."""
        self._entries.clear()
        self._shown = None
        if depth is not None:
            self.set_keyframes({0: DepthMaps(depth)})
        else:
            self.show_keyframe(None)

    def clear(self) -> None:
        """Forget all keyframes; a locked range stays."""
        self.set_depth(None)

    def show_keyframe(self, position: int | None) -> None:
        """Show the keyframe at this position, if there is one."""
        shown = position if position in self._entries else None
        if shown != self._shown or shown is None:
            self._shown = shown
            self.shown_changed.emit(shown)
        self._refresh()

    def changeEvent(self, event: QEvent) -> None:
        if event.type() is QEvent.Type.PaletteChange:
            wear(self)
        super().changeEvent(event)

    def _step(self, by: int) -> None:
        order = sorted(self._entries)
        if self._shown is not None:
            place = order.index(self._shown) + by
            self.show_keyframe(order[min(max(place, 0), len(order) - 1)])

    def _refresh(self) -> None:
        entry = self._entries.get(self._shown) if self._shown is not None else None
        self._top.setVisible(entry is not None)
        self._legend.setVisible(entry is not None)
        self._refresh_pages()
        if entry is None:
            self._picture.set_image(None)
            return
        name = MAPS[self.map.currentIndex()]
        shows_depth = self.what.currentIndex() == 0 or entry.confidence is None
        self.what.setEnabled(entry.confidence is not None)
        self.lock.setVisible(shows_depth)
        locked = self.lock.isChecked() and shows_depth
        for fixed, free in ((self._near, self.near), (self._far, self.far)):
            fixed.setVisible(not locked)
            free.setVisible(locked)
        self._ramp.set_map(name, reverse=not shows_depth)
        if shows_depth:
            self._show_depth(entry.depth, name)
        else:
            assert entry.confidence is not None
            self._picture.set_image(color_confidence(entry.confidence, name))
            self._near.setText(tr("unsure"))
            self._far.setText(tr("sure"))

    def _refresh_pages(self) -> None:
        """Say which of the keyframes is shown, and where one can turn from there."""
        if self._shown is None:
            return
        order = sorted(self._entries)
        self.previous.setEnabled(self._shown != order[0])
        self.next.setEnabled(self._shown != order[-1])
        for widget in (self.previous, self.next, self.name):
            widget.setVisible(len(order) > 1)
        self.name.setText(f"{order.index(self._shown) + 1} / {len(order)}")
        self.name.setToolTip(self.words)

    def _show_depth(self, depth: NDArray[np.float32], name: str) -> None:
        if self.lock.isChecked():
            near, far = self.near.value(), self.far.value()
        else:
            known = depth[depth > 0]
            self._legend.setVisible(len(known) > 0)
            if not len(known):
                self._picture.set_image(None)
                return
            near, far = (float(x) for x in np.quantile(known, [STRAYS, 1 - STRAYS]))
            self._near.setText(tr("near {depth}").format(depth=number(near, 2)))
            self._far.setText(tr("far {depth}").format(depth=number(far, 2)))
        self._range = near, far
        self._picture.set_image(color_depth(depth, near, far, name))

    def _on_lock(self, on: bool) -> None:
        if on:
            for bound, value in zip((self.near, self.far), self._range, strict=True):
                bound.blockSignals(True)
                bound.setValue(value)
                bound.blockSignals(False)
        self._refresh()

    def _on_hover(self, pixel: tuple[int, int] | None) -> None:
        entry = self._entries.get(self._shown) if self._shown is not None else None
        if pixel is None or entry is None:
            self._picture.set_caption("")
            return
        depth = float(entry.depth[pixel])
        words = tr("depth {depth}").format(depth=number(depth, 3)) if depth > 0 else tr("no depth")
        if entry.confidence is not None:
            lower = float((entry.confidence < entry.confidence[pixel]).mean())
            words += tr(", surer than {share} %").format(share=round(100 * lower))
        self._picture.set_caption(words)

    def _tool(self, text: str, tip: str, do: object) -> QToolButton:
        tool = QToolButton()
        tool.setText(text)
        tool.setToolTip(tip)
        if callable(do):
            tool.clicked.connect(lambda: do())
        return tool

    def _chooser(self, names: list[str], tip: str) -> Dropdown:
        chooser = Dropdown()
        chooser.addItems(names)
        chooser.setToolTip(tip)
        set_role(chooser, "small")
        return chooser

    def _bound(self, tip: str) -> QDoubleSpinBox:
        bound = QDoubleSpinBox(decimals=2, minimum=0.01, maximum=9999, singleStep=0.05)
        bound.setButtonSymbols(QDoubleSpinBox.ButtonSymbols.NoButtons)
        bound.setToolTip(tip)
        bound.setFixedWidth(56)
        bound.setKeyboardTracking(False)
        return bound

    def _lay_out(self) -> None:
        top = QHBoxLayout(self._top)
        top.setContentsMargins(style.GAP, 0, style.GAP, 0)
        top.setSpacing(2)
        top.addWidget(self.previous)
        top.addWidget(self.next)
        top.addWidget(self.name, stretch=1)
        top.addWidget(self.what)
        top.addWidget(self.map)
        self._legend.setToolTip(tr("Depth in the network's own scale, without a unit"))
        legend = QHBoxLayout(self._legend)
        legend.setContentsMargins(style.GAP, 0, style.GAP, style.GAP)
        legend.setSpacing(style.GAP)
        for widget in (self._near, self.near):
            legend.addWidget(widget)
        legend.addWidget(self._ramp, stretch=1, alignment=Qt.AlignmentFlag.AlignVCenter)
        for widget in (self._far, self.far):
            legend.addWidget(widget)
        legend.addWidget(self.lock)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(style.GAP)
        layout.addWidget(self._top)
        layout.addWidget(self._picture, stretch=1)
        layout.addWidget(self._legend)
