"""Posed image sequences on disk.

The form of a folder: `cameras.json` with, per frame, the path of the image, K (3x3 in pixels of
the stored image, pixel centres at integers), c2w (4x4, OpenCV axes) and the size w, h; optionally
a depth image per frame (16-bit PNG, millimetres along the optical axis, 0 = unknown) and
`sparse/<image name>.npz` with points uv [N, 2] and z [N]; optionally `clips.json`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from fgq.data.errors import DataError


@dataclass(frozen=True)
class Frame:
    """intrinsic [3, 3] in stored pixels with centres at integers; camera_to_world [4, 4]; size is
    (height, width). depth and sparse are None where the sequence has none."""

    image: Path
    intrinsic: NDArray[np.float64]
    camera_to_world: NDArray[np.float64]
    size: tuple[int, int]
    depth: Path | None
    sparse: Path | None

    def read_image(self) -> NDArray[np.uint8]:
        """[h, w, 3] RGB."""
        image = cv2.imread(str(self.image), cv2.IMREAD_COLOR)
        if image is None or image.shape[:2] != self.size:
            raise DataError(f"{self.image} is not an image of {self.size[1]}x{self.size[0]} pixels")
        return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)

    def read_depth(self) -> NDArray[np.float32] | None:
        """[h, w] metres, 0 = unknown."""
        if self.depth is None:
            return None
        depth = cv2.imread(str(self.depth), cv2.IMREAD_UNCHANGED)
        if depth is None or depth.dtype != np.uint16 or depth.ndim != 2:
            raise DataError(f"{self.depth} is not a 16-bit depth image")
        return depth.astype(np.float32) / 1000

    def read_sparse(self) -> tuple[NDArray[np.float32], NDArray[np.float32]] | None:
        """Points uv [N, 2] in stored pixels and their depth z [N]."""
        if self.sparse is None:
            return None
        try:
            with np.load(self.sparse) as points:
                return points["uv"].astype(np.float32), points["z"].astype(np.float32)
        except (OSError, ValueError, KeyError) as error:
            raise DataError(f"{self.sparse} has no points uv and z ({error})") from None


@dataclass(frozen=True)
class Sequence:
    """clips: lists of frame indices, by number of views. metric: whether lengths are in metres."""

    name: str
    folder: Path
    metric: bool
    frames: tuple[Frame, ...]
    clips: dict[int, list[list[int]]]


def load_sequence(folder: Path) -> Sequence:
    """Reads cameras.json and clips.json; images are read later. Raises DataError."""
    folder = Path(folder)
    cameras = _read_json(folder / "cameras.json")
    try:
        frames = tuple(_frame(folder, entry) for entry in cameras["frames"])
        name, metric = str(cameras["name"]), bool(cameras["metric"])
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"{folder / 'cameras.json'} is not a list of cameras ({error!r})") from None
    clips: dict[int, list[list[int]]] = {}
    if (folder / "clips.json").exists():
        clips = _clips(folder / "clips.json", len(frames))
    return Sequence(name, folder, metric, frames, clips)


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text())
    except OSError as error:
        raise DataError(f"cannot read {path} ({error.strerror})") from None
    except ValueError as error:
        raise DataError(f"{path} is not JSON ({error})") from None


def _frame(folder: Path, entry: dict[str, Any]) -> Frame:
    image = folder / entry["rgb"]
    sparse = folder / "sparse" / f"{image.stem}.npz"
    return Frame(
        image=image,
        intrinsic=np.array(entry["K"], np.float64).reshape(3, 3),
        camera_to_world=np.array(entry["c2w"], np.float64).reshape(4, 4),
        size=(int(entry["h"]), int(entry["w"])),
        depth=folder / entry["depth"] if "depth" in entry else None,
        sparse=sparse if sparse.exists() else None,
    )


def _clips(path: Path, frames: int) -> dict[int, list[list[int]]]:
    try:
        clips = {int(views): lists for views, lists in _read_json(path)["clips"].items()}
        indices = [index for lists in clips.values() for clip in lists for index in clip]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataError(f"{path} is not a list of clips ({error!r})") from None
    if any(not isinstance(index, int) or not 0 <= index < frames for index in indices):
        raise DataError(f"{path} names frames that {path.parent / 'cameras.json'} does not have")
    return clips
