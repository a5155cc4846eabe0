"""The forms that other programs read, by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from app.errors import AppError
from app.export.arrays import write_npz
from app.export.colmap import write_colmap
from app.export.mesh import write_mesh
from app.export.nerfstudio import write_nerfstudio
from app.export.points import write_glb, write_ply, write_tum
from app.export.selection import Selection
from app.files import check_output, new_folder, write_file

ORIGIN = "origin.txt"
"""In every folder that is exported: what it holds and how it was made."""


@dataclass(frozen=True)
class Format:
    """label: for people; suffix: of the file, "" for a folder."""

    label: str
    suffix: str
    write: Callable[[Path, Selection], None]


FORMATS = {
    "ply": Format("Points, PLY", ".ply", lambda p, s: write_ply(p, s.cloud, s.comments())),
    "glb": Format("Points and cameras, GLB", ".glb", write_glb),
    "mesh": Format("Surface, PLY", ".ply", write_mesh),
    "mesh-glb": Format("Surface, GLB", ".glb", lambda p, s: write_mesh(p, s, glb=True)),
    "colmap": Format("COLMAP, binary", "", write_colmap),
    "colmap-text": Format("COLMAP, text", "", lambda p, s: write_colmap(p, s, text=True)),
    "nerfstudio": Format("nerfstudio", "", write_nerfstudio),
    "tum": Format("Trajectory, TUM", ".txt", lambda p, s: write_tum(p, s.keyframes, s.comments())),
    "npz": Format("Arrays, npz", ".npz", write_npz),
}


def export_as(name: str, path: Path, selection: Selection) -> None:
    """Write a selection in the format of this name; a file or folder appears whole or not at all.

    Raises AppError if nothing is left to write or `path` is something else, OSError if writing
    fails.
    """
    form = FORMATS[name]
    if name != "tum" and not len(selection.cloud.points):
        raise AppError("no point is left: lower the confidence quantile or widen the crop box")
    if form.suffix:
        if path.is_dir():
            raise AppError(f"{path} is a folder, and {form.label} is a file")
        form.write(path, selection)
        return
    check_output(path, ORIGIN, "an export")
    with new_folder(path) as folder:
        form.write(folder, selection)
        write_file(folder / ORIGIN, "\n".join([form.label, *selection.comments(), ""]).encode())
