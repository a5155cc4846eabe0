"""Pictures of the report: some keyframes with depth and difference, on one scale."""

from __future__ import annotations

from html import escape

import numpy as np
from numpy.typing import NDArray

from app.compare.comparison import Comparison
from app.compare.metrics import Difference, KeyframeDifference
from app.compare.pictures import color_difference, data_uri, difference_limit, difference_ramp
from app.compare.report_plots import differences, errors
from app.compare.report_tables import number, percent
from app.export.images import color_depth
from app.reconstruction import Keyframe

SHOWN = 6
"""Keyframes with pictures."""


def keyframe_maps(comparison: Comparison) -> str:
    """A row of pictures for some keyframes, from the first to the last, the worst among them."""
    apart = [entry for _, _, entry in differences(comparison)]
    wrong = [entry for _, _, entry in errors(comparison)]
    if not apart and not wrong:
        return "<p>n/a</p>"
    # Between two precisions there is much less than to the truth: on one scale it would be black.
    limits = difference_limit(apart), difference_limit(wrong)
    rows = [_keyframe(comparison, frame, *limits) for frame in chosen_frames(comparison)]
    legends = _legend("difference", limits[0]) if apart else ""
    legends += _legend("error", limits[1]) if any(_has_depth(entry) for entry in wrong) else ""
    text = (
        "Depth: near is warm, far is cold; all lanes of a frame in the colours of the first one’s"
        " range. Differences and errors: share of the depth, each on its one scale in all frames."
    )
    return f'<p class="small">{text}</p>{legends}{"".join(rows)}'


def chosen_frames(comparison: Comparison) -> list[int]:
    """Frames to show: evenly spread, and the one whose depth differs most."""
    entries = [k for _, _, apart in differences(comparison) for k in apart.keyframes]
    if not entries:
        entries = [k for _, _, error in errors(comparison) for k in error.keyframes]
    # With the truth, rather those that it has a depth for.
    true = [k for _, _, e in errors(comparison) for k in e.keyframes if k.depth_percent > 0]
    entries = [k for k in entries if k.frame in {entry.frame for entry in true}] or entries
    frames = sorted({entry.frame for entry in entries})
    places = np.unique(np.linspace(0, len(frames) - 1, min(SHOWN - 1, len(frames))).astype(int))
    chosen = {frames[place] for place in places}
    known = [entry for entry in entries if not np.isnan(entry.depth_percent)]
    if known:
        chosen.add(max(known, key=lambda entry: entry.depth_percent).frame)
    return sorted(chosen)


def _legend(word: str, limit: float) -> str:
    return (
        f'<div class="ramp"><span>{word}</span> 0 <img src="{data_uri(difference_ramp())}" alt='
        f'"from black to bright"> {100 * limit:g} % of the depth and above; grey: not known</div>'
    )


def _has_depth(entry: Difference) -> bool:
    return not np.isnan(entry.depth_percent)


def _keyframe(comparison: Comparison, frame: int, limit: float, error_limit: float) -> str:
    lanes = [(lane.title, _find(lane.keyframes, frame)) for lane in comparison.lanes]
    reference = lanes[0][1]
    assert reference is not None, "only frames of the reference are compared"
    near, far = (float(v) for v in np.quantile(reference.depth, (0.02, 0.98)))
    cells = [_cell(reference.image, "image", lossless=False)]
    for (title, keyframe), apart in zip(lanes, comparison.differences, strict=True):
        if keyframe:
            scale = apart.depth_scale if apart else 1.0
            cells.append(_cell(color_depth(keyframe.depth * scale, near, far), f"depth, {title}"))
    for title, _, apart in differences(comparison):
        if entry := _entry(apart.keyframes, frame):
            cells.append(
                _cell(color_difference(entry.depth, limit), f"difference, {title}: {_words(entry)}")
            )
    for title, _, error in errors(comparison):
        if (entry := _entry(error.keyframes, frame)) and not np.isnan(entry.depth_percent):
            cells.append(
                _cell(
                    color_difference(entry.depth, error_limit), f"error, {title}: {_words(entry)}"
                )
            )
    return f'<h3>Frame {frame}</h3><div class="maps">{"".join(cells)}</div>'


def _words(entry: KeyframeDifference) -> str:
    return (
        f"depth {percent(entry.depth_percent)}, rotation {number(entry.rotation_deg)}°, position"
        f" {percent(entry.translation_percent)}"
    )


def _cell(image: NDArray[np.uint8], caption: str, lossless: bool = True) -> str:
    text = escape(caption)
    return f'<div><img src="{data_uri(image, lossless)}" alt="{text}">{text}</div>'


def _find(keyframes: list[Keyframe], frame: int) -> Keyframe | None:
    return next((keyframe for keyframe in keyframes if keyframe.index == frame), None)


def _entry(entries: list[KeyframeDifference], frame: int) -> KeyframeDifference | None:
    return next((entry for entry in entries if entry.frame == frame), None)
