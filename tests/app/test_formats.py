"""Exports, read back with the libraries of the programs that they are for."""

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose
from numpy.typing import NDArray
from walls import SIZE, make_keyframe

from app.cli import main
from app.errors import AppError
from app.export import FORMATS, Selection, export_as, write_reconstruction
from app.geometry import quaternion_to_matrix
from app.reconstruction import Keyframe

ORIGIN = ("made by: a test of été",)
PIXEL = (10, 20)  # row and column of a point that is looked for


@pytest.fixture
def selection() -> Selection:
    """One camera of four is turned: conventions that are mixed up would not show otherwise."""
    keyframes = [make_keyframe(i) for i in range(4)]
    turn = quaternion_to_matrix(np.array([0.05, -0.1, 0.02, 0.99]))
    keyframes[1].extrinsic = np.column_stack([turn, [0.1, 0.2, 0.3]]).astype(np.float32)
    return Selection(keyframes, quantile=0.2, origin=ORIGIN)


def point_of(keyframe: Keyframe) -> NDArray[np.float64]:
    """The point in the world that the keyframe sees at PIXEL, from first principles."""
    row, column = PIXEL
    depth = float(keyframe.depth[PIXEL])
    ray = np.linalg.inv(keyframe.intrinsic.astype(np.float64)) @ [column, row, 1]
    rotation, translation = np.split(keyframe.extrinsic.astype(np.float64), [3], axis=1)
    point: NDArray[np.float64] = rotation.T @ (depth * ray - translation[:, 0])
    return point


@pytest.mark.parametrize("name", ["colmap", "colmap-text"])
def test_colmap(name: str, selection: Selection, tmp_path: Path) -> None:
    import pycolmap

    export_as(name, tmp_path / "model", selection)
    suffix = ".txt" if name == "colmap-text" else ".bin"
    assert (tmp_path / "model/sparse/0/cameras").with_suffix(suffix).is_file()
    model = pycolmap.Reconstruction(tmp_path / "model/sparse/0")
    assert model.num_reg_images() == 4
    cloud = selection.cloud
    points = np.array([point.xyz for point in model.points3D.values()])
    assert_allclose(np.sort(points, axis=0), np.sort(cloud.points, axis=0), atol=1e-5)
    for keyframe, number in zip(selection.keyframes, sorted(model.images), strict=True):
        image = model.images[number]
        assert (tmp_path / "model/images" / image.name).is_file()
        row, column = PIXEL
        # COLMAP counts pixels from the corner of the first one.
        assert_allclose(
            image.project_point(point_of(keyframe)), [column + 0.5, row + 0.5], atol=1e-3
        )


def test_nerfstudio(selection: Selection, tmp_path: Path) -> None:
    from app.capture._cv2 import cv2

    export_as("nerfstudio", tmp_path / "scene", selection)
    document = json.loads((tmp_path / "scene/transforms.json").read_text())
    assert ORIGIN[0] in document["comments"]
    assert (tmp_path / "scene" / document["ply_file_path"]).is_file()
    row, column = PIXEL
    for frame, keyframe in zip(document["frames"], selection.keyframes, strict=True):
        assert (tmp_path / "scene" / frame["file_path"]).is_file()
        # The ray through the middle of a pixel as nerfstudio makes it: y up, z backward.
        x = (column + 0.5 - frame["cx"]) / frame["fl_x"]
        y = (row + 0.5 - frame["cy"]) / frame["fl_y"]
        depth = float(keyframe.depth[PIXEL])
        pose = np.array(frame["transform_matrix"])
        point = pose[:3, :3] @ (depth * np.array([x, -y, -1])) + pose[:3, 3]
        assert_allclose(point, point_of(keyframe), atol=1e-5)
        path = tmp_path / "scene" / frame["depth_file_path"]
        image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        assert_allclose(image / 1000, selection.depth(keyframe), atol=1e-3)
        assert (image == 0).mean() > 0.15  # what is not confident is left out


def test_glb(selection: Selection, tmp_path: Path) -> None:
    import trimesh

    export_as("glb", tmp_path / "scene.glb", selection)
    scene = trimesh.load(tmp_path / "scene.glb")
    points = scene.geometry["points"].vertices * [1, -1, -1]  # glTF has y up, z backward
    cloud = selection.cloud
    assert_allclose(np.sort(points, axis=0), np.sort(cloud.points, axis=0), atol=1e-5)
    corners = scene.geometry["cameras"].vertices * [1, -1, -1]
    for keyframe in selection.keyframes:
        centre = keyframe.world_from_camera[:3, 3]
        assert np.linalg.norm(corners - centre, axis=1).min() < 1e-5
    assert json.dumps(ORIGIN[0]).encode() in (tmp_path / "scene.glb").read_bytes()


def test_tum(selection: Selection, tmp_path: Path) -> None:
    from evo.tools import file_interface

    export_as("tum", tmp_path / "path.txt", selection)
    path = file_interface.read_tum_trajectory_file(tmp_path / "path.txt")
    poses = [keyframe.world_from_camera for keyframe in selection.keyframes]
    assert_allclose(path.poses_se3, poses, atol=1e-6)
    assert_allclose(path.timestamps, [keyframe.time for keyframe in selection.keyframes])


