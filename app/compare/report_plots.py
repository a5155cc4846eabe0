"""Plots of the report."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape

import numpy as np

from app.compare.comparison import Comparison
from app.compare.confidence import ConfidenceCurve
from app.compare.lanes import Lane
from app.compare.metrics import Difference, KeyframeDifference, align_cameras
from app.compare.svg import COLORS, TRUTH_COLOR, Ink, Plot, bounds, legend, top
from app.geometry import Floats
from app.reconstruction import Keyframe

_SMALL = (370, 240)
_INK = Ink()

Series = list[tuple[str, str, Difference]]
"""Title, colour and figures of each line."""


def trajectory_figure(comparison: Comparison) -> str:
    """The cameras of all lanes and of the truth from above, in the world of the first."""
    lanes = [
        (lane.title, color(place), lane.keyframes)
        for place, lane in enumerate(comparison.lanes)
        if lane.keyframes
    ]
    if comparison.truth:
        lanes.append(("truth", TRUTH_COLOR, comparison.truth))
    reference = comparison.lanes[0].keyframes
    paths = [(title, tint, _centres(found, reference)) for title, tint, found in lanes]
    x_range, y_range = bounds([path[:, [0, 2]] for _, _, path in paths])
    plot = Plot(x_range, y_range, "right", "forward", (620, 420), equal=True)
    for place, (title, tint, path) in enumerate(paths):
        # The others are drawn over the first: where they agree both stay visible.
        width = 6 if place == 0 else 2
        plot.line(path[:, 0], path[:, 2], tint, tint == TRUTH_COLOR, width)
        names = [f"{title}, keyframe {place + 1}" for place in range(len(path))]
        plot.dots(path[:, 0], path[:, 2], tint, 4.5 if place == 0 else 2.5, names)
    start = paths[0][2][0]
    plot.ring(start[0], start[2], color(0))
    return _figure(
        legend((title, tint) for title, tint, _ in paths) + plot.svg("Cameras from above"),
        "Centres of the cameras seen along the first camera’s vertical axis, each reconstruction"
        " moved by the Sim(3) that fits its cameras best to the first; the ring is the start."
        " Lengths are in the network’s own scale.",
    )


def keyframe_figures(comparison: Comparison) -> str:
    """Rotation, place and depth over the keyframes: differences, and errors where known."""
    parts = [_by_keyframe(differences(comparison), "difference")]
    if comparison.errors:
        parts.append(f"<h3>Against the truth</h3>{_by_keyframe(errors(comparison), 'error')}")
    return "".join(parts)


def confidence_figures(comparison: Comparison) -> str:
    """Difference and error against the confidence that a lane predicted itself."""
    parts = []
    if any(entry.confidence for _, _, entry in differences(comparison)):
        parts.append(_confidence(differences(comparison), "difference"))
    if any(entry.confidence for _, _, entry in errors(comparison)):
        parts.append(f"<h3>Against the truth</h3>{_confidence(errors(comparison), 'error')}")
    text = (
        "A network that knows where it is wrong has lines that fall to the right. Lines: median,"
        " dashed: 90th percentile; bars: how many pixels have that confidence."
    )
    return f'<p class="small">{text}</p>{"".join(parts)}' if parts else "<p>n/a</p>"


def latency_figures(lanes: Sequence[Lane]) -> str:
    """Time of the network over the windows."""
    timed = [(place, lane) for place, lane in enumerate(lanes) if lane.times]
    if not timed:
        return ""
    series = [
        (color(place), [1000 * entry.seconds["infer"] / entry.windows for entry in lane.times])
        for place, lane in timed
    ]
    longest = max(len(values) for _, values in series)
    high = max(top(values) for _, values in series)
    plot = Plot((0, longest + 1), (0, high), "window", "network (ms)", (470, 330))
    for tint, values in series:
        numbers = np.arange(1, len(values) + 1)
        plot.line(numbers, values, tint)
        plot.dots(numbers, values, tint, 2.5)
    names = legend((lane.title, color(place)) for place, lane in timed)
    return _figure(names + plot.svg("Time of the network by window"), "")


def confidence_plot(
    curves: Sequence[tuple[str, ConfidenceCurve]],
    labels: tuple[str, str],
    size: tuple[int, int],
    ink: Ink = _INK,
) -> Plot:
    """Median and 90th percentile of each curve in its colour, and bars: pixels of the last one.

    labels: of the x and the y axis.
    """
    low = min(float(curve.confidence[0] / _half_bin(curve)) for _, curve in curves)
    high = max(float(curve.confidence[-1] * _half_bin(curve)) for _, curve in curves)
    worst = top([v for _, curve in curves for v in 100 * curve.p90[curve.pixels > 0]])
    plot = Plot((low, high), (0, worst), *labels, size, log_x=True, ink=ink)
    _histogram(plot, curves[-1][1], worst)
    for tint, curve in curves:
        plot.line(curve.confidence, 100 * curve.median, tint)
        plot.line(curve.confidence, 100 * curve.p90, tint, dashed=True)
    return plot


def differences(comparison: Comparison) -> Series:
    """Lanes that were compared with the first."""
    rows = zip(comparison.lanes, comparison.differences, strict=True)
    return [(lane.title, color(i), apart) for i, (lane, apart) in enumerate(rows) if apart]


def errors(comparison: Comparison) -> Series:
    """Lanes that were compared with the truth."""
    rows = zip(comparison.lanes, comparison.errors, strict=False)
    return [(lane.title, color(i), error) for i, (lane, error) in enumerate(rows) if error]


def color(place: int) -> str:
    """Colour of a lane."""
    return COLORS[place % len(COLORS)]


def _by_keyframe(series: Series, word: str) -> str:
    if not series:
        return "<p>n/a</p>"
    kinds: list[tuple[str, Callable[[KeyframeDifference], float]]] = [
        (f"depth {word} (%)", lambda k: k.depth_percent),
        (f"rotation {word} (°)", lambda k: k.rotation_deg),
        (f"position {word} (% of path)", lambda k: k.translation_percent),
    ]
    plots = []
    for label, find in kinds:
        lines = [
            (title, tint, [k.frame for k in entry.keyframes], [find(k) for k in entry.keyframes])
            for title, tint, entry in series
        ]
        frames = [frame for _, _, x, _ in lines for frame in x]
        high = top([value for *_, y in lines for value in y])
        plot = Plot((min(frames), max(frames)), (0, high), "frame", label, _SMALL)
        for title, tint, x, y in lines:
            titles = [f"{title}, frame {n}: {v:.3g}" for n, v in zip(x, y, strict=True)]
            plot.line(x, y, tint)
            plot.dots(x, y, tint, 2.5, titles)
        plots.append(plot.svg(f"{label} by keyframe"))
    names = legend((title, tint) for title, tint, _ in series)
    return _figure(f'{names}<div class="row">{"".join(plots)}</div>', "")


def _confidence(series: Series, word: str) -> str:
    curves = [(title, tint, e.confidence) for title, tint, e in series if e.confidence]
    plot = confidence_plot(
        [(tint, curve) for _, tint, curve in curves],
        ("predicted confidence", f"depth {word} (%)"),
        (540, 300),
    )
    kept = Plot(
        (0, 95),
        (0, top([v for _, _, curve in curves for v in 100 * curve.kept_error])),
        "least confident pixels hidden (%)",
        f"mean {word} of the rest (%)",
        (540, 300),
    )
    for _, tint, curve in curves:
        kept.line(100 * curve.cuts, 100 * curve.kept_error, tint)
    pictures = plot.svg(f"{word} by confidence") + kept.svg(f"{word} of the confident pixels")
    names = legend((title, tint) for title, tint, _ in curves)
    most = f"{curves[-1][2].pixels.max():,}"
    counted = f"The highest bar is {most} pixels of {escape(curves[-1][0])}."
    return _figure(f'{names}<div class="row">{pictures}</div>', counted)


def _half_bin(curve: ConfidenceCurve) -> float:
    """From the middle of a bin to its end, as a factor."""
    return float(np.sqrt(curve.confidence[1] / curve.confidence[0]))


def _histogram(plot: Plot, curve: ConfidenceCurve, high: float) -> None:
    step = _half_bin(curve)
    heights = 0.3 * high * curve.pixels / max(1, curve.pixels.max())
    titles = [f"{count:,} pixels" for count in curve.pixels]
    plot.bars(curve.confidence / step, curve.confidence * step, heights, titles)


def _centres(keyframes: Sequence[Keyframe], reference: Sequence[Keyframe]) -> Floats:
    """Camera centres [S,3] in the world of the reference."""
    by_frame = {keyframe.index: keyframe for keyframe in reference}
    shared = [keyframe for keyframe in keyframes if keyframe.index in by_frame]
    moved = align_cameras(shared, [by_frame[keyframe.index] for keyframe in shared])
    return moved.apply(np.array([k.world_from_camera[:3, 3] for k in keyframes], np.float64))


def _figure(content: str, caption: str) -> str:
    words = f"<figcaption>{caption}</figcaption>" if caption else ""
    return f"<figure>{content}{words}</figure>"
