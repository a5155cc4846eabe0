"""Clouds hold what they should, and files read back as what was written."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose
from walls import SIZE, make_keyframe

from app.arguments import Parser, add_selection
from app.capture._cv2 import cv2
from app.errors import AppError
from app.export import Selection, read_reconstruction, write_reconstruction
from app.export.command import selected
from app.export.images import color_depth
from app.export.points import write_ply, write_tum
from app.files import new_folder, write_file
from app.geometry import quaternion_to_matrix
from app.reconstruction import Keyframe, build_cloud, keyframe_cloud
from app.reconstruction.cloud import confidence_rank, depth_edges
from app.reconstruction.picture import render_picture
from app.reconstruction.truth import find_truth


@pytest.fixture
def keyframes() -> list[Keyframe]:
    return [make_keyframe(i) for i in range(4)]


def test_quantile_keeps_the_confident_share(keyframes: list[Keyframe]) -> None:
    everything = build_cloud(keyframes, quantile=0)
    half = build_cloud(keyframes, quantile=0.5)
    assert len(half.points) == pytest.approx(0.5 * len(everything.points), rel=0.05)
    assert half.rank.min() >= 127
    assert len(build_cloud(keyframes, quantile=1).points) == len(keyframes)


def test_cloud_lies_on_the_walls(keyframes: list[Keyframe]) -> None:
    cloud = build_cloud(keyframes, quantile=0)
    assert set(np.unique(cloud.points[:, 2])) == {2, 3}


def test_edges_of_depth_are_left_out(keyframes: list[Keyframe]) -> None:
    edges = depth_edges(keyframes[0].depth)
    assert edges[:, 31:33].all()
    assert edges.sum() == 2 * SIZE[0]
    assert len(keyframe_cloud(keyframes[0]).points) == edges.size - edges.sum()


def test_rank_is_even() -> None:
    rank = confidence_rank(np.random.default_rng(0).exponential(size=SIZE).astype(np.float32))
    assert (rank.min(), rank.max()) == (0, 255)
    counts = np.bincount(rank.ravel(), minlength=256)[:255]
    assert counts.max() - counts.min() <= 1


def test_ply_reads_back(keyframes: list[Keyframe], tmp_path: Path) -> None:
    import open3d as o3d

    cloud = build_cloud(keyframes, quantile=0.2)
    write_ply(tmp_path / "cloud.ply", cloud, ["made by: python -m app été\nend_header"])
    read = o3d.io.read_point_cloud(str(tmp_path / "cloud.ply"))
    assert_allclose(np.asarray(read.points), cloud.points, atol=1e-6)
    assert_allclose(np.asarray(read.colors) * 255, cloud.colors, atol=1e-3)


def test_tum_holds_camera_in_world(keyframes: list[Keyframe], tmp_path: Path) -> None:
    turn = quaternion_to_matrix(np.array([0.1, -0.2, 0.3, 0.9]))
    keyframes[2].extrinsic = np.column_stack([turn, [1, 2, 3]]).astype(np.float32)
    write_tum(tmp_path / "trajectory.txt", keyframes)
    rows = np.loadtxt(tmp_path / "trajectory.txt")
    assert rows.shape == (4, 8)
    assert_allclose(rows[:, 0], [0, 0.1, 0.2, 0.3])
    assert_allclose(rows[2, 1:4], -turn.T @ [1, 2, 3], atol=1e-5)
    assert_allclose(quaternion_to_matrix(rows[2, 4:]), turn.T, atol=1e-6)


def test_all_files_of_a_reconstruction(keyframes: list[Keyframe], tmp_path: Path) -> None:
    points = write_reconstruction(tmp_path, Selection(keyframes, quantile=0.3, fuse=0.02))
    assert b"element vertex %d\n" % points in (tmp_path / "cloud.ply").read_bytes()
    cameras = json.loads((tmp_path / "cameras.json").read_text())
    assert cameras["depth_scale"] == 10000
    for entry, keyframe in zip(cameras["frames"], keyframes, strict=True):
        image = cv2.imread(str(tmp_path / entry["rgb"]))
        assert image is not None
        assert np.array_equal(image[..., ::-1], keyframe.image)
        depth = cv2.imread(str(tmp_path / entry["depth"]), cv2.IMREAD_UNCHANGED)
        assert depth is not None
        assert depth.dtype == np.uint16
        assert_allclose(depth / cameras["depth_scale"], keyframe.depth, atol=1e-4)
        assert_allclose(entry["c2w"], keyframe.world_from_camera, atol=1e-6)
        assert_allclose(entry["K"], keyframe.intrinsic, atol=1e-4)
        assert (entry["h"], entry["w"]) == SIZE
    assert len(list((tmp_path / "depth_color").iterdir())) == 4


def test_a_reconstruction_is_not_the_truth_of_its_own_images(
    keyframes: list[Keyframe], tmp_path: Path
) -> None:
    write_reconstruction(tmp_path, Selection(keyframes))
    assert find_truth(str(tmp_path / "rgb")) is None


def test_a_reconstruction_is_read_again(keyframes: list[Keyframe], tmp_path: Path) -> None:
    write_reconstruction(tmp_path, Selection(keyframes))
    for read, written in zip(read_reconstruction(tmp_path), keyframes, strict=True):
        assert (read.index, read.time, read.name) == (written.index, written.time, written.name)
        np.testing.assert_array_equal(read.image, written.image)
        assert_allclose(read.extrinsic, written.extrinsic, atol=1e-6)
        assert_allclose(read.intrinsic, written.intrinsic, atol=1e-4)
        assert_allclose(read.depth, written.depth, atol=1e-4)
        np.testing.assert_array_equal(read.confidence, 1.0 + confidence_rank(written.confidence))


def test_masks_and_absent_keyframes_are_left_out(keyframes: list[Keyframe]) -> None:
    keyframes[1].image[:10] = 4
    keyframes[2].image[:] = 250
    everything = Selection(keyframes).cloud
    chosen = Selection(keyframes, masks=("black", "white"), without=(0, 3), metres_per_unit=2.5)
    assert [k.index for k in chosen.keyframes] == [1, 2]
    assert not chosen.depth(keyframes[1])[:10].any()
    assert not chosen.depth(keyframes[2]).any()
    assert 0 < len(chosen.cloud.points) < len(everything.points) / 2
    assert chosen.cloud.colors.max(axis=1).min() >= 16
    settings = "\n".join(chosen.comments())
    assert "without black and white pixels, without keyframes 1,4" in settings
    assert "one unit of length is 2.5 m" in settings


def test_the_options_of_a_selection_choose_the_same(keyframes: list[Keyframe]) -> None:
    keyframes[1].image[:10] = 4
    chosen = Selection(
        keyframes,
        quantile=0.25,
        fuse=0.02,
        crop=((-1, -1, 0), (1, 1, 9)),
        masks=("black",),
        without=(2,),
        metres_per_unit=0.5,
    )
    parser = Parser()
    add_selection(parser)
    again = selected(parser.parse_args(chosen.arguments()), keyframes)
    np.testing.assert_array_equal(again.cloud.points, chosen.cloud.points)
    assert again.comments() == chosen.comments()


@pytest.mark.parametrize(
    ("options", "what"),
    [
        (["--masks", "sky,grass"], "'grass' is none of sky, black, white"),
        (["--without", "0"], "not a whole number"),
        (["--without", "2,9"], "--without 9: there are 4 keyframes"),
        (["--without", "1,2,3,4"], "leaves no keyframe"),
        (["--metres-per-unit", "-1"], "not a number above 0"),
    ],
)
def test_options_that_choose_nothing_are_one_line(
    options: list[str], what: str, keyframes: list[Keyframe]
) -> None:
    parser = Parser()
    add_selection(parser)
    with pytest.raises(AppError, match=what):
        selected(parser.parse_args(options), keyframes)


def outside(folder: Path) -> None:
    cameras = json.loads((folder / "cameras.json").read_text())
    cameras["frames"][1]["rgb"] = "../stolen.png"
    (folder / "cameras.json").write_text(json.dumps(cameras))


@pytest.mark.parametrize(
    ("harm", "what"),
    [
        (lambda folder: (folder / "cameras.json").unlink(), "No such file"),
        (lambda folder: (folder / "cameras.json").write_text("[]"), "not a reconstruction"),
        (lambda folder: (folder / "depth/000002.png").write_bytes(b"no"), "is not an image"),
        (lambda folder: (folder / "depth/000002.png").unlink(), "No such file"),
        (outside, "lies outside"),
    ],
)
def test_a_damaged_reconstruction_is_one_line(
    harm: Callable[[Path], None], what: str, keyframes: list[Keyframe], tmp_path: Path
) -> None:
    write_reconstruction(tmp_path, Selection(keyframes))
    harm(tmp_path)
    with pytest.raises(AppError, match=what) as error:
        read_reconstruction(tmp_path)
    assert "\n" not in str(error.value)


def test_depth_colours() -> None:
    colors = color_depth(np.array([[1, 2, 4, 0]], np.float32), near=1, far=4).astype(int)
    near, _, far, none = colors[0]
    assert near[0] > near[2]  # warm
    assert far[2] >= far[0]  # cold
    assert none.tolist() == [0, 0, 0]


def test_picture_shows_cloud_and_cameras(keyframes: list[Keyframe]) -> None:
    for keyframe in keyframes:
        keyframe.image[:] = (150, 150, 150)
    cloud = build_cloud(keyframes)
    with_cameras = render_picture(cloud, keyframes, (180, 240)).astype(int)
    assert with_cameras.shape == (180, 240, 3)
    grey = np.ptp(with_cameras, axis=2) <= 8
    wall = grey & (with_cameras[..., 0] > 80)
    frustums = np.ptp(with_cameras, axis=2) > 80
    assert 0.1 < wall.mean() < 0.9
    assert 0.005 < frustums.mean() < 0.3


@pytest.mark.parametrize("count", [1, 2])
def test_picture_of_very_little(count: int) -> None:
    keyframes = [make_keyframe(0) for _ in range(count)]
    empty = build_cloud([])
    assert render_picture(empty, keyframes, (60, 80)).shape == (60, 80, 3)
    assert render_picture(build_cloud(keyframes), keyframes, (60, 80)).std() > 5


def test_written_file_replaces_the_old_one(tmp_path: Path) -> None:
    write_file(tmp_path / "a", b"old")
    write_file(tmp_path / "a", b"new")
    assert (tmp_path / "a").read_bytes() == b"new"
    with pytest.raises(FileNotFoundError) as caught:
        write_file(tmp_path / "absent" / "a", b"new")
    assert caught.value.filename == str(tmp_path / "absent" / "a")
    assert [file.name for file in tmp_path.iterdir()] == ["a"]


def test_new_folder_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    place = tmp_path / "deep" / "out"
    with new_folder(place) as folder:
        (folder / "one").write_text("1")
        assert not place.exists()
    with pytest.raises(FileNotFoundError), new_folder(place) as folder:
        (folder / "absent" / "two").write_text("2")
    assert [file.name for file in place.iterdir()] == ["one"]
    with new_folder(place) as folder:
        (folder / "two").write_text("2")
    assert [file.name for file in place.iterdir()] == ["two"]
    assert [file.name for file in place.parent.iterdir()] == ["out"]


def test_what_a_folder_would_have_replaced_comes_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "out"
    place.mkdir()
    (place / "old").touch()
    rename = Path.rename

    def fail_for_the_new_one(self: Path, target: Path) -> Path:
        if target == place and not self.name.endswith(".old"):
            raise PermissionError(13, "Permission denied", str(self))
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", fail_for_the_new_one)
    with pytest.raises(PermissionError) as caught, new_folder(place):
        pass
    assert caught.value.filename == str(place)
    assert [file.name for file in place.iterdir()] == ["old"]
    assert [file.name for file in tmp_path.iterdir()] == ["out"]
