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

LEVELS = 8  # 256 down to 2 texels
BANK_SEED = 20_240_117


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
