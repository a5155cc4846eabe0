"""Writes a comparison: the report, its figures as JSON, and each lane's reconstruction."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from app.compare.comparison import TARGETS, Comparison
from app.compare.lanes import Lane
from app.compare.metrics import Difference
from app.compare.report import findings, machine, report_page
from app.export import Selection, write_reconstruction
from app.files import check_output, json_bytes, new_folder, write_file
from app.reconstruction import FUSE

REPORT = "report.html"
FIGURES = "comparison.json"


def write_comparison(
    out: Path,
    comparison: Comparison,
    command: str = "",
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> None:
    """Write the folder `out`, replacing an earlier comparison there.

    command: the line that makes the same from a shell; progress: is told how many of the steps are
    done, and ends the writing by raising, after which nothing is left behind. Raises AppError when
    `out` holds other things, OSError.
    """
    check_output(out, FIGURES, "a comparison")
    lanes = [lane for lane in comparison.lanes if lane.keyframes]
    with new_folder(out) as folder:
        progress(0, len(lanes) + 1)
        write_file(folder / REPORT, report_page(comparison, command).encode())
        write_file(folder / FIGURES, json_bytes(comparison_figures(comparison, command)))
        for done, lane in enumerate(lanes, 1):
            progress(done, len(lanes) + 1)
            reconstruction = folder / folder_name(comparison.lanes.index(lane), lane)
            reconstruction.mkdir()
            origin = [f"{lane.title}, made by: {command}" if command else lane.title]
            if lane.refinement:
                origin.append(f"refinement: {lane.refinement.refinement.reason}")
            refine = "full" if lane.refinement else "none"
            selection = Selection(
                lane.keyframes, 0.3, fuse=FUSE, origin=tuple(origin), refine=refine
            )
            write_reconstruction(reconstruction, selection)
        progress(len(lanes) + 1, len(lanes) + 1)


def folder_name(place: int, lane: Lane) -> str:
    """Name of a lane's folder: its letter and title without what is awkward in a path."""
    words = "".join(c if c.isalnum() else "-" for c in lane.title.lower())
    return f"{chr(97 + place)}-{'-'.join(filter(None, words.split('-')))}"[:60]


def comparison_figures(comparison: Comparison, command: str) -> dict[str, Any]:
    """Everything that was measured, for other programs; maps are left out."""
    return {
        "command": command,
        "source": comparison.source,
        "settings": comparison.settings,
        "machine": machine(),
        "findings": findings(comparison),
        "notes": comparison.notes,
        "lanes": [
            {
                "title": lane.title,
                "folder": folder_name(place, lane) if lane.keyframes else None,
                "model": asdict(lane.model) if lane.model else None,
                "recorded": lane.is_recorded,
                "failure": lane.failure or None,
                "keyframes": len(lane.keyframes),
                "figures": asdict(lane.figures()),
                "windows": [asdict(entry) for entry in lane.times],
                "refinement": lane.refinement.document if lane.refinement else None,
            }
            for place, lane in enumerate(comparison.lanes)
        ],
        "differences": [_difference(entry) for entry in comparison.differences],
        "errors": [_difference(entry) for entry in comparison.errors],
        "accuracies": [asdict(entry) if entry else None for entry in comparison.accuracies],
    }


def _difference(entry: Difference | None) -> dict[str, Any] | None:
    if entry is None:
        return None
    totals = {
        name: getattr(entry, name)
        for name in (
            "rotation_deg",
            "translation_percent",
            "depth_percent",
            "depth_median_percent",
            "depth_p90_percent",
            "point_percent",
            "depth_scale",
        )
    }
    keyframes = [
        {
            "frame": keyframe.frame,
            "rotation_deg": keyframe.rotation_deg,
            "translation_percent": keyframe.translation_percent,
            "depth_percent": keyframe.depth_percent,
            "point_percent": keyframe.point_percent,
        }
        for keyframe in entry.keyframes
    ]
    curve = entry.confidence
    confidence = asdict(curve) if curve else None
    cuts = {f"{target:g}": curve.cut_for(target) for target in TARGETS} if curve else None
    return {**totals, "keyframes": keyframes, "confidence": confidence, "cut_for_mean": cuts}
