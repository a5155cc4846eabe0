"""The tables of a report: which metrics, in which units, and how a figure is written."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from html import escape
from typing import Any, NamedTuple

import numpy as np

from fgq.evaluate.blocks import log_correlation
from fgq.evaluate.intervals import Interval
from fgq.evaluate.report_data import Comparison, Figure, Row, prediction_pairs, tasks_of
from fgq.evaluate.report_numbers import number, power_of_ten
from fgq.fisher import TASKS


class Metric(NamedTuple):
    """unit "length" is that of the set. better: +1 if more is better, -1 if less is."""

    key: str
    label: str
    unit: str
    decimals: int
    better: int


def _points(source: str) -> list[Metric]:
    return [
        Metric(f"{source}_{kind}_{how}", f"{kind}, {how}", "length", 4, -1)
        for kind in ("accuracy", "completeness")
        for how in ("mean", "median")
    ] + [
        Metric(f"{source}_normal_{how}", f"normals, {how}", "", 3, 1) for how in ("mean", "median")
    ]


ACCURACY: dict[str, list[Metric]] = {
    "Relative poses of all pairs of views": [
        Metric("rotation_median_deg", "rotation, median", "°", 2, -1),
        Metric("rotation_mean_deg", "rotation, mean", "°", 2, -1),
        Metric("translation_median_deg", "direction, median", "°", 2, -1),
        *(Metric(f"auc{limit}", f"AUC@{limit}°", "", 3, 1) for limit in (3, 5, 15, 30)),
    ],
    "Share of pairs with a rotation (RRA) or direction (RTA) error below a limit": [
        Metric(f"{kind}{limit}", f"{kind.upper()}@{limit}°", "", 3, 1)
        for kind in ("rra", "rta")
        for limit in (5, 15, 30)
    ],
    "Depth after one scale a clip, and after one scale an image": [
        Metric(prefix + key, title + label, unit, decimals, better)
        for prefix, title in (("", ""), ("image_", "image: "))
        for key, label, unit, decimals, better in (
            ("abs_rel", "AbsRel", "", 4, -1),
            ("rmse", "RMSE", "length", 4, -1),
            ("log_rmse", "log RMSE", "", 4, -1),
            ("delta1", "δ < 1.25", "", 3, 1),
        )
    ],
    "Points from depth and cameras, after alignment": _points("unprojected"),
    "Points of the point head, after alignment": _points("point_head"),
}
FIDELITY: dict[str, list[Metric]] = {
    "Cameras: deviation from full precision": [
        Metric("fidelity_rotation_median_deg", "rotation, median", "°", 3, -1),
        Metric("fidelity_rotation_mean_deg", "rotation, mean", "°", 3, -1),
        Metric("fidelity_translation_median", "translation, median", "median depth", 4, -1),
        Metric("fidelity_translation_mean", "translation, mean", "median depth", 4, -1),
        Metric("fidelity_fov_deg", "field of view", "°", 3, -1),
    ],
    "Depth and points: deviation from full precision": [
        Metric("fidelity_log_depth_rmse", "log depth RMSE", "", 4, -1),
        Metric("fidelity_log_depth_rmse_aligned", "log depth RMSE, aligned", "", 4, -1),
        Metric("fidelity_abs_rel", "AbsRel", "", 4, -1),
        Metric("fidelity_unprojected_rmse", "depth's points", "distance", 4, -1),
        Metric("fidelity_point_head_rmse", "point head", "distance", 4, -1),
    ],
}


def metric_table(
    comparison: Comparison, chosen: str, title: str, metrics: Sequence[Metric], fidelity: bool
) -> str:
    """Methods by grid against metrics of a set, "" if none of them was measured.

    The small print is the interval of the difference from full precision, or for fidelity, which
    is a difference already, that of the figure.
    """
    unit = next(s["unit"] for s in comparison.sets if s["name"] == chosen)
    figures = {
        (row.method, row.grid, m.key): comparison.figure(row, chosen, m.key)
        for row in comparison.rows
        for m in metrics
    }
    present = [
        m for m in metrics if any(k[2] == m.key and f is not None for k, f in figures.items())
    ]
    if not present:
        return ""
    heads = [_head(m, unit) for m in present]
    body = []
    if not fidelity:
        values = [comparison.full_value(chosen, m.key) for m in present]
        cells = [
            f"<td>{'–' if v is None else number(v, m.decimals)}</td>"
            for v, m in zip(values, present, strict=True)
        ]
        body.append(f'<tr><th scope="row">full precision</th>{"".join(cells)}</tr>')
    for grid in comparison.grids:
        body.append(_grid_row(comparison, grid, len(present)))
        rows = comparison.rows_on(grid)
        best = {
            m.key: _best([figures[row.method, grid, m.key] for row in rows], m) for m in present
        }
        for row in rows:
            cells = [
                _cell(figures[row.method, grid, m.key], m, best[m.key], fidelity) for m in present
            ]
            body.append(_method_row(comparison, row, cells))
    return table(title, ["method", *heads], body)


def table(caption: str, heads: Sequence[str], body: Sequence[str]) -> str:
    """heads and rows are HTML already."""
    columns = "".join(f'<th scope="col">{head}</th>' for head in heads)
    return (
        f'<div class="scroll"><table><caption><span>{caption}</span></caption>'
        f"<thead><tr>{columns}</tr></thead>"
        f"<tbody>{''.join(body)}</tbody></table></div>"
    )


def _grid_row(comparison: Comparison, grid: str, columns: int) -> str:
    """A line between the rows of two grids, with the size of checkpoints."""
    sizes = [row.bytes / 1e6 for row in comparison.rows_on(grid)]
    full = comparison.results["checkpoint"]["bytes"] / 1e6
    low, high = (number(f(sizes), 2) for f in (min, max))
    size = low if low == high else f"{low} to {high}"
    text = f"{escape(grid)} · {size} MB, {100 * np.mean(sizes) / full:.0f} % of full precision"
    return f'<tr class="grid"><th colspan="{columns + 1}" scope="rowgroup">{text}</th></tr>'


def _method_row(comparison: Comparison, row: Row, cells: Sequence[str]) -> str:
    """With the number of seeds if others have more."""
    seeds = len(row.cells)
    fewer = seeds < max(len(other.cells) for other in comparison.rows)
    note = f' <span class="note">{seeds} seed{"" if seeds == 1 else "s"}</span>' if fewer else ""
    return f'<tr><th scope="row">{escape(row.method)}{note}</th>{"".join(cells)}</tr>'


def _head(metric: Metric, length: str) -> str:
    unit = length if metric.unit == "length" else metric.unit
    shown = f'<span class="unit">[{escape(unit)}]</span> ' if unit else ""
    arrow = "↑" if metric.better > 0 else "↓"
    return f'{escape(metric.label)} <span class="whole">{shown}{arrow}</span>'


def _best(figures: Sequence[Figure | None], metric: Metric) -> str | None:
    """The best figure as it is written; None if all are the same."""
    values = [metric.better * f.value for f in figures if f is not None]
    shown = {number(metric.better * v, metric.decimals) for v in values}
    return number(metric.better * max(values), metric.decimals) if len(shown) > 1 else None


def _cell(figure: Figure | None, metric: Metric, best: str | None, fidelity: bool) -> str:
    if figure is None:
        return "<td>–</td>"
    shown = number(figure.value, metric.decimals)
    text = f"<b>{shown}</b>" if shown == best else shown
    if figure.spread is not None:
        text += f' <span class="note">± {number(figure.spread, metric.decimals)}</span>'
    interval = figure.interval if fidelity else figure.difference
    return f"<td>{text}{_interval(interval, metric.decimals, signed=not fidelity)}</td>"


def _interval(interval: Interval | None, decimals: int, signed: bool) -> str:
    if interval is None or interval.low is None or interval.high is None:
        return ""
    sure = signed and (interval.low > 0 or interval.high < 0)
    low, high = (_signed(x, decimals, signed) for x in (interval.low, interval.high))
    kind = "interval sure" if sure else "interval"
    return f'<br><span class="{kind}">{low} to {high}</span>'


def _signed(value: float, decimals: int, signed: bool) -> str:
    text = number(value, decimals)
    return f"+{text}" if signed and value > 0 and float(f"{value:.{decimals}f}") > 0 else text


def block_table(comparison: Comparison) -> str:
    """Losses of single blocks, summed over blocks, and how well they are predicted."""
    tasks = tasks_of(comparison)
    losses: list[tuple[str, Callable[[Row], float]]] = [
        ("weighted by token groups", lambda row: float(row.block_loss("tokens").sum())),
        ("weighted by channels", lambda row: float(row.block_loss("channels").sum())),
        ("unweighted", lambda row: float(row.block_loss("mse").sum())),
    ]
    for k in tasks:
        for kind in ("predicted", "measured"):
            losses.append((f"{TASKS[k]}, {kind}", _task_loss(kind, k)))
    columns = [{row: loss(row) for row in comparison.rows} for _, loss in losses]
    powers = [_common_power(list(column.values())) for column in columns]
    heads = [
        f'{escape(label)} <span class="whole"><span class="unit">[{power_of_ten(power)}]</span>'
        " ↓</span>"
        for (label, _), power in zip(losses, powers, strict=True)
    ]
    heads += [f"Pearson r, {TASKS[k]}" for k in tasks] + [f"Spearman ρ, {TASKS[k]}" for k in tasks]
    body = []
    for grid in comparison.grids:
        body.append(_grid_row(comparison, grid, len(heads)))
        rows = comparison.rows_on(grid)
        for row in rows:
            cells = []
            for column, power in zip(columns, powers, strict=True):
                shown, *all_shown = (number(column[r] / 10.0**power, 3) for r in (row, *rows))
                best = len(rows) > 1 and float(shown) == min(map(float, all_shown))
                cells.append(f"<td>{f'<b>{shown}</b>' if best else shown}</td>")
            found = [log_correlation(*prediction_pairs([row], k)) for k in tasks]
            for r in [f.pearson for f in found] + [f.spearman for f in found]:
                cells.append(f"<td>{'–' if r is None else number(r, 2)}</td>")
            body.append(_method_row(comparison, row, cells))
    return table("Losses of single blocks, summed over blocks", ["method", *heads], body)


def _task_loss(kind: str, task: int) -> Callable[[Row], float]:
    return lambda row: float(row.block_loss(kind)[task].sum())


def _common_power(values: Sequence[float]) -> int:
    """Power of ten that makes the middle one of positive values 1 to 10."""
    positive = [v for v in values if v > 0]
    return math.floor(math.log10(float(np.median(positive)))) if positive else 0


def plain_table(caption: str, heads: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Of texts; the first of a row names it."""
    body = []
    for first, *others in rows:
        cells = "".join(f"<td>{escape(str(x))}</td>" for x in others)
        body.append(f'<tr><th scope="row">{escape(str(first))}</th>{cells}</tr>')
    return table(escape(caption), [escape(head) for head in heads], body)
