"""Our own folder of a reconstruction: written whole or not at all, and read again."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.capture._cv2 import cv2
from app.errors import AppError
from app.export.images import (
    color_depth,
    depth_png_scale,
    depth_range,
    file_name,
    write_depth_png,
    write_png,
)
from app.export.points import write_ply, write_tum
from app.export.selection import Selection
from app.files import write_file
from app.geometry import invert_se3
from app.reconstruction.cloud import confidence_rank
from app.reconstruction.keyframe import Keyframe
from app.reconstruction.picture import render_picture

CAMERAS = "cameras.json"
CONVENTION = (
    "c2w 4x4 camera-to-world, OpenCV camera axes (x right, y down, z forward); world = first "
    "keyframe's camera, lengths in the network's own scale; K 3x3 in pixels of the image in rgb/ "
    "(pixel centres at integers); depth uint16 = depth along z * depth_scale, 0 = none; confidence "
    "uint8 = place of a pixel in its image by the network's confidence, 0 lowest"
)


def write_reconstruction(folder: Path, selection: Selection) -> int:
    """Write all files of a reconstruction into a folder; returns the number of points.

    The cloud and its picture have what is selected; images, depth and cameras are whole. Raises
    OSError.
    """
    keyframes = selection.keyframes
    scale = depth_png_scale(keyframes)
    near, far = depth_range(keyframes)
    for name in ("rgb", "depth", "depth_color", "confidence"):
        (folder / name).mkdir()
    for keyframe in keyframes:
        name = file_name(keyframe)
        write_png(folder / "rgb" / name, keyframe.image)
        write_depth_png(folder / "depth" / name, keyframe.depth, scale)
        write_png(folder / "depth_color" / name, color_depth(keyframe.depth, near, far))
        write_png(folder / "confidence" / name, confidence_rank(keyframe.confidence))
    write_cameras_json(folder / CAMERAS, keyframes, scale)
    write_tum(folder / "trajectory.txt", keyframes, selection.comments())
    cloud = selection.cloud
    write_ply(folder / "cloud.ply", cloud, selection.comments())
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
                "confidence": f"confidence/{file_name(keyframe)}",
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


def read_reconstruction(folder: Path) -> list[Keyframe]:
    """The keyframes of a folder that `write_reconstruction` wrote; depths to 16 bit.

    Their confidence is the place of a pixel in its image, from 1 up. Raises AppError if the folder
    is not one or is damaged.
    """
    try:
        document = json.loads((folder / CAMERAS).read_text("utf-8"))
        scale = float(document["depth_scale"])
        keyframes = [_read_keyframe(folder, frame, scale) for frame in document["frames"]]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise AppError(f"{folder} is not a reconstruction of this program: {error}") from None
    if not keyframes:
        raise AppError(f"{folder} has no keyframes")
    return keyframes


def _read_keyframe(folder: Path, frame: dict[str, Any], scale: float) -> Keyframe:
    pose = np.array(frame["c2w"], np.float64).reshape(4, 4)
    image = _read_png(folder, frame["rgb"], cv2.IMREAD_COLOR_RGB)
    depth = _read_png(folder, frame["depth"], cv2.IMREAD_UNCHANGED)
    place = _read_png(folder, frame["confidence"], cv2.IMREAD_UNCHANGED)
    if depth.dtype != np.uint16 or not depth.shape == place.shape == image.shape[:2]:
        raise ValueError(f"the pictures of {frame['rgb']} do not belong together")
    return Keyframe(
        index=int(frame["index"]),
        time=float(frame["time"]),
        name=str(frame["source"]),
        image=image,
        extrinsic=invert_se3(pose[:3]).astype(np.float32),
        intrinsic=np.array(frame["K"], np.float32).reshape(3, 3),
        depth=(depth / scale).astype(np.float32),
        confidence=1 + place.astype(np.float32),
    )


def _read_png(folder: Path, name: str, mode: int) -> NDArray[Any]:
    file = (folder / name).resolve()
    if not file.is_relative_to(folder.resolve()):
        raise ValueError(f"{name} lies outside the folder")
    image: NDArray[Any] | None = cv2.imdecode(np.fromfile(file, np.uint8), mode)
    if image is None:
        raise ValueError(f"{name} is not an image")
    return image
