"""`python -m app export`: a reconstruction in the form that another program reads."""

from __future__ import annotations

import argparse
import json
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from app.arguments import REFINE, add_selection, program
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
    refine, made_by = _origin(folder)
    exported = f"exported by: {shlex.join([*program(), *argv])}"
    selection = selected(arguments, keyframes, *made_by, exported, refine=refine)
    export_as(arguments.format, out, selection)
    print(f"written    {out.resolve()} ({FORMATS[arguments.format].label})")


def selected(
    arguments: argparse.Namespace, keyframes: Sequence[Keyframe], *origin: str, refine: str = "none"
) -> Selection:
    """What the options of `add_selection` choose of keyframes; AppError if none is left.

    origin, refine: of the keyframes, as in Selection.
    """
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
        refine=refine,
    )


def _origin(folder: Path) -> tuple[str, list[str]]:
    """How the keyframes of a reconstruction were refined, and lines on how they were made."""
    try:
        summary = json.loads((folder / SUMMARY).read_text("utf-8"))
        refine = summary["settings"].get("refine", "none")
        if refine not in REFINE:
            raise ValueError(f"{refine!r} is no refinement")
        made_by = [f"made by: {summary['command']}"]
        if summary.get("refinement"):
            made_by.append(f"refinement: {summary['refinement']['reason']}")
        return refine, made_by
    except FileNotFoundError:
        return "none", []
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise AppError(f"{folder / SUMMARY} is damaged: {error}") from None
