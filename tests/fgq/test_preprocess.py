"""Images to network input: shapes, places and the input that must be refused."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from fgq.vggt.preprocess import load_images, load_images_square


def image_file(path: Path, width: int, height: int, mode: str = "RGB", color: object = 0) -> Path:
    Image.new(mode, (width, height), color).save(path)  # type: ignore[arg-type]
    return path


@pytest.mark.parametrize(
    ("original", "crop"),
    [((640, 480), (392, 518)), ((480, 640), (518, 518)), ((5000, 20), (14, 518))],
)
def test_crop_shapes(original: tuple[int, int], crop: tuple[int, int], tmp_path: Path) -> None:
    path = image_file(tmp_path / "a.png", *original)
    assert load_images([path]).shape == (1, 3, *crop)
    assert load_images([path], "pad").shape == (1, 3, 518, 518)


def test_size_of_a_small_network(tmp_path: Path) -> None:
    path = image_file(tmp_path / "a.png", 640, 480)
    assert load_images([path], size=224).shape == (1, 3, 168, 224)


def test_crop_keeps_the_middle(tmp_path: Path) -> None:
    pixels = np.zeros((300, 100, 3), np.uint8)
    pixels[100:200] = 255
    Image.fromarray(pixels).save(tmp_path / "tall.png")
    assert load_images([tmp_path / "tall.png"], size=112)[0, :, 4:-4].min() > 0.9


def test_transparent_pixels_become_white_only_in_rgba(tmp_path: Path) -> None:
    clear = image_file(tmp_path / "rgba.png", 28, 28, "RGBA", (255, 0, 0, 0))
    assert load_images([clear], size=28).min() == 1
    grey = image_file(tmp_path / "la.png", 28, 28, "LA", (0, 0))
    assert load_images([grey], size=28).max() == 0


def test_mixed_shapes_get_white_borders(tmp_path: Path) -> None:
    wide = image_file(tmp_path / "wide.png", 56, 28)
    square = image_file(tmp_path / "square.png", 56, 56)
    images = load_images([wide, square], size=56)
    assert images.shape == (2, 3, 56, 56)
    rows = images[0, 0].mean(1)
    assert torch.equal(rows, torch.tensor([1.0] * 14 + [0.0] * 28 + [1.0] * 14))


def test_place_on_the_square(tmp_path: Path) -> None:
    path = image_file(tmp_path / "tall.png", 100, 200, color=(255, 255, 255))
    images, places = load_images_square([path], 100)
    assert places.tolist() == [[25, 0, 75, 100, 100, 200]]
    assert images[0, 0, :, 30:70].min() > 0.99
    assert images[0, 0, :, :20].max() < 0.01


def test_bad_input_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("not an image")
    whole = image_file(tmp_path / "whole.png", 300, 300).read_bytes()
    (tmp_path / "truncated.png").write_bytes(whole[: len(whole) // 2])
    for name in ("text.png", "truncated.png", "missing.png"):
        with pytest.raises(ValueError, match=name) as caught:
            load_images([tmp_path / name])
        assert "\n" not in str(caught.value)
    with pytest.raises(ValueError, match="no images"):
        load_images([])
    with pytest.raises(ValueError, match="multiple of 14"):
        load_images([tmp_path / "whole.png"], size=100)
