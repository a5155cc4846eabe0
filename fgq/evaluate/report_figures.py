"""The pictures of a report, each with what it shows as its caption."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from html import escape
from itertools import groupby
from typing import Any

import numpy as np

from fgq.evaluate.blocks import log_correlation
from fgq.evaluate.report_data import Comparison, Row, method_place, prediction_pairs, tasks_of
from fgq.evaluate.report_numbers import number, scientific
from fgq.evaluate.report_plots import (
    COLOURS,
    MARKERS,
    Point,
    Series,
    heat_map,
    legend,
    scatter,
)
from fgq.fisher import TASKS, TOKEN_GROUPS

ORDER = "F: frame blocks, G: global blocks, in the order of computation."
ERRORS: tuple[tuple[str, str, Callable[[float], float]], ...] = (
    ("auc30", "1 − AUC@30°", lambda value: 1 - value),
    ("abs_rel", "AbsRel of depth", lambda value: value),
    ("fidelity_log_depth_rmse", "log depth RMSE to full precision", lambda value: value),
)


def sqnr_figure(comparison: Comparison, chosen: str) -> str:
    """Signal-to-noise ratio of every block's output on a set; "" where it was not measured."""
    measured = [(row, comparison.sqnr(row, chosen)) for row in comparison.rows]
    known = [(_label(row), values) for row, values in measured if values is not None]
    if not known:
        return ""
    blocks = short_blocks(comparison)
    picture = heat_map(
        "Signal-to-noise ratio of block outputs",
        [label for label, _ in known],
        blocks,
        [values for _, values in known],
        [
            [f"{label}, {b}: {number(v, 2)} dB" for b, v in zip(blocks, values, strict=True)]
            for label, values in known
        ],
        "dB",
        log=False,
    )
    return _figure(
        picture, f"Signal-to-quantization-noise ratio at the output of every block. {ORDER}"
    )


def prediction_figure(comparison: Comparison) -> str:
    """Predicted against measured losses of single blocks, by grid and task."""
    pictures = []
    for grid in comparison.grids:
        rows, panels = comparison.rows_on(grid), []
        for k in tasks_of(comparison):
            r = log_correlation(*prediction_pairs(rows, k)).pearson
            title = f"{TASKS[k]}, {grid}" + ("" if r is None else f": r = {number(r, 2)}")
            series = [_style(row.method, _predictions(comparison, row, k)) for row in rows]
            if any(s.points for s in series):
                labels = "predicted loss", "measured loss"
                panels.append(scatter(title, series, *labels, log=True, diagonal=True))
        pictures.append(f'<div class="row">{"".join(panels)}</div>')
    methods = dict.fromkeys(row.method for row in comparison.rows)
    return _figure(
        "".join(pictures) + legend([_style(m) for m in sorted(methods, key=method_place)]),
        "Predicted and measured loss of single blocks, mean over clips and seeds; r is Pearson's"
        " correlation of their logarithms over all methods and seeds. Dashed: equality.",
    )


def _predictions(comparison: Comparison, row: Row, task: int) -> list[Point]:
    predicted, measured = (row.block_loss(kind)[task] for kind in ("predicted", "measured"))
    return [
        Point(float(p), float(m), f"{row.method}, {b}: {scientific(p)}, measured {scientific(m)}")
        for b, p, m in zip(short_blocks(comparison), predicted, measured, strict=True)
        if min(p, m) > 0
    ]