def test_npz(selection: Selection, tmp_path: Path) -> None:
    export_as("npz", tmp_path / "scene.npz", selection)
    with np.load(tmp_path / "scene.npz", allow_pickle=False) as arrays:
        np.testing.assert_array_equal(arrays["image"][2], selection.keyframes[2].image)
        np.testing.assert_array_equal(arrays["depth"][2], selection.depth(selection.keyframes[2]))
        np.testing.assert_array_equal(arrays["extrinsic"][1], selection.keyframes[1].extrinsic)
        assert arrays["points"].shape == arrays["colors"].shape == (len(selection.cloud.points), 3)
        assert list(arrays["comments"]) == selection.comments()


def smooth() -> Selection:
    """Cameras that all look straight at the wall, and are sure."""
    keyframes = [make_keyframe(i) for i in range(3)]
    for keyframe in keyframes:
        keyframe.confidence[:] = 5
        keyframe.image[:] = (200, 100, 50)
    return Selection(keyframes, origin=ORIGIN)


@pytest.mark.parametrize(("name", "kind"), [("mesh", "ply"), ("mesh-glb", "glb")])
def test_surface(name: str, kind: str, tmp_path: Path) -> None:
    import trimesh

    path = tmp_path / "whatever.it.is.called"
    export_as(name, path, smooth())
    mesh = trimesh.load(path, file_type=kind, force="mesh")
    vertices = mesh.vertices * ([1, 1, 1] if kind == "ply" else [1, -1, -1])
    off = np.minimum(abs(vertices[:, 2] - 2), abs(vertices[:, 2] - 3))
    assert np.quantile(off, 0.9) < 0.01
    assert_allclose(np.median(mesh.visual.vertex_colors[:, :3], axis=0), [200, 100, 50], atol=2)
    assert ORIGIN[0].split()[0].encode() in path.read_bytes()


def test_open3d_reads_the_surface_in_its_box(tmp_path: Path) -> None:
    import open3d as o3d

    box = ((-0.4, -0.4, 1.0), (0.2, 0.3, 4.0))
    export_as("mesh", tmp_path / "mesh.ply", Selection(smooth().keyframes, crop=box))
    vertices = np.asarray(o3d.io.read_triangle_mesh(str(tmp_path / "mesh.ply")).vertices)
    assert len(vertices) > 40
    assert (vertices >= np.array(box[0]) - 1e-6).all()
    assert (vertices <= np.array(box[1]) + 1e-6).all()


def test_crop_and_fuse(selection: Selection) -> None:
    box = ((-1.0, -1.0, 2.5), (1.0, 1.0, 3.5))
    cropped = Selection(selection.keyframes[2:], crop=box).cloud
    assert len(cropped.points) > 0
    assert (cropped.points >= box[0]).all()
    assert (cropped.points <= box[1]).all()
    assert len(Selection(selection.keyframes, fuse=0.2).cloud.points) < 200


@pytest.mark.parametrize("name", FORMATS)
def test_nothing_left_is_one_line(name: str, selection: Selection, tmp_path: Path) -> None:
    if name == "tum":
        pytest.skip("a trajectory needs no points")
    far = Selection(selection.keyframes, crop=((90, 90, 90), (91, 91, 91)))
    with pytest.raises(AppError, match="no point is left"):
        export_as(name, tmp_path / "out", far)
    assert not any(tmp_path.iterdir())


def test_what_is_there_is_not_replaced(selection: Selection, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/letter.txt").write_text("dear")
    with pytest.raises(AppError, match="holds other things"):
        export_as("colmap", tmp_path / "mine", selection)
    with pytest.raises(AppError, match="is a folder"):
        export_as("ply", tmp_path / "mine", selection)
    assert (tmp_path / "mine/letter.txt").read_text() == "dear"
    for _ in range(2):  # an earlier export is replaced
        export_as("colmap", tmp_path / "model", selection)


def test_a_write_that_fails_leaves_nothing(
    selection: Selection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("app.export.nerfstudio.write_ply", full)
    with pytest.raises(OSError, match="No space left"):
        export_as("nerfstudio", tmp_path / "scene", selection)
    assert not any(tmp_path.iterdir())


def test_command(selection: Selection, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "room").mkdir()
    write_reconstruction(tmp_path / "room", selection)
    out = tmp_path / "été.ply"
    arguments = ["export", str(tmp_path / "room"), "--out", str(out), "--crop=-9,-9,0,9,9,2.5"]
    assert main([*arguments, "--format", "ply"]) == 0
    header = out.read_bytes().split(b"end_header")[0]
    assert b"crop -9,-9,0,9,9,2.5" in header
    assert b"exported by: python -m app export" in header
    assert str(out) in capsys.readouterr().out
    for wrong, message in (
        (["--crop", "1,2,3"], "is not x0,y0,z0,x1,y1,z1"),
        (["--crop", "1,1,1,0,2,2"], "is not a box"),
        (["--format", "obj"], "invalid choice"),
    ):
        assert main([*arguments, "--format", "ply", *wrong]) == 2
        said = capsys.readouterr().err
        assert message in said
        assert said.count("\n") == 1


def test_sizes_are_those_of_the_images(selection: Selection) -> None:
    assert selection.depth(selection.keyframes[0]).shape == SIZE
