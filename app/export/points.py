"""Point clouds as PLY and GLB, the path of the camera as a TUM file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.export.selection import WORLD, Selection, median_depth
from app.files import write_file
from app.geometry import frustum, matrix_to_quaternion, transform_points
from app.reconstruction.cloud import PointCloud
from app.reconstruction.keyframe import Keyframe

# glTF has y up and looks along -z.
GLTF_AXES = np.array([1, -1, -1], np.float32)
_FRUSTUM = 0.08  # depth of a drawn camera, in median depths
_FRUSTUM_COLOR = (235, 90, 60, 255)


def write_ply(path: Path, cloud: PointCloud, comments: Sequence[str] = ()) -> None:
    """Binary little-endian PLY with colours; comments, one line each, go into the header."""
    vertex = np.dtype([("xyz", "<f4", 3), ("rgb", "u1", 3)])
    vertices = np.empty(len(cloud.points), vertex)
    vertices["xyz"], vertices["rgb"] = cloud.points, cloud.colors
    header = ["ply", "format binary_little_endian 1.0", *ply_comments(comments)]
    header += [f"element vertex {len(vertices)}"]
    header += [f"property float {axis}" for axis in "xyz"]
    header += [f"property uchar {color}" for color in ("red", "green", "blue")]
    header += ["end_header", ""]
    write_file(path, "\n".join(header).encode("ascii") + vertices.tobytes())


def ply_comments(comments: Sequence[str]) -> list[str]:
    """Lines of a PLY's header, which is ASCII: paths in comments may not be."""
    lines = [f"comment {' '.join(comment.split())}" for comment in comments]
    return [line.encode("ascii", "backslashreplace").decode() for line in lines]


def write_glb(path: Path, selection: Selection) -> None:
    """Binary glTF with the points, and the cameras as lines; in glTF's axes, y up."""
    import trimesh
    from trimesh.path import Path3D
    from trimesh.path.entities import Line

    cloud = selection.cloud
    points = trimesh.PointCloud(cloud.points * GLTF_AXES, cloud.colors)
    ends = (_frustum_lines(selection.keyframes) * GLTF_AXES).reshape(-1, 3)
    # trimesh.load_path would join them, which takes scipy.
    segments = [Line(pair) for pair in np.arange(len(ends)).reshape(-1, 2)]
    colors = np.tile(np.array(_FRUSTUM_COLOR, np.uint8), (len(segments), 1))
    lines = Path3D(segments, ends, colors=colors, process=False)
    scene = trimesh.Scene({"points": points, "cameras": lines})
    write_file(path, glb_bytes(scene, selection.comments()))


def glb_bytes(scene: Any, comments: Sequence[str]) -> bytes:
    """A trimesh scene as glTF, its comments among the extras of the asset."""
    from trimesh.exchange.gltf import export_glb

    def note(tree: dict[str, Any]) -> None:
        tree["asset"]["extras"] = {"comments": list(comments)}

    data: bytes = export_glb(scene, tree_postprocessor=note)
    return data


def _frustum_lines(keyframes: Sequence[Keyframe]) -> NDArray[np.float32]:
    """Segments [N, 2, 3] of the cameras' pyramids, in the world."""
    length = _FRUSTUM * median_depth(keyframes)
    parts = [
        transform_points(k.world_from_camera[:3], frustum(k.intrinsic, k.depth.shape, length))
        for k in keyframes
    ]
    return np.concatenate(parts).reshape(-1, 2, 3)


def write_tum(path: Path, keyframes: Sequence[Keyframe], comments: Sequence[str] = ()) -> None:
    """Trajectory in TUM form: time tx ty tz qx qy qz qw, camera in world."""
    lines = [f"# {' '.join(comment.split())}" for comment in comments or [WORLD]]
    lines.append("# time tx ty tz qx qy qz qw")
    for keyframe in keyframes:
        pose = keyframe.world_from_camera
        numbers = [*pose[:3, 3], *matrix_to_quaternion(pose[:3, :3])]
        lines.append(" ".join([f"{keyframe.time:.6f}", *(f"{number:.8f}" for number in numbers)]))
    write_file(path, ("\n".join(lines) + "\n").encode())
