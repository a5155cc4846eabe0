import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from fgq.data import DataError
from fgq.data.clips import load_clip
from fgq.data.sequences import load_sequence

SHARED = Path(__file__).parents[2].parent / "shared" / "data"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two frames of 40x60 pixels whose colour and depth say where each pixel is."""
    (tmp_path / "rgb").mkdir()
    (tmp_path / "depth").mkdir()
    (tmp_path / "sparse").mkdir()
    rows, columns = np.mgrid[:40, :60]
    image = np.stack([columns * 4, rows * 6, np.full_like(rows, 9)], -1).astype(np.uint8)
    frames = []
    for index in range(2):
        cv2.imwrite(str(tmp_path / f"rgb/{index:04d}.png"), image[..., ::-1])
        cv2.imwrite(str(tmp_path / f"depth/{index:04d}.png"), (1000 + columns).astype(np.uint16))
        np.savez(tmp_path / f"sparse/{index:04d}.npz", uv=[[30.0, 20.0], [0.0, 0.0]], z=[2.0, 3.0])
        pose = np.eye(4)
        pose[:3, 3] = (index, 2, 3)
        frames.append(
            {
                "rgb": f"rgb/{index:04d}.png",
                "depth": f"depth/{index:04d}.png",
                "K": [[50, 0, 29.5], [0, 55, 19.5], [0, 0, 1]],
                "c2w": pose.tolist(),
                "w": 60,
                "h": 40,
            }
        )
    cameras = {"name": "toy", "metric": True, "frames": frames}
    (tmp_path / "cameras.json").write_text(json.dumps(cameras))
    (tmp_path / "clips.json").write_text(json.dumps({"clips": {"2": [[1, 0]]}}))
    return tmp_path


def test_clip_is_resized_and_cropped_about_the_centre(folder: Path) -> None:
    sequence = load_sequence(folder)
    assert sequence.clips == {2: [[1, 0]]}
    clip = load_clip(sequence, [1, 0], (28, 28))
    assert clip.images.shape == (2, 28, 28, 3)
    # 40x60 becomes 28x42, of which columns 7 to 34 remain; the principal point was the centre
    np.testing.assert_allclose(
        clip.intrinsic[0], [[35, 0, 14], [0, 38.5, 14], [0, 0, 1]], atol=1e-5
    )
    middle = clip.images[0, 14, 13:15, 0].astype(float).mean()
    assert middle == pytest.approx(29.5 * 4, abs=4)
    assert clip.depth is not None
    np.testing.assert_allclose(clip.depth[0, 5, [0, 27]], [1.010, 1.049], atol=0.0015)


def test_world_is_the_first_camera(folder: Path) -> None:
    clip = load_clip(load_sequence(folder), [1, 0], (28, 42))
    np.testing.assert_array_equal(clip.extrinsic[0], np.eye(4)[:3])
    np.testing.assert_allclose(clip.extrinsic[1, :, 3], [1, 0, 0])


def test_sparse_points_outside_the_crop_are_left_out(folder: Path) -> None:
    clip = load_clip(load_sequence(folder), [0], (28, 28))
    assert clip.sparse is not None
    uv, z = clip.sparse[0]
    np.testing.assert_allclose(uv, [[30.5 * 0.7 - 7, 20.5 * 0.7]], atol=1e-5)
    assert z.tolist() == [2.0]


def test_faults_are_named(folder: Path) -> None:
    sequence = load_sequence(folder)
    with pytest.raises(DataError, match="multiples of 14"):
        load_clip(sequence, [0], (30, 28))
    with pytest.raises(DataError, match="frames 0 to 1"):
        load_clip(sequence, [2], (28, 28))
    (folder / "rgb/0000.png").write_text("no image")
    with pytest.raises(DataError, match=r"0000\.png"):
        load_clip(sequence, [0], (28, 28))
    (folder / "clips.json").write_text(json.dumps({"clips": {"2": [[0, 7]]}}))
    with pytest.raises(DataError, match=r"clips\.json"):
        load_sequence(folder)
    (folder / "cameras.json").write_text("{")
    with pytest.raises(DataError, match="not JSON"):
        load_sequence(folder)
    with pytest.raises(DataError, match="cannot read"):
        load_sequence(folder / "absent")


@pytest.mark.skipif(not SHARED.exists(), reason="needs ../shared/data")
@pytest.mark.parametrize("name", ["redkitchen_pgt", "fountain", "castle30", "fox"])
def test_real_clips_agree_with_their_own_geometry(name: str) -> None:
    """What is seen in one view is, projected by the cameras, at the depth that the other has."""
    sequence = load_sequence(SHARED / name)
    assert {views: len(clips) for views, clips in sequence.clips.items()} == {2: 24, 4: 24, 8: 24}
    size = (224, 168) if sequence.frames[0].size[0] > sequence.frames[0].size[1] else (168, 224)
    clip = load_clip(sequence, sequence.clips[2][0], size)
    assert clip.images.shape == (2, *size, 3)
    if clip.depth is None:
        assert clip.sparse is not None
        assert all(len(uv) > 20 and np.all(z > 0) for uv, z in clip.sparse)
        return
    rows, columns = np.nonzero(clip.depth[0])
    uv = np.stack([columns + 0.5, rows + 0.5, np.ones(len(rows))])
    point = np.linalg.inv(clip.intrinsic[0]) @ uv * clip.depth[0][rows, columns]
    there = clip.extrinsic[1, :, :3] @ point + clip.extrinsic[1, :, 3:]
    u, v, _ = np.floor(clip.intrinsic[1] @ there / there[2]).astype(int)
    inside = (there[2] > 0.1) & (u >= 0) & (u < size[1]) & (v >= 0) & (v < size[0])
    found = clip.depth[1][v[inside], u[inside]]
    agrees = np.abs(found - there[2, inside]) < 0.05 * found
    assert agrees[found > 0].mean() > 0.5
