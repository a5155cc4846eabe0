"""One cell of a comparison: a method on a grid with a seed, calibrated and measured."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from shutil import rmtree
from typing import Any

from fgq.calibrate import Calibration
from fgq.calibrate_command import calibration_job, open_work
from fgq.data import DataError
from fgq.data.calibration import CalibrationClip, load_calibration_clips
from fgq.evaluate.blocks import block_losses, measure_blocks
from fgq.evaluate.clips import ClipSet, sequence_set, synthetic_set
from fgq.evaluate.measure import load_network, measure_set
from fgq.files import file_sha256
from fgq.fisher import Fisher, load_fisher
from fgq.methods import METHODS, MethodOptions
from fgq.quant import GRIDS, Scope, is_packed, load_packed, load_recipe, save_packed, weights_file
from fgq.vggt import VGGT, CheckpointError, load_checkpoint

PERMUTED = "-permuted"  # ends the name of a method's control

Progress = Callable[[str, float, float], None]
CellResult = dict[str, Any]


@dataclass(frozen=True)
class Cell:
    """One method, control or not, on one grid with one seed, which also draws its clips."""

    method: str
    grid: str
    seed: int

    @property
    def name(self) -> str:
        return f"{self.method}_{self.grid}_seed{self.seed}"

    @property
    def quantizer(self) -> str:
        """The entry of METHODS."""
        return self.method.removesuffix(PERMUTED)

    def options(self, epochs: int | None) -> MethodOptions:
        """The method's defaults but for the grid, the seed and, if given, the epochs."""
        options = replace(
            METHODS[self.quantizer][1],
            grid=GRIDS[self.grid],
            seed=self.seed,
            permuted=self.method.endswith(PERMUTED),
        )
        return options if epochs is None else replace(options, epochs=epochs)


@dataclass(frozen=True)
class Study:
    """What all cells share.

    views and size (H, W) are those of calibration and evaluation; rendered scenes are evaluated at
    the size that they were rendered at. epochs: None as the method has it. Losses of single blocks
    are measured on the first `block_clips` clips of the first held-out set.
    """

    checkpoint: Path
    data: Path
    fisher: Path
    out: Path
    synthetic: Path | None = None
    sequences: tuple[Path, ...] = ()
    views: int = 4
    size: tuple[int, int] = (168, 224)
    clips: int = 64
    epochs: int | None = None
    scope: Scope = "aggregator"
    eval_clips: int = 24
    block_clips: int = 8
    points: bool = True

    def checkpoint_of(self, cell: Cell) -> Path:
        return self.out / "checkpoints" / cell.name

    def clip_sets(self) -> list[ClipSet]:
        """Held-out sets, rendered scenes first. Raises DataError and ValueError for bad folders."""
        sets = [sequence_set(folder, self.views, self.size) for folder in self.sequences]
        sets = [replace(chosen, count=min(chosen.count, self.eval_clips)) for chosen in sets]
        if self.synthetic is not None:
            sets.insert(0, synthetic_set(self.synthetic, self.views, self.eval_clips))
        return sets


def measure_full(study: Study) -> CellResult:
    """The full-precision network on the held-out sets."""
    start = time.process_time()
    model = load_network(study.checkpoint)
    sets = {c.name: measure_set(model, c, points=study.points) for c in study.clip_sets()}
    return {"seconds": {"evaluate": time.process_time() - start}, "sets": sets}


def run_cell(
    study: Study, cell: Cell, known: str | None, progress: Progress | None = None
) -> CellResult | None:
    """Calibrate and measure one cell; None if `known` is the hash of its checkpoint, whose results
    are there. What is wrong with this cell alone is in the result as "error"; seconds are those of
    the processor."""
    label: CellResult = {"method": cell.method, "grid": cell.grid, "seed": cell.seed}
    try:
        made = _calibrate(study, cell, progress)
        file = weights_file(study.checkpoint_of(cell))
        sha256 = file_sha256(file)
        if sha256 == known:
            return None
        measured = _measure(study, cell)
    except (ValueError, DataError, CheckpointError) as error:
        return {**label, "error": str(error)}
    seconds = {**made.pop("seconds"), **measured.pop("seconds")}
    size = file.stat().st_size
    return {**label, "bytes": size, "sha256": sha256, "seconds": seconds, **made, **measured}


def _calibrate(study: Study, cell: Cell, progress: Progress | None) -> CellResult:
    """Make the checkpoint of a cell, unless the very same is there."""
    start = time.process_time()
    folder, options = study.checkpoint_of(cell), cell.options(study.epochs)
    clips = _calibration_clips(study, cell.seed)
    weighted = options.weighting != "none"
    job = calibration_job(
        study.checkpoint,
        cell.quantizer,
        options,
        study.scope,
        clips,
        study.fisher if weighted else None,
    )
    if not _is_made_by(folder, job):
        model = load_checkpoint(study.checkpoint)
        work = open_work(folder, job)
        calibration = Calibration(
            model,
            cell.quantizer,
            options,
            clips,
            _fisher(study.fisher) if weighted else None,
            study.scope,
            work,
            progress or (lambda name, done, loss: None),
        )
        calibration.run()
        how = {"losses": calibration.losses, "seconds": time.process_time() - start}
        save_packed(model, folder, {**job, **how}, study.scope)
        rmtree(work)
    recipe = load_recipe(folder)
    return {
        "seconds": {"calibrate": recipe.get("seconds", 0.0)},
        "options": recipe["options"],
        "calibration": {
            "data": str(study.data),
            "clips": study.clips,
            "views": study.views,
            "size": list(study.size),
            "scope": study.scope,
            "losses": recipe["losses"],
        },
    }


def _is_made_by(folder: Path, job: dict[str, Any]) -> bool:
    """Whether a checkpoint is the result of a job, whatever it was created with."""
    if not is_packed(folder):
        return False
    try:
        recipe = load_recipe(folder)
    except CheckpointError:  # of an older format
        return False
    return all(recipe.get(key) == value for key, value in job.items() if key != "created_with")


def _measure(study: Study, cell: Cell) -> CellResult:
    """What is loaded from the file is measured, not what calibration left in memory."""
    start = time.process_time()
    model, reference = load_packed(study.checkpoint_of(cell)), _reference(study.checkpoint)
    held_out = study.clip_sets()
    sets = {c.name: measure_set(model, c, reference, study.points) for c in held_out}
    middle = time.process_time()
    first = held_out[0]
    clips = (first.load(i).images for i in range(min(first.count, study.block_clips)))
    blocks = block_losses(measure_blocks(reference, model, clips), _fisher(study.fisher))
    seconds = {"evaluate": middle - start, "blocks": time.process_time() - middle}
    return {"seconds": seconds, "sets": sets, "blocks": blocks}


@lru_cache(maxsize=1)
def _calibration_clips(study: Study, seed: int) -> list[CalibrationClip]:
    return load_calibration_clips(study.data, study.clips, study.views, study.size, seed)


@lru_cache(maxsize=1)
def _reference(checkpoint: Path) -> VGGT:
    return load_network(checkpoint)


@lru_cache(maxsize=1)
def _fisher(folder: Path) -> Fisher:
    return load_fisher(folder)
