"""What the run that is set up will take, and whether it fits."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from app.engine import Bundle
from app.engine.forecast import (
    SPARE_MEMORY,
    Forecast,
    Machine,
    forecast,
    propose_views,
    remember_run,
    this_machine,
)
from app.ui.controls import RunBar
from app.ui.faults import fault_line
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
        self._check, self._other = ModelCheck(self), ModelCheck(self)
        self._checks = [self._check]
        """Of the models that run beside each other."""
        for check in (self._check, self._other):
            check.known.connect(self._on_known)
            check.progress.connect(self._show)
            check.ended.connect(self._show)
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

    def look_at_other(self, model: Path | None) -> None:
        """A second model was chosen, which runs beside the first; None: there is none."""
        if model is not None:
            self._checks = [self._check, self._other]
            self._other.look(model)
        elif len(self._checks) > 1:
            self._checks = [self._check]
            self._other.stop()
            self._on_known()

    def refresh(self) -> None:
        """Look again at how much memory is free, and at what was measured."""
        if bundles := self._bundles():
            self.machine = this_machine()
            self.forecasts = together([forecast(b, self.machine) for b in bundles], self.machine)
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
        alone = forecast(self.bundle, self.machine)
        return model_sections(self.bundle, alone, self.machine, self._check_words())

    def stop(self) -> None:
        """Read no further."""
        self._check.stop()
        self._other.stop()

    def use_views(self, views: int) -> None:
        """Take so many views at a time."""
        self.views = views
        counts = [entry.views for entry in self.forecasts if entry.views >= 2]
        self._bar.offer_views(counts, views)
        self._show()

    def _pick(self, views: int) -> None:
        self.wanted_views = views
        self.use_views(views)

    def _bundles(self) -> list[Bundle]:
        """Of the run, once all of them are known."""
        known = [check.bundle for check in self._checks if check.bundle]
        return known if len(known) == len(self._checks) else []

    def _on_known(self) -> None:
        if not self._bundles():
            return
        self.refresh()
        counts = [entry.views for entry in self.forecasts if entry.views >= 2]
        usual = max((count for count in counts if count <= self.wanted_views), default=None)
        self.use_views(self.proposed or usual or min(counts, default=self.wanted_views))

    def _show(self) -> None:
        if failed := next((check for check in self._checks if check.error), None):
            # With the whole path there would be no room to say what is wrong.
            line = fault_line(failed.error or "").replace(f"{failed.path}{os.sep}", "")
            self._bar.show_forecast(line, is_warning=True)
        elif self._bundles():
            text = plan_words(self.chosen, self.machine, len(self._checks))
            if unread := [check.percent for check in self._checks if check.error is None]:
                text = tr("{plan}; checking its files: {percent} %").format(
                    plan=text, percent=unread[0]
                )
            self._bar.show_forecast(text, is_warning=self.chosen is None or not self.fits)
        self.changed.emit()

    def _check_words(self) -> str:
        if self._check.error is None:
            return tr("{percent} % of the files are read").format(percent=self._check.percent)
        return fault_line(self._check.error) or tr("all files match their SHA-256")


def together(forecasts: Sequence[Sequence[Forecast]], machine: Machine) -> list[Forecast]:
    """Of models that run beside each other, for the numbers of views that all of them take: each
    has a process of its own, and they take turns.
    """
    by_views = [{entry.views: entry for entry in each} for each in forecasts]
    found = []
    for views in sorted(set.intersection(*map(set, by_views))):
        entries = [each[views] for each in by_views]
        memory = sum(entry.memory for entry in entries)
        found.append(
            Forecast(
                views,
                memory,
                seconds=sum(entry.seconds for entry in entries),
                measured=all(entry.measured for entry in entries),
                fits=memory <= (1 - SPARE_MEMORY) * machine.available,
            )
        )
    return found
