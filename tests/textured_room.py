"""A room with features on its walls, and an engine that knows it but drifts as windows go on."""

from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.capture._cv2 import cv2
from app.engine import EngineError, Prediction
from app.geometry import invert_se3, rotation_angle

HALF = np.array([3.0, 1.5, 3.0])
SIZE = (168, 224)
_FOCAL = 180.0
_TEXTURE = 640


class TexturedRoom:
    """A box whose sides -x, x, -y, y, -z, z have a texture each; metres, OpenCV axes."""

    def __init__(self, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        self.walls = np.stack([_texture(rng) for _ in range(6)])
        height, width = SIZE
        self.intrinsic = np.array([[_FOCAL, 0, width / 2], [0, _FOCAL, height / 2], [0, 0, 1.0]])
        u, v = np.meshgrid(np.arange(width), np.arange(height))
        self._rays = np.stack([u, v, np.ones_like(u)], -1) @ np.linalg.inv(self.intrinsic).T

    def render(self, pose: NDArray[np.float64]) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        """Image [H,W,3] and z-depth [H,W] from a camera [3,4] (world-from-camera)."""
        rays = self._rays @ pose[:, :3].T
        with np.errstate(divide="ignore"):
            distances = (np.where(rays < 0, -HALF, HALF) - pose[:, 3]) / rays
        axis, depth = np.argmin(distances, axis=-1), np.min(distances, axis=-1)
        place = (pose[:, 3] + depth[..., None] * rays) / HALF
        side = 2 * axis + (np.take_along_axis(rays, axis[..., None], -1)[..., 0] > 0)
        across = np.where(axis == 0, place[..., 2], place[..., 0])
        along = np.where(axis == 1, place[..., 2], place[..., 1])
        column, row = (
            np.clip((value + 1) / 2 * _TEXTURE, 0, _TEXTURE - 1).astype(int)
            for value in (across, along)
        )
        return self.walls[side, row, column], depth.astype(np.float32)


class DriftingEngine:
    """Finds a window's views among those known; it turns too little and grows from view to view.

    fails: so many next windows end with EngineError.
    """

    def __init__(self, room: TexturedRoom, poses: NDArray[np.float64]) -> None:
        self.bundle: Any = SimpleNamespace(name="room", size=SIZE, view_counts=[1, 2, 4])
        self.fails = 0
        self._room = room
        self.images = [room.render(pose)[0] for pose in poses]
        self._known = {
            image.tobytes(): pose for image, pose in zip(self.images, poses, strict=True)
        }

    def infer(self, images: NDArray[np.uint8]) -> Prediction:
        if self.fails:
            self.fails -= 1
            raise EngineError("the runtime ended unexpectedly")
        poses = np.array([self._known[image.tobytes()] for image in images])
        count = len(poses)
        pose = np.eye(3, 4)
        chain = [pose]
        for k, (before, after) in enumerate(pairwise(poses)):
            turn = before[:, :3].T @ after[:, :3]
            vector = cv2.Rodrigues(turn)[0] * 0.93
            shift = before[:, :3].T @ (after[:, 3] - before[:, 3]) * np.exp(0.03 * k)
            pose = np.column_stack(
                [pose[:, :3] @ cv2.Rodrigues(vector)[0], pose[:, 3] + pose[:, :3] @ shift]
            )
            chain.append(pose)
        depth = [self._room.render(p)[1] * np.exp(0.03 * k) for k, p in enumerate(poses)]
        return Prediction(
            pose_enc=np.zeros((count, 9), np.float32),
            extrinsic=invert_se3(np.array(chain)).astype(np.float32),
            intrinsic=np.tile(self._room.intrinsic.astype(np.float32), (count, 1, 1)),
            depth=np.array(depth, np.float32),
            confidence=1 + 1 / np.array(depth, np.float32),
            seconds=0.0,
        )


def look(angle: float, centre: NDArray[np.float64] | None = None) -> NDArray[np.float64]:
    """Camera [3,4] (world-from-camera) that looks so many radians to the right of +z."""
    turn = cv2.Rodrigues(np.array([0.0, angle, 0.0]))[0]
    place = np.zeros(3) if centre is None else centre
    return np.column_stack([turn, place])


def round_tour(steps: int, turns: float) -> NDArray[np.float64]:
    """Cameras [steps,3,4] on a circle about the room's middle, looking outwards."""
    angles = np.linspace(0, 2 * np.pi * turns, steps)
    path = np.array([0.8 * np.sin(angles), 0.05 * np.sin(3 * angles), 0.8 * np.cos(angles)])
    return np.array([look(a, centre) for a, centre in zip(angles, path.T, strict=True)])


def turned(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Degrees between two rotations."""
    return float(np.degrees(rotation_angle(a @ b.T)))


def _texture(rng: np.random.Generator) -> NDArray[np.uint8]:
    shape = (_TEXTURE, _TEXTURE)
    image = np.zeros((*shape, 3))
    for cells, strength in ((6, 40), (24, 45), (80, 40)):
        noise = rng.normal(scale=strength, size=(cells, cells, 3))
        image += cv2.resize(noise, shape, interpolation=cv2.INTER_CUBIC)
    return np.clip(image + rng.uniform(90, 160, 3), 0, 255).astype(np.uint8)
