"""Tables of the report, and how figures are written in them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from html import escape
from typing import Any

from app.compare.comparison import TARGETS, Comparison
from app.compare.lanes import Figures, Lane, ratio
from app.compare.metrics import Difference
from app.compare.svg import COLORS

NOT_KNOWN = "n/a"

_STAGE_WORDS = {
    "decode": "Reading the frame",
    "select": "Choosing it",
    "align": "Joining to what is there",
    "fuse": "Making points",
}

SHARED = (_STAGE_WORDS["decode"], _STAGE_WORDS["select"])
"""Done once for all lanes."""


def number(value: float | None, digits: int = 3) -> str:
    """A figure to so many significant digits, "n/a" where there is none."""
    if value is None or math.isnan(value):
        return NOT_KNOWN
    if value == 0:
        return "0"
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    return f"{value:,.{min(decimals, 4)}f}"


def percent(value: float | None) -> str:
    """A figure in percent."""
    text = number(value)
    return text if text == NOT_KNOWN else f"{text}\u00a0%"


def times(value: float | None, reference: float | None) -> str:
    """How many times the reference a value is."""
    text = number(ratio(value, reference))
    return text if text == NOT_KNOWN else f"{text}\u00a0×"


def count(value: float | None) -> str:
    """A whole number."""
    return NOT_KNOWN if value is None else f"{value:.0f}"


def seconds(value: float | None) -> str:
    """A time in milliseconds."""
    text = number(None if value is None else 1000 * value)
    return text if text == NOT_KNOWN else f"{text}\u00a0ms"


def mebibytes(value: float | None) -> str:
    """Memory."""
    return NOT_KNOWN if value is None else f"{value / 2**20:.0f}\u00a0MiB"


def megabytes(value: float | None) -> str:
    """Size of a file."""
    return NOT_KNOWN if value is None else f"{value / 1e6:.2f}\u00a0MB"


def joules(value: float | None) -> str:
    """Energy."""
    text = number(value)
    return text if text == NOT_KNOWN else f"{text}\u00a0J"


FigureRow = tuple[str, Callable[[Figures], float | None], Callable[[float | None], str]]

COST_WORDS = (
    "Medians over windows. The first window of a lane warms it up and counts only where it is"
    " named; smaller windows at the end count nowhere. The lanes took turns on the same windows, so"
    " that reading and choosing were done once for all. Peak memory is of the process that runs the"
    " model, Python and torch included. Energy is of the whole processor while the network ran;"
    f" {NOT_KNOWN} where the system does not tell."
)


def figure_groups() -> dict[str, list[FigureRow]]:
    """Name of each figure, where it is found and how it is written, under headings."""
    return {
        "Network": [
            ("Windows", lambda f: f.windows or None, count),
            ("Views a second", lambda f: f.views_per_second, number),
            ("A window, median", lambda f: f.window_at("p50"), seconds),
            ("90th percentile", lambda f: f.window_at("p90"), seconds),
            ("99th percentile", lambda f: f.window_at("p99"), seconds),
            ("First window (warm-up)", lambda f: f.first_window, seconds),
        ],
        "Other stages of a window, median": [
            (words, _stage(name), seconds) for name, words in _STAGE_WORDS.items()
        ],
        "Memory and energy": [
            ("Peak memory of the runtime", lambda f: f.memory, mebibytes),
            ("of it before the model", lambda f: f.base_memory, mebibytes),
            ("Model file", lambda f: f.model_bytes, megabytes),
            ("Energy a view", lambda f: f.joules_per_view, joules),
        ],
    }


def figures_table(lanes: Sequence[Lane]) -> str:
    """What each lane took, and how that relates to the first."""
    figures = [lane.figures() for lane in lanes]
    heads = [_swatch(place, lane.title) for place, lane in enumerate(lanes)]
    heads += [f"{escape(lane.title)} / {escape(lanes[0].title)}" for lane in lanes[1:]]
    rows: list[tuple[str, Sequence[str]]] = []
    for heading, group in figure_groups().items():
        rows.append((heading, []))
        for name, find, write in group:
            values = [find(entry) for entry in figures]
            ratios = ["shared" if name in SHARED else times(v, values[0]) for v in values[1:]]
            rows.append((name, [*(write(value) for value in values), *ratios]))
    return _table(heads, rows)


def difference_table(comparison: Comparison) -> str:
    """Every lane from the first, and every lane from the truth."""
    columns: list[tuple[str, Difference | None]] = [
        (f"{escape(lane.title)}: difference", apart)
        for lane, apart in zip(comparison.lanes[1:], comparison.differences[1:], strict=True)
    ]
    columns += [
        (f"{escape(lane.title)}: error", error)
        for lane, error in zip(comparison.lanes, comparison.errors, strict=False)
    ]
    kinds: list[tuple[str, Callable[[Difference], str]]] = [
        ("Depth, mean over pixels", lambda d: percent(d.depth_percent)),
        ("Depth, median", lambda d: percent(d.depth_median_percent)),
        ("Depth, 90th percentile", lambda d: percent(d.depth_p90_percent)),
        ("Rotation of the cameras, median", lambda d: f"{number(d.rotation_deg)}°"),
        ("Position of the cameras, root mean square", lambda d: percent(d.translation_percent)),
        ("Points of a pixel apart, median", lambda d: percent(d.point_percent)),
        ("Keyframes compared", lambda d: str(len(d.keyframes))),
    ]
    rows = [
        (name, [write(entry) if entry else NOT_KNOWN for _, entry in columns])
        for name, write in kinds
    ]
    small = (
        "Positions after the Sim(3) that fits all of them best, in percent of the length of the"
        " path; rotations after the one that fits all best; depth after one scale for the whole"
        " sequence, in percent of the depth; points after one Sim(3) for cameras and depth, in"
        " percent of their depth."
    )
    if not comparison.errors:
        small += (
            " There is no truth beside this source: the first lane is the reference, and what is"
            " listed is a difference, not an error."
        )
    return f'{_table([name for name, _ in columns], rows)}<p class="small">{small}</p>'


def cuts_table(comparison: Comparison) -> str:
    """How many of the least confident pixels to hide for a mean difference or error."""
    entries = [
        (f"{escape(lane.title)}: difference", apart)
        for lane, apart in zip(comparison.lanes, comparison.differences, strict=True)
        if apart
    ]
    entries += [
        (f"{escape(lane.title)}: error", error)
        for lane, error in zip(comparison.lanes, comparison.errors, strict=False)
        if error
    ]
    known = [(name, entry.confidence) for name, entry in entries if entry.confidence]
    if not known:
        return ""
    rows = []
    for target in TARGETS:
        cuts = [curve.cut_for(target) for _, curve in known]
        cells = ["no cut does" if cut is None else f"{100 * cut:.0f} %" for cut in cuts]
        rows.append((f"Mean below {100 * target:.0f} %", cells))
    caption = (
        "<p>Share of the least confident pixels of each keyframe to hide (the window’s confidence"
        " slider, --quantile of the commands) so that the mean of the others stays below:</p>"
    )
    return caption + _table([name for name, _ in known], rows)


def plain_table(rows: Iterable[tuple[str, Any]]) -> str:
    """Names and values."""
    cells = "".join(
        f'<tr><th>{escape(str(name))}</th><td class="wide">{escape(str(value))}</td></tr>'
        for name, value in rows
    )
    return f"<table><tbody>{cells}</tbody></table>"


def _table(heads: Sequence[str], rows: Sequence[tuple[str, Sequence[str]]]) -> str:
    """heads: HTML; the rest is escaped. A row without cells is a heading."""
    head = "".join(f"<th>{text}</th>" for text in heads)
    body = "".join(
        f"<tr><th>{escape(name)}</th>{''.join(f'<td>{escape(c)}</td>' for c in cells)}</tr>"
        if cells
        else f'<tr><td class="head" colspan="{len(heads) + 1}">{escape(name)}</td></tr>'
        for name, cells in rows
    )
    return (
        f'<div class="scroll"><table><thead><tr><th></th>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def _swatch(place: int, title: str) -> str:
    color = COLORS[place % len(COLORS)]
    return f'<span class="swatch" style="background:{color}"></span>{escape(title)}'


def _stage(name: str) -> Callable[[Figures], float | None]:
    return lambda figures: figures.stages[name] if figures.stages else None
