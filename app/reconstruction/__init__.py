"""Keyframes to one consistent reconstruction, and its files."""

from app.reconstruction.cloud import PointCloud, build_cloud, keyframe_cloud
from app.reconstruction.fusion import FUSE, FusedCloud, fuse_keyframes
from app.reconstruction.keyframe import Keyframe
from app.reconstruction.window import Reconstructor, WindowUpdate

__all__ = [
    "FUSE",
    "FusedCloud",
    "Keyframe",
    "PointCloud",
    "Reconstructor",
    "WindowUpdate",
    "build_cloud",
    "fuse_keyframes",
    "keyframe_cloud",
]
