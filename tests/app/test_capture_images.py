"""Images of every kind that people have, as the upright RGB that they see."""

import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from app.capture import SourceError, open_source

ORIENTATION = 0x0112
RGB = (200, 60, 20)


def plain(width: int = 48, height: int = 32) -> Image.Image:
    return Image.new("RGB", (width, height), RGB)


def marked(width: int, height: int) -> Image.Image:
    """Red, with the upper left quarter blue."""
    image = plain(width, height)
    image.paste((0, 0, 255), (0, 0, width // 2, height // 2))
    return image


def load(file: Path) -> np.ndarray:
    (frame,) = open_source(str(file))
    assert frame.image.dtype == np.uint8
    assert frame.image.flags.c_contiguous
    return frame.image


def close_to(pixel: np.ndarray, color: tuple[int, int, int]) -> bool:
    return bool((np.abs(pixel.astype(int) - color) < 12).all())


@pytest.mark.parametrize(
    ("mode", "suffix"),
    [
        ("CMYK", "jpg"),
        ("CMYK", "tif"),
        ("P", "png"),
        ("P", "bmp"),
        ("RGBA", "png"),
        ("RGBA", "webp"),
        ("RGB", "jpg"),
        ("RGB", "TIFF"),
    ],
)
def test_kinds_of_colour(tmp_path: Path, mode: str, suffix: str) -> None:
    file = tmp_path / f"été 图.{suffix}"
    image = plain()
    (image.quantize(4) if mode == "P" else image.convert(mode)).save(file)
    loaded = load(file)
    assert loaded.shape == (32, 48, 3)
    assert close_to(loaded[16, 24], RGB)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize(
    ("suffix", "scale"), [("jpg", 1), ("png", 1), ("webp", 1), ("tif", 1), ("jpg", 60), ("tif", 60)]
)
def test_photos_are_turned_upright(
    tmp_path: Path, orientation: int, suffix: str, scale: int
) -> None:
    """The camera stores pixels as its sensor lies, and how it was held beside them."""
    stored = marked(48 * scale, 32 * scale)
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    file = tmp_path / f"photo.{suffix}"
    stored.save(file, exif=exif)
    image = load(file)
    height, width = image.shape[:2]
    turned = orientation >= 5
    assert (height > width) == turned
    bottom = orientation in (3, 4, 7, 8)
    right = orientation in (2, 3, 6, 7)
    for y in (0, 1):
        for x in (0, 1):
            pixel = image[height * (1 + 2 * y) // 4, width * (1 + 2 * x) // 4]
            assert close_to(pixel, (0, 0, 255) if (y, x) == (bottom, right) else RGB)


@pytest.mark.parametrize("suffix", ["jpg", "png"])
def test_an_8k_image_is_made_smaller(tmp_path: Path, suffix: str) -> None:
    file = tmp_path / f"8k.{suffix}"
    marked(7680, 4320).save(file, compress_level=1)
    image = load(file)
    assert image.shape in [(1080, 1920, 3), (540, 960, 3)]
    assert close_to(image[image.shape[0] // 4, image.shape[1] // 4], (0, 0, 255))
    assert close_to(image[-5, -5], RGB)


@pytest.mark.parametrize("size", [(9000, 1), (1, 9000)])
def test_long_thin_images(tmp_path: Path, size: tuple[int, int]) -> None:
    plain(*size).save(tmp_path / "line.png")
    image = load(tmp_path / "line.png")
    assert min(image.shape[:2]) == 1
    assert close_to(image[-1, -1], RGB)


def test_a_bomb_is_refused_unopened(tmp_path: Path) -> None:
    """A small file whose header says gigabytes."""
    plain().save(tmp_path / "1.png")
    data = bytearray((tmp_path / "1.png").read_bytes())
    data[16:24] = struct.pack(">II", 60000, 30000)
    data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
    (tmp_path / "2.png").write_bytes(data)
    warnings: list[str] = []
    assert len(list(open_source(str(tmp_path), warnings.append))) == 1
    (warning,) = warnings
    assert "too large" in warning


def test_a_folder_of_mixed_sizes_and_files_that_are_no_images(tmp_path: Path) -> None:
    for i, size in enumerate([(48, 32), (1, 1), (31, 77)]):
        plain(*size).save(tmp_path / f"{i}.png")
    good = (tmp_path / "0.png").read_bytes()
    (tmp_path / "3.png").write_bytes(b"")
    (tmp_path / "4.png").write_bytes(good[: len(good) // 2])
    (tmp_path / "5.png").mkdir()
    (tmp_path / "6.jpg").symlink_to(tmp_path / "gone.jpg")
    (tmp_path / "._0.png").write_bytes(b"what macOS leaves")
    warnings: list[str] = []
    frames = list(open_source(str(tmp_path), warnings.append))
    assert [frame.image.shape[:2] for frame in frames] == [(32, 48), (1, 1), (77, 31)]
    assert len(warnings) == 4
    assert all(warning.endswith("skipped") for warning in warnings)


def test_one_image_is_a_source(tmp_path: Path) -> None:
    # OpenCV would take the name for the beginning of a numbered series.
    for i in range(3):
        plain().save(tmp_path / f"img{i}.png")
    source = open_source(str(tmp_path / "img1.png"))
    assert [frame.name for frame in source] == ["img1.png"]
    assert source.length == 1


def test_a_read_only_folder_is_read(tmp_path: Path) -> None:
    plain().save(tmp_path / "1.png")
    before = sorted(tmp_path.iterdir())
    tmp_path.chmod(0o500)
    try:
        assert len(list(open_source(str(tmp_path)))) == 1
    finally:
        tmp_path.chmod(0o700)
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="everything may be read")
def test_a_folder_that_may_not_be_read_is_one_line(tmp_path: Path) -> None:
    tmp_path.chmod(0)
    try:
        with pytest.raises(SourceError, match="cannot be read"):
            open_source(str(tmp_path))
    finally:
        tmp_path.chmod(0o700)


@pytest.mark.parametrize("spec", ["", "a\0b", "x" * 5000])
def test_names_that_no_file_can_have(spec: str) -> None:
    with pytest.raises(SourceError) as caught:
        list(open_source(spec))
    assert "\n" not in str(caught.value)
