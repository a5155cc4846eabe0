"""What the run that is set up will take, and whether it fits."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QObject, Signal

from app.engine import Bundle
from app.engine.forecast import (
    Forecast,
    Machine,
    forecast,
    propose_views,
    remember_run,
    this_machine,
)
from app.ui.controls import RunBar
from app.ui.hints import plan_words
from app.ui.model_check import ModelCheck
from app.ui.model_facts import Section, model_sections
from app.ui.texts import tr

USUAL_VIEWS = 4


class Plan(QObject):
    """Keeps the lower row of the run bar up to date; `changed` tells when it was."""

    changed = Signal()

    def __init__(self, bar: RunBar, wanted_views: int, parent: QObject | None = None) -> None:
        """wanted_views: at a time, where the model has them and they fit."""
        super().__init__(parent)
        self.machine: Machine = this_machine()
        self.forecasts: list[Forecast] = []
        self.wanted_views = wanted_views
        self.views = wanted_views
        self._bar = bar
        self._check = ModelCheck(self)
        self._check.known.connect(self._on_known)
        self._check.progress.connect(self._show)
        self._check.ended.connect(self._show)
        bar.views_picked.connect(self._pick)

    @property
    def bundle(self) -> Bundle | None:
        """What the manifest of the chosen model says, once it is read."""
        return self._check.bundle

    @property
    def chosen(self) -> Forecast | None:
        """The forecast of the run that is set up."""
        return next((entry for entry in self.forecasts if entry.views == self.views), None)

    @property
    def proposed(self) -> int | None:
        """The largest number of views up to the wanted one that fits."""
        return propose_views(self.forecasts, self.wanted_views)

    @property
    def fits(self) -> bool:
        """Whether nothing speaks against the run; also while nothing is known yet."""
        return self.chosen is None or self.chosen.fits

    @property
    def overlap(self) -> int:
        """Keyframes that two windows share."""
        return min(2, self.views - 1)

    def look(self, model: Path) -> None:
        """A model was chosen: read its manifest and check its files in the background."""
        self.forecasts = []
        self._bar.offer_views([], None)
        self._bar.show_forecast(tr("Reading the model…"))
        self._check.look(model)

    def refresh(self) -> None:
        """Look again at how much memory is free, and at what was measured."""
        if self.bundle:
            self.machine = this_machine()
            self.forecasts = forecast(self.bundle, self.machine)
            self._show()

    def remember(self, views_per_second: float, memory: int) -> None:
        """Keep what a run with these settings took."""
        if self.bundle and views_per_second > 0:
            remember_run(self.bundle, self.views, 1 / views_per_second, memory, self.machine)
            self.refresh()

    def sections(self) -> list[Section]:
        """What there is to say of the chosen model."""
        if self.bundle is None:
            return []
        return model_sections(self.bundle, self.forecasts, self.machine, self._check_words())

    def stop(self) -> None:
        """Read no further."""
        self._check.stop()

    def use_views(self, views: int) -> None:
        """Take so many views at a time."""
        self.views = views
        counts = [entry.views for entry in self.forecasts if entry.views >= 2]
        self._bar.offer_views(counts, views)
        self._show()

    def _pick(self, views: int) -> None:
        self.wanted_views = views
        self.use_views(views)

    def _on_known(self) -> None:
        self.refresh()
        counts = [entry.views for entry in self.forecasts if entry.views >= 2]
        usual = max((count for count in counts if count <= self.wanted_views), default=None)
        self.use_views(self.proposed or usual or min(counts, default=self.wanted_views))

    def _show(self) -> None:
        if self._check.error:
            self._bar.show_forecast(self._check.error, is_warning=True)
        elif self.bundle:
            text = plan_words(self.chosen, self.machine)
            if self._check.error is None:
                text = tr("{plan}; checking its files: {percent} %").format(
                    plan=text, percent=self._check.percent
                )
            self._bar.show_forecast(text, is_warning=self.chosen is None or not self.fits)
        self.changed.emit()

    def _check_words(self) -> str:
        if self._check.error is None:
            return tr("{percent} % of the files are read").format(percent=self._check.percent)
        return self._check.error or tr("all files match their SHA-256")
