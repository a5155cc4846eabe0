"""`python -m app export`: a reconstruction in the form that another program reads."""

from __future__ import annotations

import argparse
import json
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from app.arguments import add_selection, program
from app.errors import AppError
from app.export.folder import read_reconstruction
from app.export.formats import FORMATS, export_as
from app.export.selection import Selection
from app.reconstruction.keyframe import Keyframe

SUMMARY = "summary.json"


def add_parser(commands: Any) -> None:
    """Add the command to the app's."""
    command = commands.add_parser(
        "export",
        help="a reconstruction for other programs: " + ", ".join(FORMATS),
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    command.add_argument("reconstruction", metavar="FOLDER", help="what `reconstruct` wrote")
    command.add_argument("--format", required=True, choices=FORMATS, help="form of the export")
    command.add_argument("--out", required=True, help="file, or folder for COLMAP and nerfstudio")
    add_selection(command)


def run(arguments: argparse.Namespace, argv: Sequence[str]) -> None:
    """Run the command; AppError or OSError if it cannot be done."""
    folder, out = Path(arguments.reconstruction), Path(arguments.out)
    keyframes = read_reconstruction(folder)
    exported = f"exported by: {shlex.join([*program(), *argv])}"
    export_as(arguments.format, out, selected(arguments, keyframes, *_made_by(folder), exported))
    print(f"written    {out.resolve()} ({FORMATS[arguments.format].label})")


def selected(
    arguments: argparse.Namespace, keyframes: Sequence[Keyframe], *origin: str
) -> Selection:
    """What the options of `add_selection` choose of keyframes; AppError if none is left."""
    without = arguments.without
    if without and max(without) >= len(keyframes):
        count = len(keyframes)
        raise AppError(f"--without {max(without) + 1}: there are {count} keyframes")
    if len(without) == len(keyframes):
        raise AppError("--without leaves no keyframe")
    return Selection(
        keyframes,
        quantile=arguments.quantile,
        fuse=arguments.fuse,
        crop=arguments.crop,
        origin=origin,
        masks=arguments.masks,
        without=without,
        metres_per_unit=arguments.metres_per_unit,
    )


def _made_by(folder: Path) -> list[str]:
    try:
        return [f"made by: {json.loads((folder / SUMMARY).read_text('utf-8'))['command']}"]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise AppError(f"{folder / SUMMARY} is damaged: {error}") from None
