"""The bank of procedural textures, as the mip-mapped atlas that the renderer samples."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from fgq.data.drawing import TEXTURE_SIZE
from fgq.data.pictures import PICTURES
from fgq.data.surfaces import SURFACES
from fgq.data.templates import Floats

LEVELS = 15  # half an octave apart, so that the nearest one does: 256 down to 2 texels
SIDES = np.rint(TEXTURE_SIZE / np.sqrt(2) ** np.arange(LEVELS)).astype(np.int32)
BANK_SEED = 20_240_117
ROW = 504  # points in a row of a lookup: cv2 limits the length of one
_LINEAR = (np.arange(256, dtype=np.float32) / 255) ** 2  # of stored values


@dataclass(frozen=True)
class TextureBank:
    """All textures with their mip levels in one image.

    atlas: uint8 [rows, columns, 3]; a texture's levels lie beside and below each other, each with a
    border of one wrapped texel so that bilinear lookups tile. origin: float32 [T, 2], x and y of a
    texture's corner; levels: float32 [3, 256], the side of each level and its x and y in a texture,
    without the border, and then those of the last again, as cv2.LUT needs. kinds: which textures
    are of a kind. mean: float32 [T, 3] mean colour.
    """

    atlas: NDArray[np.uint8]
    origin: NDArray[np.float32]
    levels: NDArray[np.float32]
    kinds: dict[str, NDArray[np.int32]]
    mean: NDArray[np.float32]

    def sample(self, uv: Floats, level: Floats, origin: Floats) -> Floats:
        """Bilinear lookup at uv [2, N] in the mip level nearest to `level` [N] of the textures at
        `origin` [2, N] of the atlas. Returns linear values [3, N]."""
        count = len(level)
        nearest = cv2.add(level, level, dtype=cv2.CV_8U)  # rounds, and raises to 0 what is below
        side, left, top = (cv2.LUT(nearest, line).ravel() for line in self.levels)
        rows = -(-count // ROW)
        maps = np.zeros((2, rows * ROW), np.float32)
        places = maps[:, :count]
        np.subtract(uv, np.floor(uv), out=places)
        places *= side
        places += origin
        places[0] += left
        places[1] += top
        x, y = maps.reshape(2, rows, ROW)
        texels = cv2.remap(self.atlas, x, y, cv2.INTER_LINEAR).reshape(-1, 3)[:count]
        return cv2.LUT(cv2.transpose(texels), _LINEAR)


@lru_cache(maxsize=1)
def texture_bank() -> TextureBank:
    """Draws the bank (a few seconds, the same in every process); later calls return it at once."""
    makers = [(name, *entry) for name, entry in (SURFACES | PICTURES).items()]
    total = sum(count for _, _, count in makers)
    corners, width = _layout()
    height = TEXTURE_SIZE + 2
    per_row = -(-total // (32_000 // height))  # few: a texture's rows are near each other in memory
    atlas = np.zeros((-(-total // per_row) * height, per_row * width, 3), np.uint8)
    origin, means = np.zeros((total, 2), np.float32), np.zeros((total, 3), np.float32)
    kinds: dict[str, NDArray[np.int32]] = {}
    index = 0
    for position, (name, make, count) in enumerate(makers):
        rng = np.random.default_rng([BANK_SEED, position])
        kinds[name] = np.arange(index, index + count, dtype=np.int32)
        for _ in range(count):
            image = np.clip(make(rng), 0, 1)
            corner = np.array([index % per_row * width, index // per_row * height])
            origin[index], means[index] = corner, image.mean((0, 1))
            for side, (x, y) in zip(SIDES.tolist(), corners + corner, strict=True):
                small = cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA)
                padded = cv2.copyMakeBorder(small, 1, 1, 1, 1, cv2.BORDER_WRAP)
                atlas[y : y + side + 2, x : x + side + 2] = np.rint(padded * 255)
            index += 1
    # a level begins behind its border, and texel 0 covers [-0.5, 0.5]
    levels = np.stack([SIDES, *(corners.T + 0.5)]).astype(np.float32)
    levels = np.pad(levels, ((0, 0), (0, 256 - LEVELS)), mode="edge")
    return TextureBank(atlas, origin, levels, kinds, means)


def _layout() -> tuple[NDArray[np.int64], int]:
    """x and y [LEVELS, 2] of the levels with their borders: in columns, as many below each other
    as the first is high. And the width of all."""
    corners, x, y, column = [], 0, 0, 0
    for side in SIDES.tolist():
        if y + side > TEXTURE_SIZE:
            x, y, column = x + column, 0, 0
        corners.append((x, y))
        y, column = y + side + 2, max(column, side + 2)
    return np.array(corners), x + column
