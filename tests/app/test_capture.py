"""Sources deliver frames or one clear line; keyframes are chosen for reasons that can be shown."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from app.capture import (
    Frame,
    SourceError,
    default_selector,
    fit_image,
    open_source,
)
from app.capture._cv2 import cv2
from app.capture.preprocess import fit_depth

HEIGHT, WIDTH = 96, 128


def texture(seed: int = 0, side: int = 400) -> np.ndarray:
    """A picture [side,side,3] with structure at every place and of several sizes."""
    rng = np.random.default_rng(seed)
    layers = [
        np.kron(rng.uniform(20, 230, (side // cell, side // cell, 3)), np.ones((cell, cell, 1)))
        for cell in (40, 20, 10)
    ]
    return np.rint(np.mean(layers, 0)).astype(np.uint8)


def view(x: int, y: int = 0) -> np.ndarray:
    return np.ascontiguousarray(texture()[y : y + HEIGHT, x : x + WIDTH])


def frame(image: np.ndarray, index: int = 0) -> Frame:
    return Frame(index, index / 30, image, str(index))


@pytest.fixture
def video(tmp_path: Path) -> Path:
    file = tmp_path / "clip é.mp4"
    writer = cv2.VideoWriter(str(file), cv2.VideoWriter.fourcc(*"mp4v"), 10.0, (WIDTH, HEIGHT))
    for i in range(12):
        writer.write(view(4 * i)[..., ::-1])
    writer.release()
    return file


def refusal(spec: Path | str) -> str:
    with pytest.raises(SourceError) as caught:
        list(open_source(str(spec)))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_video(video: Path) -> None:
    source = open_source(str(video))
    frames = list(source)
    source.close()
    assert source.length == len(frames) == 12
    assert not source.is_live
    assert frames[5].index == 5
    assert frames[5].time == pytest.approx(0.5)
    difference = np.abs(frames[5].image.astype(float) - view(20)).mean()
    assert difference < 12  # lossy, but in RGB and in order


def test_close_ends_an_iteration(video: Path) -> None:
    source = open_source(str(video))
    frames = iter(source)
    next(frames)
    source.close()
    assert list(frames) == []
    source.close()


def test_text_file_named_mp4(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "text.mp4"
    file.write_text("not a video\n" * 100)
    assert "is not a video that can be read" in refusal(file)
    output = capfd.readouterr()
    assert output.out == output.err == ""


def test_truncated_video_gives_its_frames_or_a_line(video: Path) -> None:
    data = video.read_bytes()
    for part in (0.2, 0.5, 0.9, 0.99):
        video.write_bytes(data[: int(part * len(data))])
        try:
            frames = list(open_source(str(video)))
        except SourceError:
            continue
        assert frames


def test_missing_source_and_camera(capfd: pytest.CaptureFixture[str]) -> None:
    assert "no such file" in refusal("nothing/here")
    assert refusal("97").startswith("Camera 97 cannot be opened")
    assert "no camera is called" in refusal("camera:nobody")
    assert capfd.readouterr().err == ""


def test_folder_in_natural_order(tmp_path: Path) -> None:
    for name in ("img10.png", "img2.PNG", "img1.jpg", "été 3.webp", "notes.txt"):
        image = cv2.imencode(Path(name).suffix.lower().replace("txt", "png"), view(0))[1]
        (tmp_path / name).write_bytes(image.tobytes())
    frames = list(open_source(str(tmp_path)))
    assert [f.name for f in frames] == ["img1.jpg", "img2.PNG", "img10.png", "été 3.webp"]
    assert np.array_equal(frames[1].image, view(0)[..., ::-1])


def test_unreadable_image_is_skipped_with_a_line(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "1.png"), view(0))
    (tmp_path / "2.png").write_text("not an image")
    (tmp_path / "3.jpg").write_bytes(b"")
    warnings: list[str] = []
    frames = list(open_source(str(tmp_path), warnings.append))
    assert [f.name for f in frames] == ["1.png"]
    assert [w.endswith("skipped") for w in warnings] == [True, True]


def test_folder_without_images(tmp_path: Path) -> None:
    assert "holds no images" in refusal(tmp_path)
    (tmp_path / "1.png").write_text("not an image")
    assert "no readable image" in refusal(tmp_path)


@pytest.mark.parametrize(
    "image",
    [
        np.full((5, 7), 90, np.uint8),
        np.full((5, 7, 4), 90, np.uint8),
        np.full((5, 7, 3), 90 * 257, np.uint16),
        np.full((1, 1, 3), 90, np.uint8),
    ],
    ids=["grey", "alpha", "16 bit", "one pixel"],
)
def test_unusual_images(tmp_path: Path, image: np.ndarray) -> None:
    cv2.imwrite(str(tmp_path / "1.png"), image)
    (loaded,) = open_source(str(tmp_path))
    assert loaded.image.shape == (*image.shape[:2], 3)
    assert (loaded.image == 90).all()
    assert (fit_image(loaded.image, (28, 42)) == 90).all()


@pytest.mark.parametrize("shape", [(600, 400), (300, 900), (336, 448), (50, 30)])
def test_fit_image_crops_the_middle(shape: tuple[int, int]) -> None:
    height, width = shape
    v, u = np.mgrid[:height, :width].astype(np.float32)
    # A ramp along each axis, 0 in the middle: the middle of the result must be the same place.
    image = np.stack([v - height / 2, u - width / 2, 0 * u], -1) * 0.2 + 128
    fitted = fit_image(np.rint(image).astype(np.uint8), (168, 224)).astype(float)
    assert fitted.shape == (168, 224, 3)
    assert fitted[83:85, 111:113, :2].mean() == pytest.approx(128, abs=0.5)
    step = min(height / 168, width / 224) * 0.2
    assert (fitted[140, 112, 0] - fitted[28, 112, 0]) / 112 == pytest.approx(step, abs=0.02)
    assert (fitted[84, 200, 1] - fitted[84, 24, 1]) / 176 == pytest.approx(step, abs=0.02)


def test_fit_depth_takes_the_same_crop_and_mixes_nothing() -> None:
    depth = np.where(np.arange(600) < 300, 1, 5).astype(np.float32) * np.ones((450, 1), np.float32)
    fitted = fit_depth(depth, (168, 224))
    assert set(np.unique(fitted)) == {1, 5}
    assert (fitted[:, :112] == 1).all()
    assert (fitted[:, 112:] == 5).all()


def test_folders_are_taken_whole(tmp_path: Path) -> None:
    for i in range(6):
        cv2.imwrite(str(tmp_path / f"{i}.png"), view(0))
    source = open_source(str(tmp_path))
    selector = default_selector(source, every=2)
    assert [selector.consider(f).accepted for f in source] == [True, False] * 3


def test_importing_opencv_leaves_the_variables_of_qt() -> None:
    code = (
        "import os; from app.capture._cv2 import cv2; "
        "print(os.environ.get('QT_QPA_FONTDIR'), os.environ.get('QT_QPA_PLATFORM_PLUGIN_PATH'))"
    )
    environment = {k: v for k, v in os.environ.items() if not k.startswith("QT_QPA_")}
    environment["QT_QPA_FONTDIR"] = "mine"
    output = subprocess.check_output([sys.executable, "-c", code], env=environment, text=True)
    assert output.split() == ["mine", "None"]
