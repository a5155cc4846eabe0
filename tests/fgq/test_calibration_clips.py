"""Calibration clips from shards, posed sequences and folders of images, and what they refuse."""

import hashlib
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from fgq.data import DataError, open_shards
from fgq.data.calibration import clip_images, load_calibration_clips
from fgq.data.shards import FIELDS, FORMAT

SIZE = (28, 42)


def write_images(folder: Path, count: int, size: tuple[int, int] = SIZE) -> None:
    """Lossless images whose red says which frame it is and whose green says which column."""
    folder.mkdir(exist_ok=True)
    for index in range(count):
        image = np.zeros((*size, 3), np.uint8)
        image[..., 2] = index
        image[..., 1] = np.arange(size[1])
        cv2.imwrite(str(folder / f"{index:03d}.png"), image)


def write_shard(folder: Path, scenes: int, views: int) -> None:
    """Scenes whose red says the scene and whose green says the view."""
    shard = folder / "shard-00000000"
    shard.mkdir(parents=True)
    shapes = {
        "images": (*SIZE, 3),
        "depth": SIZE,
        "extrinsic": (3, 4),
        "intrinsic": (3, 3),
        "overlap": (views,),
    }
    for name, kind in FIELDS.items():
        array = np.zeros((scenes, views, *shapes[name]), kind)
        if name == "images":
            array[..., 0] = np.arange(scenes)[:, None, None, None]
            array[..., 1] = np.arange(views)[:, None, None]
        np.save(shard / f"{name}.npy", array)
    meta = {"format": FORMAT, "first_seed": 0, "scenes": scenes, "views": views, "size": SIZE}
    (shard / "meta.json").write_text(json.dumps(meta))


def frames_of(images: np.ndarray) -> list[int]:
    return images[:, 0, 0, 0].tolist()


def test_clips_of_images_are_windows_of_their_order(tmp_path: Path) -> None:
    write_images(tmp_path / "walk", 20)
    (tmp_path / "walk" / "notes.txt").write_text("not an image")
    clips = load_calibration_clips(tmp_path / "walk", 12, 4, SIZE, seed=3)
    assert len({clip.name for clip in clips}) == 12
    assert [clip.name for clip in clips] == sorted(clip.name for clip in clips)
    steps = set()
    for clip in clips:
        frames = frames_of(clip.images)
        assert clip.name == "walk:" + "-".join(f"{i:04d}" for i in frames)
        (step,) = set(np.diff(frames).tolist())
        steps.add(step)
        np.testing.assert_array_equal(clip.images[0, 0, :, 1], np.arange(SIZE[1]))
    assert steps == {1, 2, 3}


def test_the_same_seed_gives_the_same_clips(tmp_path: Path) -> None:
    write_images(tmp_path, 20)
    first, again, other = (load_calibration_clips(tmp_path, 5, 2, SIZE, seed) for seed in (1, 1, 2))
    assert [(c.name, c.sha256) for c in first] == [(c.name, c.sha256) for c in again]
    assert [c.name for c in first] != [c.name for c in other]


def test_hash_depends_on_shape_and_content(tmp_path: Path) -> None:
    write_images(tmp_path, 3)
    one, two, three = load_calibration_clips(tmp_path, 3, 1, SIZE, seed=0)
    assert len({one.sha256, two.sha256, three.sha256}) == 3
    expected = hashlib.sha256(b"(1, 28, 42, 3)" + one.images.tobytes()).hexdigest()
    assert one.sha256 == expected


def test_clip_images_are_the_networks_input(tmp_path: Path) -> None:
    write_images(tmp_path, 3)
    (clip,) = load_calibration_clips(tmp_path, 1, 3, SIZE, seed=0)
    images = clip_images(clip)
    assert images.shape == (1, 3, 3, *SIZE)
    assert images.dtype == torch.float32
    assert images[0, 2, 0, 5, 7].item() == pytest.approx(2 / 255)
    assert images[0, 0, 1, 5, 7].item() == pytest.approx(7 / 255)


