"""Writes a reconstruction to files, each of them whole or not at all. All raise OSError."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.capture._cv2 import cv2
from app.files import write_file
from app.geometry import matrix_to_quaternion
from app.reconstruction.cloud import PointCloud, build_cloud
from app.reconstruction.keyframe import Keyframe
from app.reconstruction.picture import render_picture

CONVENTION = (
    "c2w 4x4 camera-to-world, OpenCV camera axes (x right, y down, z forward); world = first "
    "keyframe's camera, lengths in the network's own scale; K 3x3 in pixels of the image in rgb/ "
    "(pixel centres at integers); depth uint16 = depth along z * depth_scale, 0 = none"
)


def write_reconstruction(
    folder: Path,
    keyframes: Sequence[Keyframe],
    quantile: float,
    voxel: float,
    comments: Sequence[str] = (),
) -> int:
    """Write all files of a reconstruction into a folder; returns the number of points.

    quantile: share of the least confident points to leave out of each keyframe; voxel: cells of
    the cloud as a fraction of the median depth; comments: lines for the header of the PLY.
    """
    scale = depth_png_scale(keyframes)
    near, far = depth_range(keyframes)
    for name in ("rgb", "depth", "depth_color"):
        (folder / name).mkdir()
    for keyframe in keyframes:
        name = file_name(keyframe)
        write_png(folder / "rgb" / name, keyframe.image)
        write_depth_png(folder / "depth" / name, keyframe.depth, scale)
        write_png(folder / "depth_color" / name, color_depth(keyframe.depth, near, far))
    write_cameras_json(folder / "cameras.json", keyframes, scale)
    write_tum(folder / "trajectory.txt", keyframes)
    side = voxel * float(np.median([np.median(keyframe.depth) for keyframe in keyframes]))
    cloud = build_cloud(keyframes, quantile, side)
    shown = f"confidence quantile {quantile:g}, voxel {side:g}, world = first keyframe's camera"
    write_ply(folder / "cloud.ply", cloud, [shown, *comments])
    write_png(folder / "picture.png", render_picture(cloud, keyframes))
    return len(cloud.points)


def write_cameras_json(path: Path, keyframes: Sequence[Keyframe], depth_scale: float) -> None:
    """Cameras as JSON; the file states its conventions. depth_scale: of the depth PNGs."""
    frames = []
    for keyframe in keyframes:
        height, width = keyframe.depth.shape
        frames.append(
            {
                "rgb": f"rgb/{file_name(keyframe)}",
                "depth": f"depth/{file_name(keyframe)}",
                "source": keyframe.name,
                "index": keyframe.index,
                "time": keyframe.time,
                "K": keyframe.intrinsic.tolist(),
                "c2w": keyframe.world_from_camera.tolist(),
                "w": width,
                "h": height,
            }
        )
    document = {
        "convention": CONVENTION,
        "metric": False,
        "depth_scale": depth_scale,
        "frames": frames,
    }
    write_file(path, json.dumps(document, indent=1).encode())


def write_tum(path: Path, keyframes: Sequence[Keyframe]) -> None:
    """Trajectory in TUM form: time tx ty tz qx qy qz qw, camera in world."""
    lines = ["# time tx ty tz qx qy qz qw (camera in world, network scale)"]
    for keyframe in keyframes:
        pose = keyframe.world_from_camera
        numbers = [*pose[:3, 3], *matrix_to_quaternion(pose[:3, :3])]
        lines.append(" ".join([f"{keyframe.time:.6f}", *(f"{number:.8f}" for number in numbers)]))
    write_file(path, ("\n".join(lines) + "\n").encode())


def write_ply(path: Path, cloud: PointCloud, comments: Sequence[str] = ()) -> None:
    """Binary little-endian PLY with colours; comments, one line each, go into the header."""
    vertex = np.dtype([("xyz", "<f4", 3), ("rgb", "u1", 3)])
    vertices = np.empty(len(cloud.points), vertex)
    vertices["xyz"], vertices["rgb"] = cloud.points, cloud.colors
    header = ["ply", "format binary_little_endian 1.0"]
    header += [f"comment {' '.join(comment.split())}" for comment in comments]
    header += [f"element vertex {len(vertices)}"]
    header += [f"property float {axis}" for axis in "xyz"]
    header += [f"property uchar {color}" for color in ("red", "green", "blue")]
    header += ["end_header", ""]
    # The header of a PLY is ASCII; paths in comments may not be.
    write_file(path, "\n".join(header).encode("ascii", "backslashreplace") + vertices.tobytes())


def write_depth_png(path: Path, depth: NDArray[np.float32], scale: float) -> None:
    """Depth as 16-bit PNG: value = depth * scale, rounded and limited to 65535; 0 = none."""
    write_png(path, np.clip(np.rint(depth * scale), 0, 65535).astype(np.uint16))


def write_png(path: Path, image: NDArray[np.uint8] | NDArray[np.uint16]) -> None:
    """A picture [H,W,3] in RGB or a map [H,W] as PNG."""
    if image.ndim == 3:
        image = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    write_file(path, cv2.imencode(".png", image)[1].tobytes())


def color_depth(depth: NDArray[np.float32], near: float, far: float) -> NDArray[np.uint8]:
    """Depth [H,W] as a colour picture [H,W,3]; near is warm, far is cold, 0 is black."""
    # Even steps of the logarithm: 10 % of the depth is the same change of colour everywhere.
    place = np.log(np.maximum(depth, 1e-9) / near) / max(np.log(far / near), 1e-9)
    value = np.rint(255 * (1 - np.clip(place, 0, 1))).astype(np.uint8)
    colored = cv2.applyColorMap(value, cv2.COLORMAP_TURBO)[..., ::-1].copy()
    colored[depth <= 0] = 0
    return colored


def depth_range(keyframes: Sequence[Keyframe]) -> tuple[float, float]:
    """Near and far depth that leave out the outermost two percent on each side."""
    depths = np.concatenate([keyframe.depth[::4, ::4].ravel() for keyframe in keyframes])
    near, far = np.quantile(depths, (0.02, 0.98))
    return float(near), float(far)


def depth_png_scale(keyframes: Sequence[Keyframe]) -> float:
    """The largest power of ten at which every depth fits into 16 bits."""
    deepest = max(float(keyframe.depth.max()) for keyframe in keyframes)
    return float(10.0 ** np.floor(np.log10(65535 / deepest)))


def file_name(keyframe: Keyframe) -> str:
    """Name of the pictures of a keyframe."""
    return f"{keyframe.index:06d}.png"
