"""Videos: damaged ones, turned ones, with times of their own, and long ones."""

import struct
from pathlib import Path

import numpy as np
import psutil
import pytest

from app.capture import SourceError, open_source
from app.capture._cv2 import cv2

SIZE = (48, 64)


def write_video(file: Path, frames: int = 30, codec: str = "mp4v") -> Path:
    """A video at 10 frames a second: grey that grows by 8 a frame, with a blue upper left
    quarter.
    """
    writer = cv2.VideoWriter(str(file), cv2.VideoWriter.fourcc(*codec), 10.0, SIZE[::-1])
    for i in range(frames):
        image = np.full((*SIZE, 3), 8 * (i % 30), np.uint8)
        image[: SIZE[0] // 2, : SIZE[1] // 2] = (255, 0, 0)
        writer.write(image)
    writer.release()
    return file


def grow(data: bytes, path: tuple[bytes, ...], new: bytes) -> bytes:
    """Replace the last box of a path of MP4 boxes; the boxes around it grow with it."""
    start, size = _find_box(data, path[0])
    body = data[start + 8 : start + size]
    body = grow(body, path[1:], new) if path[1:] else new
    return data[:start] + struct.pack(">I", len(body) + 8) + path[0] + body + data[start + size :]


def _find_box(data: bytes, name: bytes) -> tuple[int, int]:
    start = 0
    while data[start + 4 : start + 8] != name:
        start += struct.unpack(">I", data[start : start + 4])[0]
    return start, struct.unpack(">I", data[start : start + 4])[0]


@pytest.mark.parametrize(("codec", "suffix"), [("mp4v", "mp4"), ("MJPG", "avi")])
def test_a_damaged_frame_is_skipped_and_the_video_goes_on(
    tmp_path: Path, codec: str, suffix: str
) -> None:
    file = write_video(tmp_path / f"clip.{suffix}", codec=codec)
    data = bytearray(file.read_bytes())
    middle = data.index(b"mdat" if codec == "mp4v" else b"movi")
    # Zeros over a frame in the middle.
    marker = b"\x00\x00\x01\xb6" if codec == "mp4v" else b"\xff\xd8\xff"
    at = middle
    for _ in range(15):
        at = data.index(marker, at + 1)
    end = data.index(marker, at + 1) - (0 if codec == "mp4v" else 8)
    data[at:end] = bytes(end - at)
    file.write_bytes(data)
    warnings: list[str] = []
    frames = list(open_source(str(file), warnings.append))
    assert 20 <= len(frames) < 30
    assert frames[-1].index == 29
    assert "skipped" in warnings[0]
    # Those after the damage keep their numbers and times.
    last = frames[-1]
    assert last.time == pytest.approx(2.9)
    assert abs(int(last.image[-4, -4, 0]) - 8 * 29) < 12


def test_a_turned_phone_gives_upright_frames(tmp_path: Path) -> None:
    file = write_video(tmp_path / "clip.mp4", 5)
    data = file.read_bytes()
    at = data.index(b"tkhd") + 4 + 40
    one = 1 << 16
    quarter_turn = struct.pack(">9i", 0, one, 0, -one, 0, 0, 0, 0, 1 << 30)
    file.write_bytes(data[:at] + quarter_turn + data[at + 36 :])
    image = next(iter(open_source(str(file)))).image
    assert image.shape == (64, 48, 3)
    # A quarter turn to the right brings the upper left corner to the upper right.
    blue = image[..., 2].astype(int) - image[..., 0]
    assert blue[16, 36] > 150
    assert abs(blue[[16, 48, 48], [12, 12, 36]]).max() < 60


def test_frames_have_the_times_of_the_file(tmp_path: Path) -> None:
    file = write_video(tmp_path / "clip.mp4", 20)
    data = file.read_bytes()
    path = (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stts")
    step = struct.unpack(">I", data[data.index(b"stts") + 16 :][:4])[0]
    # Ten frames at 20 a second, then ten at 6.7 a second: in all as long as before.
    times = struct.pack(">6I", 0, 2, 10, step // 2, 10, step + step // 2)
    file.write_bytes(grow(data, path, times))
    found = [frame.time for frame in open_source(str(file))]
    expected = [0.05 * i for i in range(10)] + [0.5 + 0.15 * i for i in range(10)]
    assert found == pytest.approx(expected, abs=0.01)


@pytest.mark.parametrize("name", ["clip.mp4", "фильм 映画.avi"])
def test_an_empty_file(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    with pytest.raises(SourceError, match="is empty"):
        open_source(str(tmp_path / name))


def test_2000_frames_take_no_more_memory_than_100(tmp_path: Path) -> None:
    file = write_video(tmp_path / "long.mp4", 2000)
    source = open_source(str(file))
    process = psutil.Process()
    sizes = [process.memory_info().rss for frame in source if frame.index % 100 == 99]
    assert len(sizes) == 20
    # All frames together are 18 MB.
    assert sizes[-1] - sizes[0] < 5e6


def test_large_frames_are_made_smaller(tmp_path: Path) -> None:
    file = tmp_path / "wide.avi"
    writer = cv2.VideoWriter(str(file), cv2.VideoWriter.fourcc(*"MJPG"), 10.0, (4096, 64))
    writer.write(np.full((64, 4096, 3), 90, np.uint8))
    writer.release()
    (frame,) = open_source(str(file))
    assert frame.image.shape == (32, 2048, 3)
    assert abs(frame.image.astype(int) - 90).max() < 4
