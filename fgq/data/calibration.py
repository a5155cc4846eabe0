"""Calibration clips: a few views each of many places, from shards, a posed sequence or photographs.

They carry no ground truth: calibration compares a network with itself. A clip is a window of
successive views at a regular stride, since neither a folder of images nor a sequence says which of
its views see the same place.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import ExifTags, Image
from torch import Tensor

from fgq.data.clips import PATCH, cover_image
from fgq.data.errors import DataError
from fgq.data.sequences import Frame, load_sequence
from fgq.data.shards import open_shards

IMAGE_SUFFIXES = (".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
LARGEST_STRIDE = 3  # frames; views further apart have too little in common too often


@dataclass(frozen=True)
class CalibrationClip:
    """images: uint8 [S, H, W, 3] RGB; sha256: hexadecimal, of their shape and bytes."""

    name: str
    images: NDArray[np.uint8]
    sha256: str


def clip_images(clip: CalibrationClip) -> Tensor:
    """The network's input, float32 [1, S, 3, H, W] in [0, 1]."""
    return torch.from_numpy(clip.images).permute(0, 3, 1, 2)[None].float() / 255


def load_calibration_clips(
    folder: Path, count: int, views: int, size: tuple[int, int], seed: int
) -> list[CalibrationClip]:
    """Draw `count` different clips of `views` views at `size` (H, W), sorted by name.

    folder holds shards (every clip from a scene of its own), a posed sequence (cameras.json; its
    clips.json is for evaluation and not used) or images. Images are resized to cover `size` and
    cropped centrally. The same arguments give the same clips. Raises DataError if the folder holds
    nothing of the kind or too few views, an image cannot be read, or the images of a plain folder
    differ in size; ValueError for a bad count, number of views or size.
    """
    if count < 1 or views < 1:
        raise ValueError(f"{count} clips of {views} views: there must be at least one of each")
    if any(side <= 0 or side % PATCH for side in size):
        raise ValueError(f"size {size[0]}x{size[1]} is not in multiples of {PATCH}")
    folder = Path(folder)
    rng = np.random.default_rng(seed)
    load = _from_shards if any(folder.glob("shard-*")) else _from_frames
    return sorted(load(folder, count, views, size, rng), key=lambda clip: clip.name)


def _from_shards(
    folder: Path, count: int, views: int, size: tuple[int, int], rng: np.random.Generator
) -> list[CalibrationClip]:
    shards = open_shards(folder)
    if count > len(shards):
        raise DataError(f"{folder} has {len(shards)} scenes, too few for {count} clips")
    windows = _windows(folder, shards.arrays[0]["images"].shape[1], views)
    clips = []
    for index in rng.choice(len(shards), count, replace=False):
        window = windows[rng.integers(len(windows))]
        images = shards.scene(int(index), window)["images"]
        clips.append(_clip(f"{folder.name}/{index:06d}", window, list(images), size))
    return clips


def _from_frames(
    folder: Path, count: int, views: int, size: tuple[int, int], rng: np.random.Generator
) -> list[CalibrationClip]:
    is_posed = (folder / "cameras.json").is_file()
    frames = load_sequence(folder).frames if is_posed else _plain_frames(folder)
    windows = _windows(folder, len(frames), views)
    if count > len(windows):
        raise DataError(f"{folder} has {len(windows)} clips of {views} views, too few for {count}")
    clips = []
    for index in rng.choice(len(windows), count, replace=False):
        images = [frames[frame].read_image() for frame in windows[index]]
        clips.append(_clip(folder.name, windows[index], images, size))
    return clips


def _windows(folder: Path, frames: int, views: int) -> list[list[int]]:
    """The indices of every window of `views` frames, at strides of 1 to `LARGEST_STRIDE`."""
    if frames < views:
        raise DataError(f"{folder} has {frames} views, too few for clips of {views}")
    strides = range(1, LARGEST_STRIDE + 1 if views > 1 else 2)
    lengths = {stride: (views - 1) * stride + 1 for stride in strides}
    return [
        list(range(start, start + length, stride))
        for stride, length in lengths.items()
        for start in range(frames - length + 1)
    ]


def _clip(
    place: str, window: list[int], images: list[NDArray[np.uint8]], size: tuple[int, int]
) -> CalibrationClip:
    covered = np.stack([cover_image(image, size) for image in images])
    digest = hashlib.sha256(str(covered.shape).encode() + covered.tobytes()).hexdigest()
    return CalibrationClip(f"{place}:{'-'.join(f'{i:04d}' for i in window)}", covered, digest)


def _plain_frames(folder: Path) -> list[Frame]:
    """The images of a folder by name; where they were taken is not known, nor needed here."""
    if not folder.is_dir():
        raise DataError(f"{folder} is not a folder")
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES)
    if not paths:
        raise DataError(f"{folder} has no shards, no cameras.json and no images")
    sizes = [_image_size(path) for path in paths]
    for path, size in zip(paths, sizes, strict=True):
        if size != sizes[0]:
            (h, w), (h0, w0) = size, sizes[0]
            raise DataError(f"{path} has {w}x{h} pixels, {paths[0].name} has {w0}x{h0}")
    return [Frame(path, np.eye(3), np.eye(4), sizes[0], None, None) for path in paths]


def _image_size(path: Path) -> tuple[int, int]:
    """(height, width) as it is shown: from the header, turned as the camera noted."""
    try:
        with Image.open(path) as image:
            width, height = image.size
            turned = image.getexif().get(ExifTags.Base.Orientation, 1) >= 5
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise DataError(f"{path} cannot be read as an image ({error})") from None
    return (width, height) if turned else (height, width)
