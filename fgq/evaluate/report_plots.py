"""The few kinds of pictures of a report, as SVG that stands inside a page: no scripts, no fonts of
its own, legible in print. What a mark stands for is told on hover by its <title>."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import NamedTuple

from fgq.evaluate.report_numbers import brief, linear_ticks, log_ticks, scientific

INK, FAINT, RULE = "#1a1a1a", "#595959", "#d0d0d0"
# Light to dark in one hue: it reads the same in grey and to the colour-blind.
RAMP = ((247, 251, 255), (198, 219, 239), (107, 174, 214), (33, 113, 181), (8, 48, 107))
# Colours that the colour-blind can tell apart (Okabe and Ito 2008), without the pale yellow.
COLOURS = ("#6b6b6b", "#56b4e9", "#009e73", "#e69f00", "#cc79a7", "#8c510a", "#0072b2", "#d55e00")
MARKERS = ("circle", "square", "triangle", "diamond", "wedge", "hexagon", "bar", "star")
NUMBERS_FIT = 38  # pixels of a cell's width


class Point(NamedTuple):
    x: float
    y: float
    text: str


@dataclass(frozen=True)
class Series:
    """Points of one kind; hollow marks are for controls."""

    label: str
    colour: str
    marker: str
    points: Sequence[Point]
    hollow: bool = False


@dataclass(frozen=True)
class Axis:
    """Maps values in [low, high] to pixels from `start` to `end`."""

    label: str
    low: float
    high: float
    log: bool
    start: float
    end: float

    def __call__(self, value: float) -> float:
        low, high, value = (self._linear(v) for v in (self.low, self.high, value))
        return self.start + (value - low) / (high - low) * (self.end - self.start)

    def _linear(self, value: float) -> float:
        return math.log10(value) if self.log else value

    def ticks(self) -> list[tuple[float, str]]:
        return log_ticks(self.low, self.high) if self.log else linear_ticks(self.low, self.high)


def heat_map(
    label: str,
    rows: Sequence[str],
    columns: Sequence[str],
    values: Sequence[Sequence[float]],
    texts: Sequence[Sequence[str]],
    unit: str,
    log: bool = True,
) -> str:
    """Cells [rows][columns] coloured by value; texts are shown on hover.

    Zeros are left white and crossed out on a logarithmic scale. Where columns are wide enough the
    numbers stand in the cells.
    """
    left = 16 + 7.2 * max(map(len, rows))
    cell = min(64.0, max(13.0, (760 - left) / len(columns)))
    height, upright = 24, cell >= 24
    top = 20 if upright else 34
    width = left + cell * len(columns) + 6
    shown = [v for row in values for v in row if v > 0 or not log]
    low, high = (min(shown), max(shown)) if shown else (1.0, 1.0)
    if low == high:
        low, high = (low / 2, high * 2) if log else (low - 1, high + 1)
    shade = Axis("", low, high, log, 0, 1)
    parts = []
    for j, name in enumerate(columns):
        x = left + cell * (j + 0.5)
        turn = "" if upright else f' transform="rotate(-90 {x:.1f} {top - 5})"'
        anchor, dx, dy = ("middle", 0.0, 0) if upright else ("start", 0.0, 3)
        parts.append(_text(x + dx, top - 6 + dy, name, anchor, 11, extra=turn))
    for i, name in enumerate(rows):
        y = top + height * i
        parts.append(_text(left - 8, y + height / 2 + 4, name, "end"))
        for j, (value, text) in enumerate(zip(values[i], texts[i], strict=True)):
            x = left + cell * j
            fill, ink = ("#ffffff", INK) if log and value <= 0 else _colour(shade(value))
            box = f'x="{x:.1f}" y="{y}" width="{cell:.1f}" height="{height}"'
            content = f'<rect {box} fill="{fill}" stroke="#ffffff"/>'
            if log and value <= 0:
                content += _line(x + 3, y + height - 3, x + cell - 3, y + 3, RULE)
            elif cell >= NUMBERS_FIT:
                middle, base = x + cell / 2, y + height / 2 + 4
                content += _text(middle, base, brief(value), "middle", 11, ink)
            parts.append(f"<g><title>{escape(text)}</title>{content}</g>")
    bottom = top + height * len(rows) + 14
    parts += _colour_bar(left, bottom, shade, unit)
    return _svg(max(width, left + 246), bottom + 40, label, parts)


def _colour_bar(x: float, y: float, shade: Axis, unit: str) -> list[str]:
    width, steps = 240.0, 40
    parts = [
        f'<rect x="{x + width * i / steps:.2f}" y="{y}" width="{width / steps + 0.3:.2f}"'
        f' height="8" fill="{_colour((i + 0.5) / steps)[0]}"/>'
        for i in range(steps)
    ]
    for share, anchor in ((0.0, "start"), (0.5, "middle"), (1.0, "end")):
        low, high = shade.low, shade.high
        value = low * (high / low) ** share if shade.log else low + (high - low) * share
        parts.append(_text(x + width * share, y + 21, scientific(value), anchor, 11))
    scale = "logarithmic" if shade.log else "linear"
    parts.append(_text(x, y + 35, f"{unit}, {scale} scale", "start", 11, FAINT))
    return parts


def scatter(
    label: str,
    series: Sequence[Series],
    x_label: str,
    y_label: str,
    log: bool = False,
    diagonal: bool = False,
    front: Sequence[Point] = (),
    level: tuple[float, str] | None = None,
) -> str:
    """Points in a square; with `diagonal` both axes have one range and equality is drawn.

    front: corners of a staircase, from left to right. level: a value of y to draw, and its name.
    """
    width, height, left, bottom, top, right = 336, 320, 68, 46, 30, 14
    points = [p for s in series for p in s.points]
    xs, ys = ([p.x for p in points], [p.y for p in points])
    ys += [level[0]] if level else []
    if diagonal:
        xs = ys = [*xs, *ys]
    x = Axis(x_label, *_range(xs, log), log, left, width - right)
    y = Axis(y_label, *_range(ys, log), log, height - bottom, top)
    parts = [_text(left, 16, label, "start", 13, weight="bold")]
    for value, text in x.ticks():
        parts.append(_line(x(value), y.start, x(value), y.end, "#eeeeee"))
        parts.append(_text(x(value), y.start + 16, text, "middle", 11))
    for value, text in y.ticks():
        parts.append(_line(x.start, y(value), x.end, y(value), "#eeeeee"))
        parts.append(_text(left - 6, y(value) + 4, text, "end", 11))
    parts.append(_line(x.start, y.start, x.end, y.start, FAINT))
    parts.append(_line(x.start, y.start, x.start, y.end, FAINT))
    parts.append(_text((x.start + x.end) / 2, height - 8, x_label, "middle", 12))
    turn = f' transform="rotate(-90 11 {(y.start + y.end) / 2})"'
    parts.append(_text(11, (y.start + y.end) / 2, y_label, "middle", 12, extra=turn))
    if diagonal:
        parts.append(_line(x.start, y.start, x.end, y.end, FAINT, dashed=True))
    if level:
        parts.append(_line(x.start, y(level[0]), x.end, y(level[0]), FAINT, dashed=True))
        parts.append(_text(x.end, y(level[0]) - 5, level[1], "end", 11, FAINT))
    if front:
        corners = [(x(front[0].x), y.end)]
        for p in front:
            corners += [(x(p.x), corners[-1][1]), (x(p.x), y(p.y))]
        corners.append((x.end, corners[-1][1]))
        path = " ".join(f"{a:.1f},{b:.1f}" for a, b in corners[1:])
        parts.append(f'<polyline points="{path}" fill="none" stroke="{FAINT}"/>')
    for s in series:
        for p in s.points:
            parts.append(_marker(s, x(p.x), y(p.y), p.text))
    return _svg(width, height, label, parts)


def legend(series: Sequence[Series]) -> str:
    """The marks with their names, to stand under a row of pictures."""
    items = [
        f"<li>{_svg(16, 14, s.label, [_marker(s, 8, 7, s.label)])} {escape(s.label)}</li>"
        for s in series
    ]
    return f'<ul class="legend">{"".join(items)}</ul>'


def _range(values: Sequence[float], log: bool) -> tuple[float, float]:
    """Of an axis, with a margin."""
    low, high = min(values, default=1.0), max(values, default=1.0)
    if log:
        margin = max((high / low) ** 0.06, 1.2)
        return low / margin, high * margin
    margin = 0.08 * (high - low) or 0.1 * abs(high) or 1.0
    return (low - margin if low < 0 or low > margin else 0.0), high + margin


def _colour(share: float) -> tuple[str, str]:
    """Of the ramp at a share from 0 to 1, and that of text on it."""
    place = min(max(share, 0.0), 1.0) * (len(RAMP) - 1)
    i = min(int(place), len(RAMP) - 2)
    mixed = (round(a + (b - a) * (place - i)) for a, b in zip(RAMP[i], RAMP[i + 1], strict=True))
    return "#" + "".join(f"{c:02x}" for c in mixed), "#ffffff" if share > 0.66 else INK


def _marker(series: Series, x: float, y: float, text: str) -> str:
    fill = "#ffffff" if series.hollow else series.colour
    paint = f'fill="{fill}" fill-opacity="0.8" stroke="{series.colour}" stroke-width="1.2"'
    corners = CORNERS.get(series.marker)
    if corners is None:
        shape = f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4.2" {paint}>'
        end = "</circle>"
    else:
        path = " ".join(f"{x + dx:.1f},{y + dy:.1f}" for dx, dy in corners)
        shape, end = f'<polygon points="{path}" {paint}>', "</polygon>"
    return f"{shape}<title>{escape(text)}</title>{end}"


def _polar(radius: float, degrees: float) -> tuple[float, float]:
    angle = math.radians(degrees)
    return radius * math.cos(angle), radius * math.sin(angle)


# Of marks in pixels around their middle; any other is a circle.
CORNERS: dict[str, list[tuple[float, float]]] = {
    "square": [(-4, -4), (4, -4), (4, 4), (-4, 4)],
    "triangle": [(0, -5), (4.8, 4), (-4.8, 4)],
    "wedge": [(0, 5), (4.8, -4), (-4.8, -4)],
    "diamond": [(0, -5.5), (5.5, 0), (0, 5.5), (-5.5, 0)],
    "bar": [(-5.5, -2.2), (5.5, -2.2), (5.5, 2.2), (-5.5, 2.2)],
    "hexagon": [_polar(4.8, 60 * k) for k in range(6)],
    "star": [_polar(6.2 if k % 2 == 0 else 2.8, 36 * k - 90) for k in range(10)],
}


def _text(
    x: float,
    y: float,
    text: str,
    anchor: str,
    size: int = 12,
    colour: str = INK,
    weight: str = "normal",
    extra: str = "",
) -> str:
    style = f'text-anchor="{anchor}" font-size="{size}" font-weight="{weight}" fill="{colour}"'
    return f'<text x="{x:.1f}" y="{y:.1f}" {style}{extra}>{escape(text)}</text>'


def _line(x1: float, y1: float, x2: float, y2: float, colour: str, dashed: bool = False) -> str:
    dash = ' stroke-dasharray="4 4"' if dashed else ""
    ends = f'x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"'
    return f'<line {ends} stroke="{colour}"{dash}/>'


def _svg(width: float, height: float, label: str, parts: Sequence[str]) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}"'
        f' width="{width:.0f}" height="{height:.0f}" role="img" aria-label="{escape(label)}">'
        f"{''.join(parts)}</svg>"
    )
