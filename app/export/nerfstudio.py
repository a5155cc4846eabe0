"""A nerfstudio data set: `transforms.json` with images, depth and the points to start from."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from app.export.colmap import pinhole
from app.export.images import file_name, write_depth_png, write_png
from app.export.points import write_ply
from app.export.selection import Selection
from app.files import write_file

# nerfstudio's cameras have y up and look along -z (OpenGL).
OPENGL_AXES = np.diag([1.0, -1.0, -1.0, 1.0])
# nerfstudio takes depth images in thousandths of its unit.
DEPTH_SCALE = 1000.0


def write_nerfstudio(folder: Path, selection: Selection) -> None:
    """`transforms.json`, `images/`, `depths/` and `points.ply` in a folder that exists."""
    (folder / "images").mkdir()
    (folder / "depths").mkdir()
    frames = []
    for keyframe in selection.keyframes:
        name = file_name(keyframe)
        write_png(folder / "images" / name, keyframe.image)
        write_depth_png(folder / "depths" / name, selection.depth(keyframe), DEPTH_SCALE)
        height, width = keyframe.depth.shape
        fx, fy, cx, cy = pinhole(keyframe)
        frames.append(
            {
                "file_path": f"images/{name}",
                "depth_file_path": f"depths/{name}",
                "fl_x": fx,
                "fl_y": fy,
                "cx": cx,
                "cy": cy,
                "w": width,
                "h": height,
                "transform_matrix": (keyframe.world_from_camera @ OPENGL_AXES).tolist(),
            }
        )
    write_ply(folder / "points.ply", selection.cloud, selection.comments())
    document = {
        "camera_model": "PINHOLE",
        "ply_file_path": "points.ply",
        "comments": selection.comments(),
        "frames": frames,
    }
    write_file(folder / "transforms.json", json.dumps(document, indent=1).encode())
