"""Image files -> network input, pixel for pixel as the official loading does it (Pillow)."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

PATCH_SIZE = 14
IMAGE_SIZE = 518
WHITE = (255, 255, 255)


def load_images(
    paths: Sequence[str | Path], mode: Literal["crop", "pad"] = "crop", size: int = IMAGE_SIZE
) -> Tensor:
    """Read images -> [S, 3, H, W] RGB in [0, 1], H and W multiples of 14.

    "crop": width `size`, height by the aspect and cropped about the centre to at most `size`.
    "pad": long side `size`, then white borders to a square. Images that end up in different
    shapes get white borders to the largest. ValueError if there is none, one cannot be read, or
    `size` is not a multiple of 14.
    """
    if not paths:
        raise ValueError("no images to load")
    if size % PATCH_SIZE:
        raise ValueError(f"image size must be a multiple of {PATCH_SIZE}, got {size}")
    fit = crop_to_width if mode == "crop" else pad_to_square
    images = [_to_tensor(fit(open_rgb(path), size)) for path in paths]
    height, width = (max(image.shape[dim] for image in images) for dim in (1, 2))
    return torch.stack([_pad_centred(image, height, width) for image in images])


def load_images_square(paths: Sequence[str | Path], size: int = 1024) -> tuple[Tensor, Tensor]:
    """Read images on black squares -> [S, 3, size, size] in [0, 1] and their places [S, 6].

    A place is (x1, y1, x2, y2) of the original in pixels of the square, then its width and height
    in its own pixels. ValueError if there is no image or one cannot be read.
    """
    if not paths:
        raise ValueError("no images to load")
    squares, places = zip(*(_black_square(open_rgb(path), size) for path in paths), strict=True)
    return torch.stack([_to_tensor(square) for square in squares]), torch.tensor(places)


def open_rgb(path: str | Path) -> Image.Image:
    """Read an image as RGB; one with an alpha channel is laid over white."""
    try:
        with Image.open(path) as image:
            if image.mode != "RGBA":
                return image.convert("RGB")
            background = Image.new("RGBA", image.size, (*WHITE, 255))
            return Image.alpha_composite(background, image).convert("RGB")
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError(f"{path}: cannot be read as an image: {error}") from error


def crop_to_width(image: Image.Image, size: int = IMAGE_SIZE) -> Image.Image:
    """Resize to width `size` and cut the height to at most `size` about the centre."""
    height = _round_to_patch(image.height * size / image.width)
    image = image.resize((size, height), Image.Resampling.BICUBIC)
    top = max(0, height - size) // 2
    return image.crop((0, top, size, top + min(height, size)))


def pad_to_square(image: Image.Image, size: int = IMAGE_SIZE) -> Image.Image:
    """Resize to long side `size` and centre on a white square."""
    if image.width >= image.height:
        fitted = size, _round_to_patch(image.height * size / image.width)
    else:
        fitted = _round_to_patch(image.width * size / image.height), size
    square = Image.new("RGB", (size, size), WHITE)
    corner = (size - fitted[0]) // 2, (size - fitted[1]) // 2
    square.paste(image.resize(fitted, Image.Resampling.BICUBIC), corner)
    return square


def _black_square(image: Image.Image, size: int) -> tuple[Image.Image, list[float]]:
    side = max(image.size)
    left, top = (side - image.width) // 2, (side - image.height) // 2
    square = Image.new("RGB", (side, side))
    square.paste(image, (left, top))
    box = [left, top, left + image.width, top + image.height]
    place = [x * size / side for x in box] + [float(image.width), float(image.height)]
    return square.resize((size, size), Image.Resampling.BICUBIC), place


def _round_to_patch(side: float) -> int:
    """The nearest multiple of the patch, halves to even, at least one patch."""
    return max(1, round(side / PATCH_SIZE)) * PATCH_SIZE


def _to_tensor(image: Image.Image) -> Tensor:
    return torch.from_numpy(np.array(image)).permute(2, 0, 1).float() / 255


def _pad_centred(image: Tensor, height: int, width: int) -> Tensor:
    """White borders about an image [3, h, w]; the odd row or column comes last."""
    rows, columns = height - image.shape[1], width - image.shape[2]
    borders = (columns // 2, columns - columns // 2, rows // 2, rows - rows // 2)
    return F.pad(image, borders, value=1.0)
