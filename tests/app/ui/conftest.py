"""Shared by the tests of the app: a Qt application without a display, and a room to look at."""

import os

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import numpy as np
import pytest
from numpy.typing import NDArray
from PySide6.QtWidgets import QApplication


class Room:
    """A textured box room with exact depth, seen on a walk along an arc (OpenCV axes, metres)."""

    size = (56, 84)
    half = np.array([3.0, 1.5, 3.0])
    walls = np.array(
        [
            [208, 92, 80],
            [96, 160, 112],
            [104, 128, 200],
            [200, 176, 96],
            [152, 104, 176],
            [96, 176, 184],
        ]
    )
    """Colours of the sides -x, x, -y (ceiling), y (floor), -z, z."""

    def __init__(self, size: tuple[int, int] = size) -> None:
        self.size = size
        height, width = size
        focal = 0.5 * width / np.tan(np.radians(30))
        self.intrinsic = np.array([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1.0]])
        u, v = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
        self.rays = np.stack([u, v, np.ones_like(u)], -1) @ np.linalg.inv(self.intrinsic).T

    def pose(self, step: float) -> NDArray[np.float64]:
        """World-from-camera [4,4]; step from 0 to 1."""
        angle = np.radians(-25 + 50 * step)
        pose = np.eye(4)
        pose[0, [0, 2]] = np.cos(angle), np.sin(angle)
        pose[2, [0, 2]] = -np.sin(angle), np.cos(angle)
        pose[:3, 3] = [1.2 * step - 0.6, 0.1 * np.sin(3 * step), -1.5 + 0.4 * step]
        return pose

    def render(self, pose: NDArray[np.float64]) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        """Image [H,W,3] and z-depth [H,W]."""
        rays = self.rays @ pose[:3, :3].T
        with np.errstate(divide="ignore"):
            distances = (np.sign(rays) * self.half - pose[:3, 3]) / rays
        axis = np.argmin(distances, axis=-1)
        depth = np.min(distances, axis=-1)
        hit = pose[:3, 3] + depth[..., None] * rays
        far_side = np.take_along_axis(rays, axis[..., None], -1)[..., 0] > 0
        across = np.where(axis == 0, hit[..., 2], hit[..., 0])
        along = np.where(axis == 1, hit[..., 2], hit[..., 1])
        checker = 0.75 + 0.25 * ((np.floor(2 * across) + np.floor(2 * along)) % 2)
        fine = 0.9 + 0.1 * np.sin(23 * across) * np.sin(17 * along)
        image = self.walls[2 * axis + far_side] * (checker * fine)[..., None]
        return image.astype(np.uint8), depth.astype(np.float32)

    def camera_points(self, depth: NDArray[np.float32]) -> NDArray[np.float32]:
        """Points [H*W,3] in the camera's frame."""
        return (self.rays * depth[..., None]).reshape(-1, 3).astype(np.float32)


@pytest.fixture
def room() -> Room:
    return Room()


@pytest.fixture(scope="session")
def qt() -> QApplication:
    application = QApplication.instance() or QApplication([])
    assert isinstance(application, QApplication)
    return application
