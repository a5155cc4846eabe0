"""What the window says where there is nothing to see, and how faults and figures read."""

from __future__ import annotations

import math
from collections.abc import Callable

from app.capture import SourceError
from app.engine import BundleError, EngineError
from app.engine.forecast import Forecast, Machine
from app.errors import AppError
from app.reconstruction.truth import Accuracy
from app.ui.choices import Choice
from app.ui.faults import fault_line
from app.ui.model_facts import bytes_words, forecast_words
from app.ui.panels import Message, button, set_role
from app.ui.texts import number, sentence, tr


def no_model(ask: Callable[[], None]) -> Message:
    """There is nothing to reconstruct with; ask: lets the user choose a bundle."""
    return Message(
        tr("No model yet"),
        tr(
            "Run “make demo” once in the project's folder: it prepares the models that come with "
            "it. Or open a bundle that you have, or drop it here."
        ),
        [button(tr("Open bundle…"), tr("By its manifest.json or zip"), ask)],
    )


def nothing_captured(
    first: Choice | None, play: Callable[[Choice], None], open_video: Callable[[], None]
) -> Message:
    """There is no scene yet; first: the source to begin with, which `play` runs."""
    opening = button(tr("Open video…"), tr("Choose a video file"), open_video)
    if first is None:
        text = tr("Open or drop a video or a folder of images that show one place from many sides.")
        return Message(tr("Nothing captured yet"), text, [opening])
    text = tr(
        "Start with “{name}” and watch it become points in space. Or open or drop a video or a "
        "folder of images that show one place from several sides."
    ).format(name=first.label)
    starting = button(
        tr("Start: {name}").format(name=first.label), tr("Run this source"), lambda: play(first)
    )
    set_role(starting, "primary")
    return Message(tr("Nothing captured yet"), text, [starting, opening])


def first_points(views: int) -> Message:
    """A run has begun; views: keyframes that its first window waits for."""
    text = tr(
        "The first points appear with {views} keyframes. Move around the scene slowly, and "
        "sideways rather than turning on the spot."
    )
    return Message(tr("Looking for keyframes"), text.format(views=views), [])


def does_not_fit(
    wanted: Forecast,
    proposed: int | None,
    machine: Machine,
    run: Callable[[int], None],
    ask: Callable[[], None],
) -> Message:
    """A run would take more memory than there is.

    run: starts with so many views at a time; ask: lets the user choose another model.
    """
    text = tr(
        "{views} views at a time need about {memory}, and {available} are free. The system may "
        "become slow or end the run."
    ).format(
        views=wanted.views,
        memory=bytes_words(wanted.memory),
        available=bytes_words(machine.available),
    )
    anyway = button(
        tr("Run all the same"),
        tr("Try it; nothing but the run is at risk"),
        lambda: run(wanted.views),
    )
    if proposed:
        better = button(
            tr("Run with {views} views").format(views=proposed),
            tr("The most that fit"),
            lambda: run(proposed),
        )
    else:
        better = button(tr("Open bundle…"), tr("Choose a smaller model"), ask)
    set_role(better, "primary")
    return Message(tr("This will not fit into memory"), text, [better, anyway])


def fault_words(error: AppError) -> str:
    """A fault, and what the user can do about it."""
    advice = {
        SourceError: tr("Choose another source."),
        BundleError: tr("Choose another model."),
        EngineError: tr(
            "Press Start to run it again; if that does not help, choose another model."
        ),
    }
    found = (words for kind, words in advice.items() if isinstance(error, kind))
    return f"{sentence(fault_line(str(error)))} {next(found, '')}".rstrip()


def accuracy_words(accuracy: Accuracy) -> str:
    """How far a run is off the truth; "" where nothing is known."""
    depth = accuracy.depth.abs_rel if accuracy.depth else math.nan
    errors = (
        (tr("rotation {value}°"), accuracy.pose.rotation_deg, 1),
        (tr("path {value} %"), accuracy.pose.ate_percent, 1),
        (tr("depth {value} %"), 100 * depth, 0),
    )
    known = [
        text.format(value=number(error, digits))
        for text, error, digits in errors
        if math.isfinite(error)
    ]
    return tr("Off the truth by: {errors}").format(errors=", ".join(known)) if known else ""


def plan_words(chosen: Forecast | None, machine: Machine, models: int = 1) -> str:
    """What the run that is set up will take; models: how many run beside each other."""
    if chosen is None and models > 1:
        return tr("These models have no number of views in common: choose another one.")
    if chosen is None:
        return tr("This model has no program for two or more views: choose another one.")
    words = tr("Both need {forecast}; {available} are free")
    words = words if models > 1 else tr("Needs {forecast}; {available} are free")
    return words.format(forecast=forecast_words(chosen), available=bytes_words(machine.available))


def figures() -> dict[str, tuple[str, str, str]]:
    """Of a run, by name: what each is called, what it means, and its widest value."""
    return {
        "keyframes": (
            tr("Keyframes"),
            tr("Frames that are part of the reconstruction"),
            "000",
        ),
        "points": (
            tr("Points"),
            tr("Points that are shown, of all that there are"),
            tr("{shown} of {all}").format(shown="0,000,000", all="0,000,000"),
        ),
        "speed": (
            tr("Speed"),
            tr("Views that the network took in a second of its time"),
            tr("{value} views/s").format(value="00.0"),
        ),
        "latency": (
            tr("Latency"),
            tr("From the choice of a keyframe to its points in the view"),
            "00.00 s",
        ),
        "memory": (
            tr("Memory"),
            tr("Largest memory of the engine's process so far"),
            "0000 MiB",
        ),
        "model": (tr("Model"), tr("Size of the model's program"), "00.0 MB"),
    }
