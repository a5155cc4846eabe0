"""The fixed clips of posed folders (`cameras.json`, `clips.json`), and errors on them."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.capture.images import read_image
from app.errors import AppError
from app.geometry import Floats, compose_se3, invert_se3, rotation_angle
from app.reconstruction.truth import read_depth

THRESHOLDS = 5, 15, 30
"""Degrees, of AUC."""
MISSING = 180.0
"""Degrees that a pair without both poses counts."""


@dataclass(frozen=True)
class PosedFrame:
    """An image with its true camera-from-world [3,4]; depth and sparse points where they exist."""

    image: Path
    extrinsic: Floats
    depth: Path
    sparse: Path

    def read_depth(self, size: tuple[int, int]) -> NDArray[np.float32]:
        """True depth [H,W] at the network's size, 0 = unknown; points fill the nearest pixels.

        Raises AppError, OSError.
        """
        if self.depth.is_file():
            return read_depth(self.depth, size)
        depth = np.zeros(size, np.float32)
        if self.sparse.is_file():
            with np.load(self.sparse) as points:
                uv, z = points["uv"], points["z"]
            full = np.array(read_image(self.image).shape[1::-1])
            scale = max(size[1] / full[0], size[0] / full[1])
            places = np.rint((uv + 0.5 - full / 2) * scale + np.array(size[::-1]) / 2 - 0.5)
            column, row = places.astype(int).T
            inside = (column >= 0) & (column < size[1]) & (row >= 0) & (row < size[0])
            depth[row[inside], column[inside]] = z[inside]
        return depth


def load_clips(folder: Path, views: int) -> list[list[PosedFrame]]:
    """The clips of so many views. Raises AppError when the folder has none."""
    try:
        frames = [
            PosedFrame(
                image=folder / frame["rgb"],
                extrinsic=invert_se3(np.array(frame["c2w"], np.float64).reshape(4, 4)[:3]),
                depth=folder / frame.get("depth", "none"),
                sparse=folder / f"sparse/{Path(frame['rgb']).stem}.npz",
            )
            for frame in json.loads((folder / "cameras.json").read_text("utf-8"))["frames"]
        ]
        clips = json.loads((folder / "clips.json").read_text("utf-8"))["clips"].get(str(views), [])
        found = [[frames[number] for number in clip] for clip in clips]
    except (OSError, ValueError, KeyError, TypeError, IndexError, AttributeError):
        raise AppError(f"{folder} has no cameras.json and clips.json to measure on") from None
    if not found:
        raise AppError(f"{folder / 'clips.json'} has no clips of {views} views")
    return found


def pair_errors(estimate: Sequence[Floats | None], truth: Sequence[Floats]) -> Floats:
    """The larger of the errors of rotation and of direction, in degrees, of all pairs i < j.

    estimate, truth: camera-from-world [3,4], in any frame and scale; None for a missing pose.
    """
    errors = []
    for j, second in enumerate(estimate):
        for i, first in enumerate(estimate[:j]):
            if first is None or second is None:
                errors.append(MISSING)
                continue
            found, true = (
                compose_se3(b, invert_se3(a.astype(np.float64)))
                for a, b in ((first, second), (truth[i], truth[j]))
            )
            turn = float(rotation_angle(found[:, :3] @ true[:, :3].T))
            sine = np.linalg.norm(np.cross(found[:, 3], true[:, 3]))
            direction = float(np.arctan2(sine, found[:, 3] @ true[:, 3]))
            errors.append(np.degrees(max(turn, direction)))
    return np.array(errors)


def auc(errors: Floats, threshold: int) -> float:
    """Area under the accuracy curve up to a threshold, in bins of one degree (VGGT's measure)."""
    return float((np.clip(threshold - np.floor(errors), 0, threshold) / threshold).mean())
