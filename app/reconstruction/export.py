"""Writes a reconstruction to files."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.reconstruction.cloud import PointCloud
from app.reconstruction.keyframe import Keyframe


def write_cameras_json(path: Path, keyframes: Sequence[Keyframe]) -> None:
    """Cameras as JSON; the file states its conventions."""
    raise NotImplementedError


def write_tum(path: Path, keyframes: Sequence[Keyframe]) -> None:
    """Trajectory in TUM form: time tx ty tz qx qy qz qw, camera in world."""
    raise NotImplementedError


def write_ply(path: Path, cloud: PointCloud, comments: Sequence[str] = ()) -> None:
    """Binary little-endian PLY with colours; comments go into the header."""
    raise NotImplementedError


def write_depth_png(path: Path, depth: NDArray[np.float32], scale: float) -> None:
    """Depth as 16-bit PNG: value = depth * scale, rounded and limited to 65535; 0 = none."""
    raise NotImplementedError


def color_depth(depth: NDArray[np.float32], near: float, far: float) -> NDArray[np.uint8]:
    """Depth [H,W] as a colour picture [H,W,3]; near is warm, far is cold, 0 is black."""
    raise NotImplementedError


def render_picture(
    cloud: PointCloud, keyframes: Sequence[Keyframe], size: tuple[int, int] = (900, 1200)
) -> NDArray[np.uint8]:
    """Picture [H,W,3] of the cloud with its cameras, drawn without a display."""
    raise NotImplementedError
