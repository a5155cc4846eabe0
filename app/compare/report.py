"""The report of a comparison: one HTML page that needs nothing else and opens anywhere."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from html import escape
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil

from app.compare.comparison import Comparison
from app.compare.lanes import ratio
from app.compare.report_maps import keyframe_maps
from app.compare.report_plots import (
    confidence_figures,
    keyframe_figures,
    latency_figures,
    trajectory_figure,
)
from app.compare.report_refinement import refinement_section
from app.compare.report_style import page
from app.compare.report_tables import (
    COST_WORDS,
    FigureRow,
    cuts_table,
    difference_table,
    figures_table,
    joules,
    mebibytes,
    megabytes,
    number,
    percent,
    plain_table,
    seconds,
    times,
)

_COSTS: list[FigureRow] = [
    ("time of a window", lambda f: f.window_at("p50"), seconds),
    ("peak memory", lambda f: f.memory, mebibytes),
    ("model file", lambda f: f.model_bytes, megabytes),
    ("energy a view", lambda f: f.joules_per_view, joules),
]

_PACKAGES = ("pocket-vggt", "executorch", "torch", "numpy", "opencv-python")


def report_page(comparison: Comparison, command: str = "") -> str:
    """HTML of a comparison; command: the line that makes the same from a shell."""
    names = [lane.title for lane in comparison.lanes]
    title = f"{' against '.join([*names[1:], names[0]])}: {_short_name(comparison.source)}"
    sections = [
        ("Cost", _cost(comparison)),
        (_accuracy_title(comparison), difference_table(comparison)),
        ("Cameras from above", trajectory_figure(comparison)),
        ("Keyframe by keyframe", keyframe_figures(comparison)),
        ("Depth", keyframe_maps(comparison)),
        ("Confidence", confidence_figures(comparison) + cuts_table(comparison)),
        ("How this was made", _provenance(comparison, command)),
    ]
    if any(lane.refinement for lane in comparison.lanes):
        sections.insert(-1, ("Refinement", _refinements(comparison)))
    body = "\n".join(f"<section><h2>{escape(h)}</h2>{content}</section>" for h, content in sections)
    lead = f"{_lead(comparison)}{_findings(comparison)}{_notes(comparison.notes)}"
    return page(title, f"<h1>{escape(_capital(title))}</h1>{lead}\n{body}")


def findings(comparison: Comparison) -> list[str]:
    """The outcome in sentences, most important first."""
    reference, *others = comparison.lanes
    lines = []
    for lane, apart in zip(others, comparison.differences[1:], strict=True):
        if apart is None:
            lines.append(f"{_capital(lane.title)} has no result to compare.")
            continue
        lines.append(
            f"{_capital(lane.title)} differs from {reference.title} by"
            f" {percent(apart.depth_percent)} of the depth (mean over pixels; median"
            f" {percent(apart.depth_median_percent)}), its cameras by"
            f" {number(apart.rotation_deg)}° in rotation and by"
            f" {percent(apart.translation_percent)} of the path in position."
        )
        mine, theirs = lane.figures(), reference.figures()
        costs = [
            f"{times(find(mine), find(theirs))} the {what} ({write(find(mine))} instead of"
            f" {write(find(theirs))})"
            for what, find, write in _COSTS
            if ratio(find(mine), find(theirs)) is not None
        ]
        if costs:
            lines.append(f"{_capital(lane.title)} takes {_enumerate(costs)}.")
    named = zip(comparison.lanes, comparison.errors, strict=False)
    errors = [
        f"{lane.title} by {percent(error.depth_percent)} of the depth and"
        f" {percent(error.translation_percent)} of the path"
        for lane, error in named
        if error
    ]
    if errors:
        lines.append(f"Off the truth: {'; '.join(errors)}.")
    return lines


def machine() -> dict[str, str]:
    """What it ran on."""
    memory = psutil.virtual_memory().total / 2**30
    return {
        "System": f"{platform.system()} {platform.release()}, {platform.machine()}",
        "Processor": _processor(),
        "Cores": f"{psutil.cpu_count()} ({psutil.cpu_count(logical=False) or 'n/a'} physical)",
        "Memory": f"{memory:.1f} GiB",
        "Python": platform.python_version(),
        **{name: _version(name) for name in _PACKAGES},
    }


def _cost(comparison: Comparison) -> str:
    lanes = comparison.lanes
    return (
        f'<div class="row"><div>{figures_table(lanes)}</div>{latency_figures(lanes)}</div>'
        f'<p class="small">{COST_WORDS}</p>'
    )


def _refinements(comparison: Comparison) -> str:
    return "".join(
        f"<h3>{escape(_capital(lane.title))}</h3>"
        f"{refinement_section(lane.refinement.refinement, lane.refinement.seconds)}"
        for lane in comparison.lanes
        if lane.refinement
    )


def _lead(comparison: Comparison) -> str:
    count = max(len(lane.keyframes) for lane in comparison.lanes)
    size = comparison.lanes[0].keyframes[0].depth.shape
    return (
        f'<p class="lead">{count} keyframes of {escape(comparison.source)}, the very same for all;'
        f" images of {size[1]} x {size[0]} pixels.</p>"
    )


def _findings(comparison: Comparison) -> str:
    items = "".join(f"<li>{escape(line)}</li>" for line in findings(comparison))
    return f'<ul class="findings">{items}</ul>'


def _notes(notes: Sequence[str]) -> str:
    lines = "".join(f"<p>{escape(_capital(note))}</p>" for note in notes)
    return f'<div class="notes">{lines}</div>' if lines else ""


def _accuracy_title(comparison: Comparison) -> str:
    reference = comparison.lanes[0].title
    errors = " and error against the truth" if comparison.errors else ""
    return f"Difference from {reference}{errors}"


def _provenance(comparison: Comparison, command: str) -> str:
    again = f"<p>The same from a command line:</p><pre>{escape(command)}</pre>" if command else ""
    models = [
        (lane.title, f"{lane.model.name}, {lane.model.precision}, SHA-256 {lane.model.sha256}")
        for lane in comparison.lanes
        if lane.model
    ]
    settings = [
        (name.replace("_", " "), ", ".join(map(str, value)) if isinstance(value, list) else value)
        for name, value in comparison.settings.items()
    ]
    return (
        f"{again}<h3>Models</h3>{plain_table(models)}"
        f"<h3>Settings</h3>{plain_table(settings)}"
        f"<h3>Machine</h3>{plain_table(list(machine().items()))}"
    )


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or "n/a"


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "n/a"


def _short_name(source: str) -> str:
    """Of a folder with its parent: many are called "rgb" or "images"."""
    path = Path(source)
    return "/".join(path.parts[-2:]) if path.is_dir() else path.name


def _enumerate(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
