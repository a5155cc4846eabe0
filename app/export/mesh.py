"""A coloured surface through the depth maps, by a truncated signed distance field."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from app.errors import AppError
from app.export.points import GLTF_AXES, glb_bytes, ply_comments
from app.export.selection import Selection, median_depth
from app.files import write_file
from app.geometry import to_homogeneous

_FARTHEST = 4.0  # median depths
_TRUNCATION = 4.0  # cells
_SMALLEST_PART = 0.002  # of all triangles; smaller parts float in the air


def write_mesh(path: Path, selection: Selection, glb: bool = False) -> None:
    """PLY, or GLB in glTF's axes. Raises AppError if no surface is left.

    TSDF fusion (Curless and Levoy 1996) by Open3D, in cells of `selection.voxel` or, where that
    is too fine for the depth maps, of what they bear.
    """
    import trimesh

    mesh = _fuse(selection)
    vertices, faces = np.asarray(mesh.vertices), np.asarray(mesh.triangles)
    if not len(faces):
        raise AppError("no surface is left: lower the confidence quantile or widen the crop box")
    colors = np.rint(255 * np.asarray(mesh.vertex_colors)).astype(np.uint8)
    if glb:
        surface = trimesh.Trimesh(vertices * GLTF_AXES, faces, vertex_colors=colors, process=False)
        write_file(path, glb_bytes(trimesh.Scene({"mesh": surface}), selection.comments()))
        return
    surface = trimesh.Trimesh(vertices, faces, vertex_colors=colors, process=False)
    first, rest = surface.export(file_type="ply").split(b"\nelement ", 1)
    comments = "\n".join(ply_comments(selection.comments())).encode()
    write_file(path, first + b"\n" + comments + b"\nelement " + rest)


def _fuse(selection: Selection) -> Any:
    """Open3D's triangle mesh of the selection, in the world."""
    import open3d as o3d
    from open3d.core import Tensor, float32

    keyframes = selection.keyframes
    reach = median_depth(keyframes)
    # Where cells are thinner than pixels are wide, the surface is all holes.
    pixel = reach * float(np.median([1 / k.intrinsic[0, 0] for k in keyframes]))
    channels: Any = (1, 1, 3)
    grid = o3d.t.geometry.VoxelBlockGrid(
        attr_names=("tsdf", "weight", "color"),
        attr_dtypes=(float32, float32, float32),
        attr_channels=channels,
        voxel_size=max(selection.voxel, 2 * pixel),
        block_resolution=16,
        block_count=10_000,
    )
    for keyframe in keyframes:
        depth = o3d.t.geometry.Image(selection.depth(keyframe))
        color = o3d.t.geometry.Image(keyframe.image.astype(np.float32) / 255)
        camera = Tensor(keyframe.intrinsic.astype(np.float64))
        pose = Tensor(to_homogeneous(keyframe.extrinsic).astype(np.float64))
        reached = (1.0, _FARTHEST * reach, _TRUNCATION)  # scale and limit of depth, truncation
        blocks = grid.compute_unique_block_coordinates(depth, camera, pose, *reached)
        grid.integrate(blocks, depth, color, camera, camera, pose, *reached)
    # What one view alone has seen is often wrong.
    mesh = grid.extract_triangle_mesh(weight_threshold=min(len(keyframes), 2) - 0.5).to_legacy()
    if not mesh.has_triangles():
        return mesh
    smallest = _SMALLEST_PART * len(mesh.triangles)
    part, sizes, _ = mesh.cluster_connected_triangles()
    mesh.remove_triangles_by_mask(np.asarray(sizes)[np.asarray(part, int)] < smallest)
    if selection.crop is not None:
        mesh = mesh.crop(o3d.geometry.AxisAlignedBoundingBox(*map(np.array, selection.crop)))
    mesh.remove_unreferenced_vertices()
    return mesh