def fisher_figures(comparison: Comparison) -> str:
    """Fisher information by task and block, and of one token of each group."""
    fisher = comparison.results["fisher"]
    energy, tokens = np.array(fisher["energy"]), np.array(fisher["tokens"])  # [T, L, G], [G]
    low, high = np.array(fisher["share_low"]), np.array(fisher["share_high"])
    blocks, tasks = list(enumerate(short_blocks(comparison))), tasks_of(comparison)
    by_block = energy.sum(-1)
    shares = by_block / by_block.sum(1, keepdims=True).clip(min=1e-300)
    first = heat_map(
        "Share of a task's Fisher information by block",
        [TASKS[k] for k in tasks],
        [name for _, name in blocks],
        [100 * shares[k] for k in tasks],
        [
            [
                f"{TASKS[k]}, {name}: {shares[k, i]:.2%} of its task ({low[k, i]:.2%} to"
                f" {high[k, i]:.2%}), {scientific(by_block[k, i])}"
                for i, name in blocks
            ]
            for k in tasks
        ],
        "% of the task",
    )
    mean = by_block.mean(1) / tokens.sum()  # of a token, over blocks
    relative = energy / tokens.clip(min=1) / mean.clip(min=1e-300)[:, None, None]
    groups = [(k, g) for k in tasks for g in range(len(TOKEN_GROUPS)) if tokens[g] > 0]
    second = heat_map(
        "Fisher information of one token by group and block",
        [f"{TASKS[k]}, {TOKEN_GROUPS[g]} tokens" for k, g in groups],
        [name for _, name in blocks],
        [relative[k, :, g] for k, g in groups],
        [
            [
                f"{TASKS[k]}, {TOKEN_GROUPS[g]} token, {name}: {relative[k, i, g]:.3g} times the"
                f" mean token; all {tokens[g]:.0f}: {scientific(energy[k, i, g])}"
                for i, name in blocks
            ]
            for k, g in groups
        ],
        "times the mean token of the task",
    )
    return _figure(
        first, f"Share of a task's Fisher information by block, in percent. {ORDER}"
    ) + _figure(
        second,
        "Fisher information of one token of each group, as a multiple of the mean over tokens and"
        " blocks of the task. Crossed out: exactly zero, the task does not read these tokens.",
    )


def pareto_figure(comparison: Comparison, chosen: Mapping[str, Any], title: str) -> str:
    """Size against errors on a set, "" if none was measured."""
    panels, fronts = [], []
    for key, name, error in ERRORS:
        values = {row: comparison.value(row, chosen["name"], key) for row in comparison.rows}
        points = [
            (row.method, Point(row.bytes / 1e6, error(value), _label(row)))
            for row, value in values.items()
            if value is not None
        ]
        if not points:
            continue
        points.sort(key=lambda pair: method_place(pair[0]))
        series = [
            _style(method, [_with_numbers(p, name) for _, p in same])
            for method, same in groupby(points, key=lambda pair: pair[0])
        ]
        front = pareto_front([p for _, p in points])
        full = comparison.full_value(chosen["name"], key)
        level = None if full is None else (error(full), "full precision")
        panels.append(scatter(name, series, "size [MB]", name, front=front, level=level))
        fronts.append(f"{name}: {', '.join(f'{p.text} ({p.y:.3g})' for p in front)}")
    if not panels:
        return ""
    methods = dict.fromkeys(row.method for row in comparison.rows)
    marks = legend([_style(method) for method in sorted(methods, key=method_place)])
    caption = (
        f"{title}. The line joins what no other of at most its size beats. {'; '.join(fronts)}."
    )
    return _figure(f'<div class="row">{"".join(panels)}</div>{marks}', caption)


def pareto_front(points: Sequence[Point]) -> list[Point]:
    """Those that no point of at most their size x beats in y, by size."""
    front: list[Point] = []
    for point in sorted(points, key=lambda p: (p.x, p.y)):
        if not front or point.y < front[-1].y:
            front.append(point)
    return front


def _with_numbers(point: Point, error: str) -> Point:
    return point._replace(text=f"{point.text}: {point.x:.2f} MB, {error} {point.y:.4g}")


def short_blocks(comparison: Comparison) -> list[str]:
    """aggregator.frame_blocks.3 -> F3."""
    names = comparison.results["fisher"]["blocks"]
    return [("F" if "frame" in n else "G") + n.rsplit(".", 1)[1] for n in names]


def _label(row: Row) -> str:
    return f"{row.method} {row.grid}"


def _style(method: str, points: Sequence[Point] = ()) -> Series:
    """Every method keeps its colour and mark in all pictures."""
    place, control = method_place(method)
    i = place % len(COLOURS)
    return Series(method, COLOURS[i], MARKERS[i], points, hollow=control)


def _figure(picture: str, caption: str) -> str:
    return f"<figure>{picture}<figcaption>{escape(caption)}</figcaption></figure>"
