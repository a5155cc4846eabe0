import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from fgq.data import DataError
from fgq.data.demo import DemoClip, render_demo, write_demo
from fgq.data.render_command import DEMO_SEED

DEMO = Path(__file__).parents[2] / "assets" / "demo"


def video_frames(path: Path) -> list[np.ndarray]:
    reader, frames = cv2.VideoCapture(str(path)), []
    while (read := reader.read())[0]:
        frames.append(read[1])
    return frames


def agreement(
    depth: tuple[np.ndarray, np.ndarray], pose: tuple[np.ndarray, np.ndarray], k: np.ndarray
) -> float:
    """Share of the points of one view, inside the other, whose depth there is the same. k is for
    pixel centres at integers."""
    height, width = depth[0].shape
    v, u = np.mgrid[:height, :width]
    ray = np.stack([u, v, np.ones_like(u)], -1).reshape(-1, 3) @ np.linalg.inv(k).T
    point = ray * depth[0].reshape(-1, 1)
    world = point @ pose[0][:3, :3].T + pose[0][:3, 3]
    there = (world - pose[1][:3, 3]) @ pose[1][:3, :3]
    column, row, _ = np.rint((there / there[:, 2:]) @ k.T).astype(int).T
    inside = (there[:, 2] > 0.1) & (column >= 0) & (column < width) & (row >= 0) & (row < height)
    found = depth[1][row[inside], column[inside]]
    return float(np.mean(np.abs(found - there[inside, 2]) < 0.04 * found))


@pytest.fixture(scope="module")
def clip() -> DemoClip:
    return render_demo(DEMO_SEED, frames=12, size=(84, 112))


def test_walk_is_smooth_and_its_depth_consistent(clip: DemoClip) -> None:
    step = np.linalg.norm(np.diff(clip.camera_to_world[:, :3, 3], axis=0), axis=1)
    assert step.max() < 0.12 * step.sum() + 0.2
    for i in range(11):
        poses = clip.camera_to_world[i], clip.camera_to_world[i + 1]
        assert agreement((clip.depth[i], clip.depth[i + 1]), poses, clip.intrinsic) > 0.7


def test_written_demo_reads_back(clip: DemoClip, tmp_path: Path) -> None:
    write_demo(clip, tmp_path, seed=DEMO_SEED, fps=15, depth_size=(42, 56), every=3)
    write_demo(clip, tmp_path, seed=DEMO_SEED, fps=15, depth_size=(42, 56), every=3)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cameras.json", "clip.mp4", "depth"]
    frames = video_frames(tmp_path / "clip.mp4")
    assert len(frames) == 12
    error = np.abs(frames[5][..., ::-1].astype(int) - clip.images[5])
    assert error.mean() < 8
    cameras = json.loads((tmp_path / "cameras.json").read_text())["frames"]
    np.testing.assert_allclose(cameras[3]["c2w"], clip.camera_to_world[3], atol=1e-5)
    assert [frame["index"] for frame in cameras if "depth" in frame] == [0, 3, 6, 9]
    depth = cv2.imread(str(tmp_path / cameras[3]["depth"]), cv2.IMREAD_UNCHANGED)
    np.testing.assert_allclose(depth / 1000, clip.depth[3, 1::2, 1::2], atol=6e-4)


def test_room_without_place_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fgq.data.demo.is_clear", lambda room, position: False)
    with pytest.raises(DataError, match="no place"):
        render_demo(DEMO_SEED, frames=4, size=(28, 42))


def test_committed_demo_is_consistent() -> None:
    cameras = json.loads((DEMO / "cameras.json").read_text())
    frames = cameras["frames"]
    assert len(video_frames(DEMO / cameras["video"])) == len(frames) == 180
    assert sum(path.stat().st_size for path in DEMO.rglob("*.*")) < 4_000_000
    k = np.array(frames[0]["K"])
    k[:2] /= 4
    k[:2, 2] -= 0.5  # depth pixel c is video pixel 4c + 2
    shown = [frame for frame in frames if "depth" in frame]
    for one, other in zip(shown[:-3:10], shown[3::10], strict=True):
        depth = [
            cv2.imread(str(DEMO / f["depth"]), cv2.IMREAD_UNCHANGED) / 1000 for f in (one, other)
        ]
        poses = np.array(one["c2w"]), np.array(other["c2w"])
        assert agreement((depth[0], depth[1]), poses, k) > 0.75
