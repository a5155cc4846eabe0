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

LEVELS = 8  # 256 down to 2 texels
BANK_SEED = 20_240_117
ROW = 504  # points in a row of a lookup: cv2 limits the length of one
_LINEAR = (np.arange(256, dtype=np.float32) / 255) ** 2  # of stored values


@dataclass(frozen=True)
class TextureBank:
    """All textures with their mip levels in one image.

    atlas: uint8 [rows, columns, 3]; a texture's levels lie side by side, each with a border of
    one wrapped texel so that bilinear lookups tile. origin: float32 [T, 2], x and y of a
    texture's first level; level_offset: float32 [LEVELS], x of each level within a texture.
    kinds: which textures are of a kind. mean: float32 [T, 3] mean colour.
    """

    atlas: NDArray[np.uint8]
    origin: NDArray[np.float32]
    level_offset: NDArray[np.float32]
    kinds: dict[str, NDArray[np.int32]]
    mean: NDArray[np.float32]

    def sample(self, uv: Floats, level: Floats, origin: Floats) -> Floats:
        """Trilinear lookup at uv [2, N] and mip level [N] in the textures at `origin` [2, N] of
        the atlas. Returns linear values [N, 3]."""
        count = len(level)
        level = np.clip(level, 0, LEVELS - 1.001)
        fine = np.floor(level)
        weight = level - fine
        uv = uv - np.floor(uv)
        side = np.exp2(8 - fine)
        offset = self.level_offset.take(fine.astype(np.int32))
        rows = -(-count // ROW)
        maps = np.zeros((3, 2, rows * ROW), np.float32)  # x, y, weight: of both levels
        for index, share in enumerate((1 - weight, weight)):
            x, y, shares = maps[:, index, :count]
            np.multiply(uv[0], side, out=x)
            x += offset
            x += origin[0]
            np.multiply(uv[1], side, out=y)
            y += origin[1]
            shares[:] = share
            offset = offset + side + 2
            side = side * 0.5
        maps[:2] += 0.5
        maps = maps.reshape(3, 2 * rows, ROW)
        texels = cv2.LUT(cv2.remap(self.atlas, maps[0], maps[1], cv2.INTER_LINEAR), _LINEAR)
        mixed = cv2.blendLinear(texels[:rows], texels[rows:], maps[2, :rows], maps[2, rows:])
        return mixed.reshape(-1, 3)[:count]


@lru_cache(maxsize=1)
def texture_bank() -> TextureBank:
    """Draws the bank (a few seconds, the same in every process); later calls return it at once."""
    makers = [(name, *entry) for name, entry in (SURFACES | PICTURES).items()]
    total = sum(count for _, _, count in makers)
    offsets = np.cumsum([0] + [(TEXTURE_SIZE >> level) + 2 for level in range(LEVELS)])
    per_row = 32_000 // int(offsets[-1])  # cv2.remap takes at most 32,767 columns
    height = TEXTURE_SIZE + 2
    atlas = np.zeros((-(-total // per_row) * height, per_row * int(offsets[-1]), 3), np.uint8)
    origin, means = np.zeros((total, 2), np.float32), np.zeros((total, 3), np.float32)
    kinds: dict[str, NDArray[np.int32]] = {}
    index = 0
    for position, (name, make, count) in enumerate(makers):
        rng = np.random.default_rng([BANK_SEED, position])
        kinds[name] = np.arange(index, index + count, dtype=np.int32)
        for _ in range(count):
            image = np.clip(make(rng), 0, 1)
            x, y = index % per_row * int(offsets[-1]), index // per_row * height
            origin[index], means[index] = (x, y), image.mean((0, 1))
            for level in range(LEVELS):
                side = TEXTURE_SIZE >> level
                small = cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA)
                padded = cv2.copyMakeBorder(small, 1, 1, 1, 1, cv2.BORDER_WRAP)
                left = x + int(offsets[level])
                atlas[y : y + side + 2, left : left + side + 2] = np.rint(padded * 255)
            index += 1
    return TextureBank(atlas, origin, offsets[:-1].astype(np.float32), kinds, means)