def test_images_are_resized_to_cover_the_size(tmp_path: Path) -> None:
    write_images(tmp_path, 2, (56, 126))
    (clip,) = load_calibration_clips(tmp_path, 1, 2, SIZE, seed=0)
    # 56x126 becomes 28x63, of which columns 10 to 51 stay: two stored columns each.
    np.testing.assert_allclose(clip.images[0, 3, [0, -1], 1], [20.5, 102.5], atol=1)


def test_shards_give_clips_of_different_scenes(tmp_path: Path) -> None:
    write_shard(tmp_path / "data", scenes=9, views=8)
    clips = load_calibration_clips(tmp_path / "data", 9, 3, SIZE, seed=0)
    assert [frames_of(clip.images)[0] for clip in clips] == list(range(9))
    assert {tuple(np.diff(clip.images[:, 0, 0, 1])) for clip in clips} > {(1, 1)}
    scene = open_shards(tmp_path / "data").scene(4)["images"]
    np.testing.assert_array_equal(clips[4].images, scene[clips[4].images[:, 0, 0, 1].tolist()])
    larger = load_calibration_clips(tmp_path / "data", 1, 2, (56, 84), seed=0)
    assert larger[0].images.shape == (2, 56, 84, 3)


def test_posed_sequence_does_without_its_depth(tmp_path: Path) -> None:
    write_images(tmp_path / "rgb", 4)
    frames = [
        {
            "rgb": f"rgb/{i:03d}.png",
            "depth": "depth/missing.png",
            "K": np.eye(3).tolist(),
            "c2w": np.eye(4).tolist(),
            "h": SIZE[0],
            "w": SIZE[1],
        }
        for i in (2, 0, 1)
    ]
    cameras = {"name": "toy", "metric": True, "frames": frames}
    (tmp_path / "cameras.json").write_text(json.dumps(cameras))
    (clip,) = load_calibration_clips(tmp_path, 1, 3, SIZE, seed=0)
    assert frames_of(clip.images) == [2, 0, 1]


def test_photographs_are_turned_as_the_camera_noted(tmp_path: Path) -> None:
    turned = Image.fromarray(np.full((*SIZE[::-1], 3), 90, np.uint8))
    exif = turned.getexif()
    exif[0x0112] = 6
    turned.save(tmp_path / "a.jpg", exif=exif)
    Image.fromarray(np.full((*SIZE, 3), 90, np.uint8)).save(tmp_path / "b.jpg")
    (clip,) = load_calibration_clips(tmp_path, 1, 2, SIZE, seed=0)
    assert clip.images.shape == (2, *SIZE, 3)


def test_what_cannot_be_used_is_named(tmp_path: Path) -> None:
    def refuse(message: str, count: int = 1, views: int = 2, folder: Path = tmp_path) -> None:
        with pytest.raises(DataError, match=message) as error:
            load_calibration_clips(folder, count, views, SIZE, seed=0)
        assert "\n" not in str(error.value)

    refuse("no shards, no cameras.json and no images")
    refuse("is not a folder", folder=tmp_path / "missing")
    write_images(tmp_path, 3)
    refuse("3 views, too few for clips of 4", views=4)
    refuse("3 clips of 2 views, too few for 9", count=9)
    (tmp_path / "004.png").write_bytes(b"nothing")
    refuse("004.png cannot be read")
    whole = (tmp_path / "000.png").read_bytes()
    (tmp_path / "004.png").write_bytes(whole[:60])
    refuse("004.png cannot be read", views=4)
    write_images(tmp_path / "other", 1, (14, 14))
    (tmp_path / "other" / "000.png").replace(tmp_path / "004.png")
    refuse("004.png has 14x14 pixels, 000.png has 42x28")
    write_shard(tmp_path / "data", scenes=2, views=3)
    refuse("2 scenes, too few for 3", count=3, folder=tmp_path / "data")
    with pytest.raises(ValueError, match="at least one"):
        load_calibration_clips(tmp_path, 0, 2, SIZE, seed=0)
    with pytest.raises(ValueError, match="multiples of 14"):
        load_calibration_clips(tmp_path, 1, 2, (28, 40), seed=0)
