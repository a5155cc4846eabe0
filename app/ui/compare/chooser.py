"""A list to choose from what the model is compared with."""

from __future__ import annotations

from PySide6.QtCore import Signal

from app.ui.choices import Choice
from app.ui.choosers import Dropdown, ModelChooser
from app.ui.panels import set_role
from app.ui.texts import tr

RECORDING = "recording:"
"""Stands for what was reconstructed while the source was recorded."""


class CompareChooser(Dropdown):
    """Nothing, another model, or what the recording holds that is the source."""

    picked = Signal()

    def __init__(self, models: ModelChooser) -> None:
        super().__init__()
        self._models = models
        self._has_recording = False
        self.setToolTip(tr("Run a second model on the same frames and see both (Ctrl+D)"))
        self.setMinimumContentsLength(13)
        self.setSizeAdjustPolicy(self.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        set_role(self, "small")
        models.picked.connect(self.refresh)
        self.activated.connect(lambda: self.picked.emit())
        self.refresh()

    @property
    def choice(self) -> Choice | None:
        """The second model."""
        value = self.currentData()
        return Choice(self.currentText(), value) if value not in (None, RECORDING) else None

    @property
    def takes_recording(self) -> bool:
        """Whether to compare with what the recording holds."""
        return bool(self.currentData() == RECORDING)

    def offer_recording(self, offered: bool) -> None:
        """Whether the source is a recording that holds a reconstruction."""
        if offered != self._has_recording:
            self._has_recording = offered
            self.refresh()

    def refresh(self) -> None:
        """Offer every model but the first one."""
        chosen, first = self.currentData(), self._models.choice
        self.clear()
        self.addItem(tr("nothing"), None)
        if self._has_recording:
            self.addItem(tr("the recording"), RECORDING)
        for choice in self._models.choices:
            if first is None or choice.value != first.value:
                # There is little room for what both names have in common.
                family = f"{first.label.rpartition(', ')[0]}, " if first else ""
                self.addItem(choice.label.removeprefix(family) or choice.label, choice.value)
        self.setCurrentIndex(max(0, self.findData(chosen)))

    def toggle(self) -> None:
        """Compare with the first of what there is, or with nothing; ask where there is nothing."""
        if self.currentIndex() > 0:
            self.setCurrentIndex(0)
        elif self.count() > 1:
            self.setCurrentIndex(1)
        elif choice := self._models.ask_other():
            self.refresh()
            self.setCurrentIndex(max(0, self.findData(choice.value)))
        self.picked.emit()
