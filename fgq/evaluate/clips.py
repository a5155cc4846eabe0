"""The clips that networks are measured on: rendered held-out scenes and posed photographs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fgq.data.clips import PosedClip, load_clip
from fgq.data.sequences import load_sequence
from fgq.data.shards import open_shards

Unit = Literal["m", "median depth"]


@dataclass(frozen=True)
class EvaluationClip:
    """images [1, S, 3, H, W] RGB in [0, 1]; extrinsic [S, 3, 4], camera from world; intrinsic
    [S, 3, 3] in pixels, whose centres are at half-integers; depth [S, H, W] along the optical axis
    with 0 where unknown, or None. dense: whether depth is a map and not a few points in a map.
    Translations and depths are in the unit of the set.
    """

    name: str
    images: Tensor
    extrinsic: Tensor
    intrinsic: Tensor
    depth: Tensor | None
    dense: bool

    @property
    def size(self) -> tuple[int, int]:
        """(H, W) of the images."""
        return self.images.shape[-2], self.images.shape[-1]


@dataclass(frozen=True)
class ClipSet:
    """Clips of one source and number of views, loaded one at a time by index < count.

    unit: metres, or the median true depth of each clip where the source has no metric scale.
    """

    name: str
    views: int
    unit: Unit
    count: int
    load: Callable[[int], EvaluationClip]


def sequence_set(folder: Path, views: int, size: tuple[int, int]) -> ClipSet:
    """The fixed clips of a posed folder, resized and cropped to size (H, W).

    Raises DataError for a bad folder, ValueError if it has no clips of so many views.
    """
    sequence = load_sequence(folder)
    indices = sequence.clips.get(views)
    if not indices:
        known = ", ".join(map(str, sequence.clips)) or "no number of"
        raise ValueError(f"{folder / 'clips.json'} has clips of {known} views, not {views}")

    def load(index: int) -> EvaluationClip:
        frames = indices[index]
        clip = load_clip(sequence, frames, size)
        return _evaluation_clip("-".join(map(str, frames)), clip, sequence.metric)

    unit: Unit = "m" if sequence.metric else "median depth"
    return ClipSet(sequence.name, views, unit, len(indices), load)


def synthetic_set(folder: Path, views: int, scenes: int) -> ClipSet:
    """The first `views` views of the first scenes of a folder of shards, at their rendered size.

    Raises DataError for a bad folder, ValueError if its scenes have fewer views.
    """
    shards = open_shards(folder)
    rendered = len(shards.scene(0)["images"])
    if views > rendered:
        raise ValueError(f"the scenes in {folder} have {rendered} views, not {views}")

    def load(index: int) -> EvaluationClip:
        scene = shards.scene(index, list(range(views)))
        clip = PosedClip(
            scene["images"], scene["extrinsic"], scene["intrinsic"], scene["depth"], sparse=None
        )
        return _evaluation_clip(f"scene-{index:04d}", clip, metric=True)

    return ClipSet("synthetic", views, "m", min(scenes, len(shards)), load)


def _evaluation_clip(name: str, clip: PosedClip, metric: bool) -> EvaluationClip:
    depth = _depth_map(clip)
    extrinsic = torch.from_numpy(clip.extrinsic).double()
    if not metric and depth is not None and (depth > 0).any():
        unit = depth[depth > 0].median()
        depth = depth / unit
        extrinsic[..., 3] /= unit
    images = torch.from_numpy(clip.images).permute(0, 3, 1, 2)[None].float() / 255
    intrinsic = torch.from_numpy(clip.intrinsic).double()
    return EvaluationClip(name, images, extrinsic, intrinsic, depth, clip.depth is not None)


def _depth_map(clip: PosedClip) -> Tensor | None:
    """True depth [S,H,W], 0 = unknown; sparse points fill the pixels they fall on."""
    if clip.depth is not None:
        return torch.from_numpy(clip.depth).double()
    if clip.sparse is None:
        return None
    maps: NDArray[np.float64] = np.zeros(clip.images.shape[:3])
    for depth, (uv, z) in zip(maps, clip.sparse, strict=True):
        column, row = uv.astype(int).T
        depth[row, column] = z
    return torch.from_numpy(maps)
