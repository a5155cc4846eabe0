"""What to ask a camera for: resolution and rate."""

from __future__ import annotations

from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QFormLayout,
    QVBoxLayout,
    QWidget,
)

from app.ui import style
from app.ui.choosers import Dropdown
from app.ui.panels import label, set_role
from app.ui.texts import tr

SIZES = ((640, 480), (1280, 720), (1920, 1080))
RATES = (15, 30, 60)

CameraWish = tuple[int | None, int | None, float | None]
"""Width and height in pixels and frames a second; None: as the camera has it."""


class CameraDialog(QDialog):
    """Asks for a CameraWish; a camera that cannot do it gives what comes closest."""

    def __init__(self, parent: QWidget, wish: CameraWish) -> None:
        super().__init__(parent)
        self.setWindowTitle(tr("Camera settings"))
        as_it_is = tr("as the camera has it")
        self.size_box, self.rate_box = Dropdown(), Dropdown()
        self.size_box.addItem(as_it_is, None)
        for w, h in SIZES:
            self.size_box.addItem(f"{w} × {h}", (w, h))
        self.rate_box.addItem(as_it_is, None)
        for rate in RATES:
            self.rate_box.addItem(tr("{rate} frames a second").format(rate=rate), rate)
        width, height, wished_rate = wish
        # What is not in the list is found nowhere: then it is as the camera has it.
        sizes: list[tuple[int | None, int | None]] = [(None, None), *SIZES]
        rates: list[float | None] = [None, *RATES]
        known = (width, height) in sizes, wished_rate in rates
        self.size_box.setCurrentIndex(sizes.index((width, height)) if known[0] else 0)
        self.rate_box.setCurrentIndex(rates.index(wished_rate) if known[1] else 0)
        note = label(
            tr("A camera that cannot do this gives what comes closest. Used from the next start."),
            "muted",
        )
        note.setWordWrap(True)
        form = QFormLayout()
        form.setSpacing(style.GAP)
        form.addRow(tr("Resolution"), self.size_box)
        form.addRow(tr("Rate"), self.rate_box)
        buttons = QDialogButtonBox()
        buttons.addButton(tr("Cancel"), QDialogButtonBox.ButtonRole.RejectRole)
        use = buttons.addButton(tr("Use"), QDialogButtonBox.ButtonRole.AcceptRole)
        use.setDefault(True)
        set_role(use, "primary")
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        margin = 3 * style.GAP
        layout.setContentsMargins(margin, margin, margin, 2 * style.GAP)
        layout.setSpacing(2 * style.GAP)
        layout.addWidget(label(tr("Camera settings"), "title"))
        layout.addWidget(note)
        layout.addLayout(form)
        layout.addWidget(buttons)
        self.setMinimumWidth(380)

    @property
    def wish(self) -> CameraWish:
        """What is chosen."""
        width, height = self.size_box.currentData() or (None, None)
        return width, height, self.rate_box.currentData()
