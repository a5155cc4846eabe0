"""`python -m app models`: what models there are, and what they would take here."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from app.engine.bundle import Bundle, BundleError, find_bundles, open_bundle, read_bundle
from app.engine.forecast import Forecast, forecast, propose_views, this_machine
from app.errors import AppError


def add_parser(commands: Any) -> None:
    """Add the command to the app's."""
    command = commands.add_parser(
        "models", help="models with their precision, size, views, and what a run takes here"
    )
    command.add_argument(
        "bundles", metavar="BUNDLE", nargs="*", help="bundles; when none is given, those found"
    )
    command.add_argument(
        "--check", action="store_true", help="also check every file against its SHA-256"
    )


def run(arguments: argparse.Namespace, argv: Sequence[str]) -> None:
    """Run the command; AppError if a bundle that was named cannot be read, or none is found.

    Of those that were found, one that cannot be read is told in a line.
    """
    paths = arguments.bundles or find_bundles()
    if not paths:
        raise AppError("no model was found: name a bundle, or run: make demo")
    machine = this_machine()
    print(f"machine    {machine.key}, {machine.available / 2**30:.1f} GiB free")
    read = open_bundle if arguments.check else read_bundle
    for path in paths:
        try:
            bundle = read(path)
        except BundleError as error:
            if arguments.bundles:
                raise
            print(f"model      {error}")
            continue
        forecasts = forecast(bundle, machine)
        print("\n".join(_describe(Path(path), bundle, forecasts, arguments.check)))


def _describe(path: Path, bundle: Bundle, forecasts: list[Forecast], checked: bool) -> list[str]:
    height, width = bundle.size
    lines = [
        f"model      {path}",
        f"           {bundle.name}, {bundle.precision}, {bundle.model_bytes / 1e6:.1f} MB, images "
        f"{width} x {height}{', files match their SHA-256' if checked else ''}",
    ]
    proposed = propose_views(forecasts)
    for entry in forecasts:
        source = "measured here" if entry.measured else "estimate"
        note = "" if entry.fits else ", does not fit"
        note += ", proposed" if entry.views == proposed else ""
        lines.append(
            f"           {entry.views} views: {entry.memory / 2**20:.0f} MiB, "
            f"{entry.seconds:.2f} s a view ({source}{note})"
        )
    return lines
