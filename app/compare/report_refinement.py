"""What refinement did, for a report: errors before and after, lengths of tracks, and reasons."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from html import escape

import numpy as np

from app.compare.report_style import page
from app.compare.report_tables import number, plain_table
from app.compare.svg import COLORS, Plot, legend, top
from app.refinement.outcome import FrameReport, Refinement, known_median

_SIZE = (370, 240)
_BINS = 12
_BEFORE, _AFTER = COLORS[1], COLORS[0]


def refinement_section(refinement: Refinement, seconds: float) -> str:
    """HTML of one refinement; seconds: of processor time that it took."""
    frames = refinement.frames
    return (
        f"<p>{escape(refinement.reason)}.</p>"
        f'<div class="row"><div>{_figures(frames, seconds)}{_reasons(frames)}</div>'
        f"{_errors(frames)}{_tracks(frames)}</div>"
        '<p class="small">Errors are distances from the epipolar line of matches that were set'
        " apart and that the refined cameras explain: a median over the matches of each frame, in"
        " pixels of the image that the features were found in. A track is a point of the scene, its"
        " length the number of frames that see it.</p>"
    )


def refinement_page(refinement: Refinement, seconds: float, source: str, command: str) -> str:
    """A page of its own; command: the line that makes the same from a shell, "" for none."""
    title = f"Refinement of {source}"
    again = f"<section><h2>How this was made</h2><pre>{escape(command)}</pre></section>"
    quality = f"<h2>Quality</h2>{refinement_section(refinement, seconds)}"
    return page(
        title,
        f"<h1>{escape(title)}</h1><section>{quality}</section>{again if command else ''}",
    )


def _figures(frames: Sequence[FrameReport], seconds: float) -> str:
    def share(count: int) -> str:
        return f"{count} of {len(frames)} ({100 * count / len(frames):.0f} %)"

    def median(name: str) -> str:
        return number(known_median([getattr(frame, name) for frame in frames]))

    return plain_table(
        [
            ("Cameras changed", share(sum(frame.changed for frame in frames))),
            ("Depth changed", share(sum(frame.depth_changed for frame in frames))),
            ("Error before, median", f"{median('error_before')} px"),
            ("Error after, median", f"{median('error_after')} px"),
            ("Matches set apart, median a frame", median("held_out")),
            ("Points a frame, median", median("points")),
            ("Length of tracks, median", median("track_length")),
            ("Processor time a keyframe", f"{number(seconds / len(frames))} s"),
        ]
    )


def _reasons(frames: Sequence[FrameReport]) -> str:
    """How many frames have each reason, without the figures in it."""
    reasons = Counter((frame.changed, kind(frame.reason)) for frame in frames)
    rows = [
        (f"{'changed' if changed else 'kept'}: {reason}", f"{count}")
        for (changed, reason), count in sorted(reasons.items(), key=lambda item: -item[1])
    ]
    return f"<h3>Frames by reason</h3>{plain_table(rows)}"


def kind(reason: str) -> str:
    """A reason without what differs from frame to frame."""
    return reason.split(" to frame ")[0].split(", relative")[0]


def _errors(frames: Sequence[FrameReport]) -> str:
    """How many frames have which error, before behind after."""
    before, after = (
        np.array([value for value in values if np.isfinite(value)])
        for values in ([f.error_before for f in frames], [f.error_after for f in frames])
    )
    if not len(after):
        return ""
    # One frame that is far off must not squeeze all others into one bar.
    end = top(np.quantile(np.concatenate([before, after]), 0.95))
    edges = np.linspace(0, end, _BINS + 1)
    counts = [np.histogram(np.minimum(v, end), edges)[0] for v in (before, after)]
    plot = Plot((0, end), (0, top(np.concatenate(counts))), "error (px)", "frames", _SIZE)
    for values, tint in zip(counts, (_BEFORE, _AFTER), strict=True):
        x, y = np.repeat(edges, 2), np.concatenate([[0], np.repeat(values, 2), [0]])
        plot.line(x, y, tint)
    names = legend([("before", _BEFORE), ("after", _AFTER)])
    caption = "The last step holds all that are larger."
    return (
        f"<figure>{names}{plot.svg('Frames by error')}<figcaption>{caption}</figcaption></figure>"
    )


def _tracks(frames: Sequence[FrameReport]) -> str:
    lengths = np.array([f.track_length for f in frames if np.isfinite(f.track_length)])
    if not len(lengths):
        return ""
    edges = np.linspace(2, max(3.0, float(lengths.max())), _BINS + 1)
    counts, _ = np.histogram(lengths, edges)
    plot = Plot((2, float(edges[-1])), (0, top(counts)), "mean length of tracks", "frames", _SIZE)
    plot.bars(edges[:-1], edges[1:], counts, [f"{count} frames" for count in counts])
    return f"<figure>{plot.svg('Frames by length of tracks')}</figure>"
