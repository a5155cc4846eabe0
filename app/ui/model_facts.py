"""What a model's manifest says, and what a run takes, in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from app.engine.bundle import PROGRAM, Bundle
from app.engine.forecast import Forecast, Machine
from app.ui.choices import precision_words
from app.ui.texts import number, tr

Section = tuple[str, list[tuple[str, str]]]


def model_sections(
    bundle: Bundle, forecasts: Sequence[Forecast], machine: Machine, check: str
) -> list[Section]:
    """What there is to say of a model, by headings; check: how its hash stands."""
    manifest = bundle.manifest
    height, width = bundle.size
    model = manifest["model"]
    facts = [
        (tr("Name"), bundle.name),
        (tr("Precision"), f"{precision_words(bundle.precision)} ({bundle.precision})"),
        (tr("Size"), _size_words(bundle)),
        (tr("Image"), tr("{width} × {height} pixels").format(width=width, height=height)),
        (tr("Views at a time"), ", ".join(map(str, bundle.view_counts))),
        (tr("Recipe"), _recipe_words(manifest["quantization"])),
        (tr("Runtime"), _runtime_words(manifest)),
        (tr("Licence of the weights"), str(model.get("license") or tr("not stated"))),
        (tr("Folder"), str(bundle.path)),
        ("SHA-256", str(manifest["files"][PROGRAM]["sha256"])),
        (tr("Check"), check),
    ]
    here = [
        (tr("{views} views").format(views=entry.views), forecast_words(entry))
        for entry in forecasts
        if entry.views >= 2
    ]
    heading = tr("On this machine ({memory} free)").format(memory=bytes_words(machine.available))
    sections = [("", facts), (heading, here)]
    if accuracy := _accuracy_facts(manifest.get("accuracy")):
        sections.append((tr("Accuracy measured at export"), accuracy))
    return sections


def forecast_words(entry: Forecast) -> str:
    """What windows of so many views take, and how that is known."""
    source = tr("measured here") if entry.measured else tr("estimate")
    words = tr("{memory}, {seconds} s a view ({source})").format(
        memory=bytes_words(entry.memory), seconds=number(entry.seconds, 2), source=source
    )
    return words if entry.fits else tr("{forecast}: does not fit").format(forecast=words)


def bytes_words(count: int) -> str:
    """Memory in MiB or GiB."""
    if count >= 2**30:
        return f"{number(count / 2**30, 1)} GiB"
    return f"{number(count / 2**20)} MiB"


def _size_words(bundle: Bundle) -> str:
    size = f"{number(bundle.model_bytes / 1e6, 1)} MB"
    parameters = bundle.manifest["model"].get("parameters")
    if not isinstance(parameters, int):
        return size
    return tr("{size}, {count} million parameters").format(
        size=size, count=number(parameters / 1e6, 1)
    )


def _recipe_words(quantization: dict[str, Any]) -> str:
    grid, method = quantization.get("grid"), quantization.get("method")
    if not isinstance(grid, dict):
        return tr("none: weights as they were trained")
    words = tr("weights in {weights} bit in groups of {group}, activations in {activations} bit")
    text = words.format(
        weights=grid.get("weight_bits", "?"),
        group=grid.get("group_size", "?"),
        activations=grid.get("activation_bits", "?"),
    )
    clips = quantization.get("clips")
    if method and isinstance(clips, list):
        return tr("{method}, calibrated on {count} clips: {grid}").format(
            method=str(method).upper(), count=len(clips), grid=text
        )
    return f"{str(method).upper()}: {text}" if method else text


def _runtime_words(manifest: dict[str, Any]) -> str:
    runtime = manifest.get("runtime")
    number = runtime.get("executorch", "") if isinstance(runtime, dict) else ""
    return f"ExecuTorch {number}, {str(manifest.get('backend', 'xnnpack')).upper()}".replace(
        " ,", ","
    )


def _accuracy_facts(accuracy: Any) -> list[tuple[str, str]]:
    """A line for each set of images and number of views; what is not there is left out."""
    rows = accuracy.get("rows") if isinstance(accuracy, dict) else None
    facts = []
    for row in rows if isinstance(rows, list) else []:
        if not isinstance(row, dict):
            continue
        parts = [
            text.format(value=number(factor * row[key], digits))
            for key, text, factor, digits in (
                ("rotation_median_deg", tr("rotation {value}° off"), 1, 1),
                ("abs_rel", tr("depth {value} % off"), 100, 0),
                ("delta1", tr("{value} % of depths within a quarter"), 100, 0),
            )
            if isinstance(row.get(key), int | float)
        ]
        name = tr("{set}, {views} views").format(set=row.get("set"), views=row.get("views"))
        if parts:
            facts.append((name, ", ".join(parts)))
    return facts
