"""The card of a keyframe that was clicked: its picture, its depth, and what it is."""

import numpy as np
from PySide6.QtWidgets import QFrame, QHBoxLayout, QSizePolicy, QToolButton, QVBoxLayout

from app.export.images import color_depth
from app.ui import style
from app.ui.image_view import ImageView
from app.ui.panels import button, label, set_role
from app.ui.picking import Pick
from app.ui.scene_view import SceneView
from app.ui.texts import tr

PICTURE = (132, 99)
"""Width and height in logical pixels."""


class KeyframeCard(QFrame):
    """Shows a keyframe; `position` says which one. It hides when its keyframe goes."""

    def __init__(self, view: SceneView) -> None:
        super().__init__()
        set_role(self, "float")
        self._view = view
        self.position: int | None = None
        self._pick: Pick | None = None
        self.title, self.facts = label(role="heading"), label(role="muted")
        self.image, self.depth_map = ImageView(tr("No picture")), ImageView(tr("No depth"))
        for picture in (self.image, self.depth_map):
            picture.setFixedSize(*PICTURE)
        close = QToolButton()
        close.setText("×")
        close.setToolTip(tr("Close (Esc)"))
        close.clicked.connect(self.close_card)
        self.go = button(tr("Go there"), tr("Look along with this keyframe"), self._go)
        self.off = button(tr("Switch off"), tr("Hide this keyframe and its points"), self._off)
        top = QHBoxLayout()
        top.addWidget(self.title, stretch=1)
        top.addWidget(close)
        pictures = QHBoxLayout()
        pictures.setSpacing(style.GAP)
        pictures.addWidget(self.image)
        pictures.addWidget(self.depth_map)
        buttons = QHBoxLayout()
        buttons.setSpacing(style.GAP)
        for entry in (self.go, self.off):
            set_role(entry, "small")
            buttons.addWidget(entry)
        buttons.addStretch()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(style.GAP, style.GAP // 2, style.GAP, style.GAP)
        layout.setSpacing(style.GAP // 2)
        layout.addLayout(top)
        layout.addLayout(pictures)
        layout.addWidget(self.facts)
        layout.addLayout(buttons)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.hide()
        view.point_picked.connect(self._on_point)
        view.keyframes_changed.connect(self._on_keyframes)

    def show_keyframe(self, position: int) -> None:
        """Show the keyframe at this position."""
        keyframe = self._view.scene.keyframes[position]
        pick = self._pick if self._pick and self._pick.position == position else None
        self.position, self._pick = position, None
        self.title.setText(tr("Keyframe {number}").format(number=position + 1))
        self.image.set_image(keyframe.image)
        depth = keyframe.depth
        if depth is not None and (depth > 0).any():
            near, far = np.quantile(depth[depth > 0], (0.02, 0.98))
            self.depth_map.set_image(color_depth(depth, float(near), float(far)))
        else:
            self.depth_map.set_image(None)
        facts = []
        if keyframe.frame is not None:
            facts.append(tr("Frame {number}").format(number=keyframe.frame + 1))
        if keyframe.name:
            facts.append(keyframe.name)
        lines = [" · ".join(facts)] if facts else []
        if pick and pick.rank is not None:
            words = tr("Point surer than {share} % of its picture")
            lines.append(words.format(share=round(100 * pick.rank / 255)))
        self.facts.setText("\n".join(lines))
        self.facts.setVisible(bool(lines))
        self._view.highlight(position)
        self.adjustSize()
        self.show()

    def close_card(self) -> None:
        """Hide the card, and highlight nothing."""
        self.position = None
        self._view.highlight(None)
        self.hide()

    def _on_point(self, pick: Pick) -> None:
        self._pick = pick

    def _go(self) -> None:
        if self.position is not None:
            self._view.look_along(self.position)

    def _off(self) -> None:
        if self.position is not None:
            self._view.set_visible(self.position, False)

    def _on_keyframes(self) -> None:
        if self.position is not None and self.position not in self._view.scene.shown_positions:
            self.close_card()
