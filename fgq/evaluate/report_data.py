"""Results of comparisons, brought into the form that a report shows: figures of a method on a grid
over its seeds, with intervals."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fgq.compare import RESULTS_NAME, load_results
from fgq.compare_cell import PERMUTED
from fgq.evaluate.intervals import Interval, bootstrap_interval, paired_bootstrap
from fgq.evaluate.measure import SEED
from fgq.evaluate.summary import Samples, metric_samples
from fgq.fisher import TASKS
from fgq.methods import METHODS
from fgq.quant import GRIDS

Floats = NDArray[np.float64]
SQNR = "sqnr_db/"


class Figure(NamedTuple):
    """A metric of a method on a grid: mean over seeds and its standard deviation, None for one
    seed; the interval is that of the metric, and `difference` that of what it differs from full
    precision, None where full precision does not have it."""

    value: float
    spread: float | None
    interval: Interval
    difference: Interval | None


@dataclass(frozen=True, eq=False)
class Row:
    """All seeds of a method on a grid, in order."""

    method: str
    grid: str
    cells: Sequence[Mapping[str, Any]]

    @cached_property
    def bytes(self) -> float:
        """Of the checkpoint's weights, mean over seeds."""
        return float(np.mean([cell["bytes"] for cell in self.cells]))

    @cached_property
    def samples(self) -> dict[str, list[dict[str, Samples]]]:
        """Per set and seed, every metric of `metric_samples`."""
        sets = self.cells[0]["sets"]
        return {name: [metric_samples(cell["sets"][name]) for cell in self.cells] for name in sets}

    def block_loss(self, name: str) -> Floats:
        """A loss of `block_losses`, mean over seeds: [L], or [T, L] for predicted and measured."""
        return np.mean([cell["blocks"][name] for cell in self.cells], axis=0)


@dataclass(frozen=True)
class Comparison:
    """Cells that were measured in the same way against the same network."""

    results: Mapping[str, Any]

    @cached_property
    def rows(self) -> list[Row]:
        """By grid and method, in the order in which both are listed in the package."""
        cells: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
        for cell in self.results["cells"].values():
            if "error" not in cell:
                cells.setdefault((cell["method"], cell["grid"]), []).append(cell)
        rows = [
            Row(method, grid, sorted(found, key=lambda cell: cell["seed"]))
            for (method, grid), found in cells.items()
        ]
        return sorted(rows, key=lambda r: (_place(r.grid, GRIDS), *method_place(r.method)))

    @property
    def grids(self) -> list[str]:
        return list(dict.fromkeys(row.grid for row in self.rows))

    def rows_on(self, grid: str) -> list[Row]:
        return [row for row in self.rows if row.grid == grid]

    @property
    def failed(self) -> dict[str, str]:
        """What was wrong with cells that failed."""
        cells = self.results["cells"].items()
        return {name: cell["error"] for name, cell in cells if "error" in cell}

    @property
    def sets(self) -> list[Mapping[str, Any]]:
        return list(self.results["evaluation"]["sets"])

    @cached_property
    def full(self) -> dict[str, dict[str, Samples]]:
        """Per set, every metric of the full-precision network."""
        return {name: metric_samples(clips) for name, clips in self.results["full"]["sets"].items()}

    def full_value(self, chosen: str, metric: str) -> float | None:
        samples = self.full[chosen].get(metric)
        return None if samples is None else _statistic(samples)

    def value(self, row: Row, chosen: str, metric: str) -> float | None:
        """A metric on a set, mean over seeds; None where it was not measured."""
        seeds = [samples[metric] for samples in row.samples[chosen] if metric in samples]
        return float(np.mean([_statistic(s) for s in seeds])) if seeds else None

    def figure(self, row: Row, chosen: str, metric: str) -> Figure | None:
        """A metric on a set; None where it was not measured.

        Clips are resampled with all their seeds, so an interval says how sure a figure is over
        clips, for the mean of methods' seeds; the spread says how far seeds differ.
        """
        seeds = [samples[metric] for samples in row.samples[chosen] if metric in samples]
        if len(seeds) < len(row.cells):
            return None
        statistic = seeds[0].statistic
        values = np.concatenate([s.values.reshape(len(s.values), -1) for s in seeds], axis=1)
        full = self.full[chosen].get(metric)
        complete = np.isfinite(values).all(1)
        if full is not None:
            once = full.values.reshape(len(full.values), -1)
            complete &= np.isfinite(once).all(1)
        if not complete.any():
            return None
        by_seed = [_statistic(s) for s in seeds]
        difference = None
        if full is not None:
            repeated = np.tile(once, len(seeds))
            difference = paired_bootstrap(repeated[complete], values[complete], SEED, statistic)
        return Figure(
            float(np.mean(by_seed)),
            float(np.std(by_seed, ddof=1)) if len(seeds) > 1 else None,
            bootstrap_interval(values[complete], SEED, statistic),
            difference,
        )

    def sqnr(self, row: Row, chosen: str) -> list[float] | None:
        """At the output of every block, in dB: mean over clips and seeds."""
        names = [SQNR + name for name in self.results["fisher"]["blocks"]]
        seeds = row.samples[chosen]
        if not all(name in samples for samples in seeds for name in names):
            return None
        return [float(np.mean([s[name].values.mean() for s in seeds])) for name in names]


def prediction_pairs(rows: Sequence[Row], task: int) -> tuple[list[float], list[float]]:
    """Predicted and measured loss of a task for every block of every cell."""
    cells = [cell["blocks"] for row in rows for cell in row.cells]
    predicted, measured = (
        [loss for blocks in cells for loss in blocks[kind][task]]
        for kind in ("predicted", "measured")
    )
    return predicted, measured


def tasks_of(comparison: Comparison) -> list[int]:
    """Indices into TASKS of those that the network has heads for."""
    energy = np.array(comparison.results["fisher"]["energy"])
    return [k for k in range(len(TASKS)) if energy[k].any()]


def load_comparisons(paths: Sequence[Path]) -> list[Comparison]:
    """From folders of `fgq compare` or their results.json; those that measured the same network in
    the same way become one.

    ValueError for a file that is none, holds no cell, or repeats a cell of another.
    """
    merged: dict[str, dict[str, Any]] = {}
    for path in paths:
        path = path / RESULTS_NAME if path.is_dir() else path
        results = load_results(path)
        if not results["cells"] or "full" not in results:
            raise ValueError(f"{path}: nothing is finished yet")
        kind = json.dumps([results[key] for key in ("checkpoint", "evaluation", "fisher")])
        if kind not in merged:
            merged[kind] = results
            continue
        known = merged[kind]
        if repeated := known["cells"].keys() & results["cells"].keys():
            raise ValueError(f"{path}: {min(repeated)} is in another of the files as well")
        known["cells"] |= results["cells"]
        known["commands"] += results["commands"]
    return [Comparison(results) for results in merged.values()]


def method_place(method: str) -> tuple[int, bool]:
    """To sort by: the place in METHODS, controls behind what they control."""
    return _place(method.removesuffix(PERMUTED), METHODS), method.endswith(PERMUTED)


def _place(name: str, names: Mapping[str, object]) -> int:
    return list(names).index(name) if name in names else len(names)


def _statistic(samples: Samples) -> float:
    known = samples.values[np.isfinite(samples.values)]
    return float(np.median(known) if samples.statistic == "median" else np.mean(known))
