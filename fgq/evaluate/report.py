"""A page that shows what a comparison of methods found: one HTML file, legible offline, on a phone
and in print."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from fgq.evaluate.blocks import log_correlation
from fgq.evaluate.report_data import Comparison, Row, prediction_pairs, tasks_of
from fgq.evaluate.report_figures import (
    fisher_figures,
    pareto_figure,
    prediction_figure,
    sqnr_figure,
)
from fgq.evaluate.report_numbers import number, scientific
from fgq.evaluate.report_style import STYLE
from fgq.evaluate.report_tables import ACCURACY, FIDELITY, block_table, metric_table, plain_table
from fgq.fisher import TASKS

SMALL_PRINT = (
    "Bold: best on its grid. ±: standard deviation over seeds. Small print: 95 % interval of the"
    " difference from full precision, from a paired bootstrap over clips; dark where it excludes 0."
)


def report_page(comparisons: Sequence[Comparison]) -> str:
    """HTML of one or more comparisons, each a part of its own."""
    names = list(dict.fromkeys(str(c.results["checkpoint"]["name"]) for c in comparisons))
    title = f"Quantization of {escape(', '.join(names))}"
    parts = "".join(_part(c, f"c{i}-", len(comparisons) > 1) for i, c in enumerate(comparisons))
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title}</title><style>{STYLE}</style></head>\n"
        f"<body><h1>{title}: methods against full precision</h1>\n{parts}</body></html>\n"
    )


def _part(comparison: Comparison, prefix: str, titled: bool) -> str:
    accuracy = [
        (f"accuracy-{i}", f"Accuracy: {_set_title(chosen)}", _accuracy(comparison, chosen))
        for i, chosen in enumerate(comparison.sets)
    ]
    sections = [
        ("findings", "Findings", _findings(comparison)),
        *accuracy,
        ("fidelity", "Fidelity to full precision", _fidelity(comparison)),
        ("blocks", "Single blocks: predicted and measured losses", _blocks(comparison)),
        ("fisher", "Fisher information", _fisher(comparison)),
        ("pareto", "Size and error", _pareto(comparison)),
        ("made", "How this was made", _provenance(comparison)),
    ]
    links = "".join(f'<li><a href="#{prefix}{key}">{escape(t)}</a></li>' for key, t, _ in sections)
    body = "\n".join(
        f'<section id="{prefix}{key}"><h2>{escape(title)}</h2>{content}</section>'
        for key, title, content in sections
    )
    heading = f"<h2>{escape(comparison.results['checkpoint']['name'])}</h2>" if titled else ""
    return f"{heading}{_lead(comparison)}<nav><ul>{links}</ul></nav>\n{body}\n"


def _lead(comparison: Comparison) -> str:
    checkpoint, rows = comparison.results["checkpoint"], comparison.rows
    methods = dict.fromkeys(row.method for row in rows)
    seeds = {cell["seed"] for row in rows for cell in row.cells}
    sets = ", ".join(_set_title(chosen) for chosen in comparison.sets)
    failed = "".join(
        f"<p><b>Failed:</b> {escape(name)}: {escape(error)}</p>"
        for name, error in comparison.failed.items()
    )
    return (
        f"<p>{_count(len(methods), 'method')} on {_count(len(comparison.grids), 'grid')}"
        f" ({escape(', '.join(comparison.grids))}) with {_count(len(seeds), 'seed')}, made from"
        f" {escape(checkpoint['name'])} ({checkpoint['bytes'] / 1e6:.2f} MB) and measured on clips"
        f" that were not calibrated on: {escape(sets)}.</p>{failed}"
    )


def _findings(comparison: Comparison) -> str:
    """A few sentences: who is nearest on each grid, and how well losses are predicted."""
    chosen = comparison.sets[0]["name"]
    lines = []
    for grid in comparison.grids:
        rows = comparison.rows_on(grid)
        nearest = [
            _nearest(comparison, rows, chosen, "fidelity_rotation_mean_deg", "rotations", 3, "°"),
            _nearest(comparison, rows, chosen, "fidelity_log_depth_rmse", "log depth", 4),
        ]
        losses = sorted((float(row.block_loss("tokens").sum()), row.method) for row in rows)
        order = ", ".join(f"{escape(method)} {scientific(loss)}" for loss, method in losses)
        lines.append(
            f"<b>{escape(grid)}.</b> Nearest to full precision on {escape(chosen)}:"
            f" {'; '.join(filter(None, nearest))}. Fisher-weighted error of single blocks, least"
            f" first: {order}."
        )
    found = []
    for k in tasks_of(comparison):
        pearson, spearman, pairs = log_correlation(*prediction_pairs(comparison.rows, k))
        if pearson is not None and spearman is not None:
            found.append(
                f"{TASKS[k]} r = {number(pearson, 2)} (Spearman's ρ = {number(spearman, 2)},"
                f" {pairs} blocks)"
            )
    if found:
        lines.append(
            "<b>Prediction.</b> Pearson's correlation of logarithms between the loss that Fisher"
            " information predicts of a single quantized block and the measured one, over all"
            f" blocks, methods, grids and seeds: {', '.join(found)}."
        )
    return f"<ul>{''.join(f'<li>{line}</li>' for line in lines)}</ul>"


def _nearest(
    comparison: Comparison,
    rows: Sequence[Row],
    chosen: str,
    key: str,
    title: str,
    decimals: int,
    unit: str = "",
) -> str:
    """The two methods that deviate least, "" if none was measured."""
    values = [(comparison.value(row, chosen, key), row.method) for row in rows]
    ranked = sorted((value, method) for value, method in values if value is not None)
    shown = [f"{escape(method)} {number(v, decimals)}{unit}" for v, method in ranked[:2]]
    return f"{title} {', then '.join(shown)}" if shown else ""


def _accuracy(comparison: Comparison, chosen: Mapping[str, Any]) -> str:
    motion = comparison.full_value(chosen["name"], "motion_median_deg")
    unit = "metres" if chosen["unit"] == "m" else "the median true depth of each clip"
    note = f"Lengths are in {unit}."
    if motion is not None:
        note += f" Pairs of views turn by {number(motion, 1)}° in the median."
    tables = [
        metric_table(comparison, chosen["name"], title, metrics, fidelity=False)
        for title, metrics in ACCURACY.items()
    ]
    return f"<p>{note} {SMALL_PRINT}</p>{''.join(tables)}"


def _fidelity(comparison: Comparison) -> str:
    parts = [
        "<p>How far the outputs are from those of full precision, without any truth. Bold: nearest"
        " on its grid. ±: standard deviation over seeds. Small print: 95 % interval over clips."
        " Translations are in units of the median depth, deviations of points in units of their"
        " distance.</p>"
    ]
    for chosen in comparison.sets:
        name = chosen["name"]
        parts.append(f"<h3>{escape(_set_title(chosen))}</h3>")
        parts += [metric_table(comparison, name, t, m, fidelity=True) for t, m in FIDELITY.items()]
        parts.append(sqnr_figure(comparison, name))
    return "".join(parts)


def _blocks(comparison: Comparison) -> str:
    first = comparison.sets[0]
    clips = min(comparison.results["evaluation"]["block_clips"], first["clips"])
    return (
        "<p>Every block is quantized alone: it gets full-precision inputs, and its measured loss is"
        " half the squared deviation of the network's outputs, in the units of the metrics, on"
        f" {_count(clips, 'clip')} of {escape(first['name'])}. The prediction is half the squared"
        " error of the block's output times the Fisher information there. Weighted and unweighted"
        " errors are means over tokens and channels. Correlations are those of logarithms over the"
        f" blocks of a row.</p>{block_table(comparison)}{prediction_figure(comparison)}"
    )


def _fisher(comparison: Comparison) -> str:
    fisher = comparison.results["fisher"]
    probes = f" with {_count(fisher['probes'], 'probe')} each" if fisher["probes"] else ""
    return (
        "<p>What each task depends on: the squared gradient of its outputs at the output of every"
        f" block, summed over channels; estimator {escape(str(fisher['estimator']))} on"
        f" {_count(fisher['clips'], 'clip')}{probes}. Hover for numbers; the interval of a share is"
        f" a 95 % bootstrap over clips.</p>{fisher_figures(comparison)}"
    )


def _pareto(comparison: Comparison) -> str:
    figures = [pareto_figure(comparison, s, _set_title(s)) for s in comparison.sets]
    size = comparison.results["checkpoint"]["bytes"] / 1e6
    return (
        "<p>Size is that of the file of a checkpoint's weights; that of full precision has"
        f" {size:.2f} MB.</p>{''.join(figures)}"
    )


def _provenance(comparison: Comparison) -> str:
    results, checkpoint = comparison.results, comparison.results["checkpoint"]
    cells = [cell for row in comparison.rows for cell in row.cells]
    settings = dict.fromkeys(_settings(cell) for cell in cells)
    sets = [(s["name"], s["clips"], s["views"], s["sha256"]) for s in comparison.sets]
    checkpoints = [("full precision", "", "", f"{checkpoint['bytes']:,}", checkpoint["sha256"], "")]
    for cell in cells:
        seconds = " + ".join(f"{s:.0f}" for s in cell["seconds"].values())
        kind = cell["method"], cell["grid"], cell["seed"]
        checkpoints.append((*kind, f"{cell['bytes']:,}", cell["sha256"], seconds))
    versions = ", ".join(f"{name} {v}" for name, v in results["created_with"].items())
    commands = "\n".join(results["commands"])
    return (
        f"<p>Commands:</p><pre>{escape(commands)}</pre><p>Made with {escape(versions)}. SHA-256 of"
        f" the Fisher information: <code>{results['fisher']['sha256']}</code>. Bootstraps from seed"
        f" {results['evaluation']['seed']}.</p>"
        f"<ul>{''.join(f'<li>{escape(text)}</li>' for text in settings)}</ul>"
        + plain_table("Held-out sets", ("set", "clips", "views", "SHA-256 of images, truth"), sets)
        + plain_table(
            "Checkpoints",
            (
                "method",
                "grid",
                "seed",
                "bytes",
                "SHA-256 of the weights",
                "CPU seconds: calibrate + evaluate + blocks",
            ),
            checkpoints,
        )
    )


def _settings(cell: Mapping[str, Any]) -> str:
    """A sentence on how a cell was calibrated, the same for cells that are so alike."""
    made, options = cell["calibration"], cell["options"]
    height, width = made["size"]
    shown = {k: v for k, v in options.items() if k not in ("grid", "seed", "permuted", "plan")}
    chosen = ", ".join(f"{name} {value}" for name, value in shown.items())
    return (
        f"{cell['method']}: {_count(made['clips'], 'clip')} of {made['views']} views at"
        f" {height}×{width} from {made['data']}, scope {made['scope']}; {chosen}."
    )


def _set_title(chosen: Mapping[str, Any]) -> str:
    return f"{chosen['name']}, {chosen['views']} views, {_count(chosen['clips'], 'clip')}"


def _count(number: int, name: str) -> str:
    return f"{number} {name}{'' if number == 1 else 's'}"
