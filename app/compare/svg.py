"""Plots as SVG text: sharp at any size, legible without anything else."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from html import escape

import numpy as np
from numpy.typing import ArrayLike

from app.geometry import Floats

COLORS = ("#1f6fb5", "#d9601a", "#2e8b57", "#8e5bb5")
"""Of the lanes, in their order; told apart by the color-blind as well."""

TRUTH_COLOR = "#3a3a3a"

_LEFT, _RIGHT, _TOP, _BOTTOM = 58.0, 12.0, 10.0, 44.0
_FONT = 'font-family="system-ui, Helvetica, Arial, sans-serif" font-size="12"'


@dataclass(frozen=True)
class Ink:
    """Colours of what surrounds the marks: labels, numbers, lines of the grid, bars behind."""

    text: str = "#1a1a1a"
    faint: str = "#6b6b6b"
    grid: str = "#e2e2e2"
    bars: str = "#dcdcdc"


@dataclass
class Plot:
    """Axes with marks on them; `svg` is the finished picture.

    x_range, y_range: what the axes span; log_x: even steps of the logarithm; equal: one unit is as
    long on both axes, the ranges grow to fit.
    """

    x_range: tuple[float, float]
    y_range: tuple[float, float]
    x_label: str
    y_label: str
    size: tuple[int, int] = (520, 300)
    log_x: bool = False
    equal: bool = False
    ink: Ink = Ink()
    _marks: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.x_range, self.y_range = _spread(self.x_range), _spread(self.y_range)
        if self.equal:
            width, height = self._inner
            unit = max(_length(self.x_range) / width, _length(self.y_range) / height)
            self.x_range = _grown(self.x_range, unit * width)
            self.y_range = _grown(self.y_range, unit * height)

    def line(
        self, x: ArrayLike, y: ArrayLike, color: str, dashed: bool = False, width: float = 2
    ) -> None:
        """A line through those of the points [N], [N] that are finite."""
        style = f'fill="none" stroke="{color}" stroke-width="{width:g}" stroke-linejoin="round"'
        style += ' stroke-dasharray="5 4"' if dashed else ""
        points = " ".join(f"{self._x(a):.1f},{self._y(b):.1f}" for a, b in _finite(x, y))
        self._marks.append(f'<polyline points="{points}" {style}/>')

    def dots(
        self, x: ArrayLike, y: ArrayLike, color: str, radius: float = 3, titles: Sequence[str] = ()
    ) -> None:
        """A dot at each point; titles: what the pointer shows over them."""
        for place, (a, b) in enumerate(zip(np.asarray(x), np.asarray(y), strict=True)):
            if math.isfinite(a) and math.isfinite(b):
                title = f"<title>{escape(titles[place])}</title>" if titles else ""
                at = f'cx="{self._x(a):.1f}" cy="{self._y(b):.1f}" r="{radius:g}"'
                self._marks.append(f'<circle {at} fill="{color}">{title}</circle>')

    def ring(self, x: float, y: float, color: str) -> None:
        """A ring about a point."""
        at = f'cx="{self._x(x):.1f}" cy="{self._y(y):.1f}" r="7"'
        self._marks.append(f'<circle {at} fill="none" stroke="{color}" stroke-width="2"/>')

    def bars(
        self,
        left: ArrayLike,
        right: ArrayLike,
        heights: ArrayLike,
        titles: Sequence[str] = (),
    ) -> None:
        """Bars from the x axis up; titles: what the pointer shows over them."""
        spans = zip(*(np.asarray(v) for v in (left, right, heights)), strict=True)
        for place, (a, b, height) in enumerate(spans):
            x, y = self._x(a), self._y(height)
            box = f'x="{x:.1f}" y="{y:.1f}" width="{max(0.5, self._x(b) - x - 1):.1f}"'
            box += f' height="{max(0.0, self._y(self.y_range[0]) - y):.1f}"'
            title = f"<title>{escape(titles[place])}</title>" if titles else ""
            self._marks.append(f'<rect {box} fill="{self.ink.bars}">{title}</rect>')

    def svg(self, description: str) -> str:
        """The picture; description: for those who do not see it."""
        width, height = self.size
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}"'
            f' width="{width}" height="{height}" role="img" aria-label="{escape(description)}"'
            f" {_FONT}>{''.join(self._axes())}{''.join(self._marks)}</svg>"
        )

    def _axes(self) -> Iterable[str]:
        width, height = self.size
        bottom, right = height - _BOTTOM, width - _RIGHT
        for value in log_ticks(self.x_range) if self.log_x else ticks(self.x_range):
            x = self._x(value)
            yield self._rule(x, _TOP, x, bottom)
            yield _text(x, bottom + 16, _short(value), "middle", self.ink.faint)
        for value in ticks(self.y_range, 5):
            y = self._y(value)
            yield self._rule(_LEFT, y, right, y)
            yield _text(_LEFT - 6, y + 4, _short(value), "end", self.ink.faint)
        yield _text((_LEFT + right) / 2, height - 8, self.x_label, "middle", self.ink.text)
        middle = (_TOP + bottom) / 2
        turned = f'transform="rotate(-90 14 {middle:.1f})"'
        yield _text(14, middle, self.y_label, "middle", self.ink.text, turned)

    def _rule(self, x0: float, y0: float, x1: float, y1: float) -> str:
        ends = f'x1="{x0:.1f}" y1="{y0:.1f}" x2="{x1:.1f}" y2="{y1:.1f}"'
        return f'<line {ends} stroke="{self.ink.grid}"/>'

    @property
    def _inner(self) -> tuple[float, float]:
        return self.size[0] - _LEFT - _RIGHT, self.size[1] - _TOP - _BOTTOM

    def _x(self, value: float) -> float:
        low, high = self.x_range
        if self.log_x:
            low, high, value = math.log(low), math.log(high), math.log(value)
        return _LEFT + (value - low) / (high - low) * self._inner[0]

    def _y(self, value: float) -> float:
        low, high = self.y_range
        return _TOP + (high - value) / (high - low) * self._inner[1]


def legend(entries: Iterable[tuple[str, str]]) -> str:
    """A list of names with the colours that they have, as HTML."""
    items = (
        f'<li><svg width="14" height="10"><rect width="14" height="10" rx="2" fill="{color}"/>'
        f"</svg> {escape(name)}</li>"
        for name, color in entries
    )
    return f'<ul class="legend">{"".join(items)}</ul>'


def top(values: ArrayLike) -> float:
    """End of an axis from 0 that shows all values; 1 where there are none."""
    known = np.asarray(values, np.float64)
    high = float(np.max(known, initial=0.0, where=np.isfinite(known)))
    return 1.08 * high if high > 0 else 1.0


def ticks(span: tuple[float, float], count: int = 6) -> list[float]:
    """Round values inside a range, about so many."""
    low, high = span
    raw = (high - low) / count
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * digit for digit in (1, 2, 5, 10) if power * digit >= raw * 0.999)
    first = math.ceil(low / step - 1e-9)
    return [n * step for n in range(first, math.floor(high / step + 1e-9) + 1)]


def log_ticks(span: tuple[float, float]) -> list[float]:
    """Values inside a range above 0 with a leading 1, 2 or 5, or round ones in a short range."""
    low, high = span
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    values = [digit * 10.0**power for power in powers for digit in (1, 2, 5)]
    inside = [value for value in values if low <= value <= high]
    return inside if len(inside) > 2 else ticks(span)


def _finite(x: ArrayLike, y: ArrayLike) -> list[tuple[float, float]]:
    pairs = zip(np.asarray(x, float), np.asarray(y, float), strict=True)
    return [(a, b) for a, b in pairs if math.isfinite(a) and math.isfinite(b)]


def _spread(span: tuple[float, float]) -> tuple[float, float]:
    low, high = span
    return (low, high) if high > low else (low - 0.5, low + 0.5)


def _length(span: tuple[float, float]) -> float:
    return span[1] - span[0]


def _grown(span: tuple[float, float], length: float) -> tuple[float, float]:
    middle = (span[0] + span[1]) / 2
    return middle - length / 2, middle + length / 2


def _text(x: float, y: float, text: str, anchor: str, color: str, extra: str = "") -> str:
    at = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{color}"'
    return f"<text {at} {extra}>{escape(text)}</text>"


def _short(value: float) -> str:
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{0.0 if abs(value) < 1e-12 else value:.4g}"


def bounds(points: Sequence[Floats]) -> tuple[tuple[float, float], tuple[float, float]]:
    """Ranges of x and y that hold points [N,2] of several lines, with a margin."""
    joined = np.concatenate(points)
    low, high = joined.min(0), joined.max(0)
    margin = 0.08 * max(float((high - low).max()), 1e-9)
    low, high = low - margin, high + margin
    return (float(low[0]), float(high[0])), (float(low[1]), float(high[1]))
