"""What the 3D view shows, without drawing it: clouds by keyframe, poses, the confidence cut."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.geometry import frustum
from app.reconstruction import PointCloud
from app.ui.packed_cloud import pack_points, unpack_points

SAMPLE = 512
"""Points of a keyframe that stand for it where only the extent of the scene matters."""


@dataclass
class SceneKeyframe:
    """One keyframe: packed points [N,4] in its camera's frame, in random order.

    The random order makes every prefix a fair sample of the whole.
    rank_counts [256]: how many points have a rank of at least i. size: (H, W) in pixels.
    """

    packed: NDArray[np.uint32]
    rank_counts: NDArray[np.int64]
    world_from_camera: NDArray[np.float64]
    intrinsic: NDArray[np.float64]
    size: tuple[int, int]


class Scene:
    """Keyframes by index, and the confidence quantile below which points are hidden."""

    def __init__(self) -> None:
        self.keyframes: dict[int, SceneKeyframe] = {}
        self.quantile = 0.0

    @property
    def threshold(self) -> int:
        """Lowest confidence rank that is shown, 0 to 255."""
        return int(np.ceil(self.quantile * 255))

    def set_keyframe(
        self,
        index: int,
        points: NDArray[np.float32],
        colors: NDArray[np.uint8],
        rank: NDArray[np.uint8],
        world_from_camera: NDArray[np.floating],
        intrinsic: NDArray[np.floating],
        size: tuple[int, int],
    ) -> SceneKeyframe:
        """Add or replace a keyframe: points [N,3] in its camera's frame, colors and rank [N]."""
        order = np.random.default_rng(0).permutation(len(points))
        counts = np.bincount(rank, minlength=256)
        keyframe = SceneKeyframe(
            packed=pack_points(points[order], colors[order], rank[order]),
            rank_counts=np.cumsum(counts[::-1])[::-1],
            world_from_camera=np.asarray(world_from_camera, np.float64),
            intrinsic=np.asarray(intrinsic, np.float64),
            size=size,
        )
        self.keyframes[index] = keyframe
        return keyframe

    @property
    def point_count(self) -> int:
        """Points of all keyframes."""
        return sum(len(keyframe.packed) for keyframe in self.keyframes.values())

    @property
    def shown_count(self) -> int:
        """Points that pass the confidence cut."""
        return int(sum(k.rank_counts[self.threshold] for k in self.keyframes.values()))

    def shown_cloud(self) -> PointCloud:
        """The points that pass the confidence cut, in the world frame."""
        parts = []
        for keyframe in self.keyframes.values():
            points, colors, rank = unpack_points(keyframe.packed)
            keep = rank >= self.threshold
            parts.append((_to_world(points[keep], keyframe), colors[keep], rank[keep]))
        if not parts:
            return PointCloud(
                np.empty((0, 3), np.float32), np.empty((0, 3), np.uint8), np.empty(0, np.uint8)
            )
        points, colors, rank = (np.concatenate(column) for column in zip(*parts, strict=True))
        return PointCloud(points, colors, rank)

    def centers(self) -> NDArray[np.float64]:
        """Camera centres [S,3] in the world frame, in the order of the keyframes' indices."""
        poses = [self.keyframes[index].world_from_camera for index in sorted(self.keyframes)]
        return np.array([pose[:3, 3] for pose in poses]).reshape(-1, 3)

    def sample(self) -> NDArray[np.float32]:
        """Some of the points that are shown, [N,3] in the world frame, fair to every keyframe."""
        parts = [np.empty((0, 3), np.float32)]
        for keyframe in self.keyframes.values():
            points, _, rank = unpack_points(keyframe.packed[:SAMPLE])
            parts.append(_to_world(points[rank >= self.threshold], keyframe))
        return np.concatenate(parts)


def _to_world(points: NDArray[np.float32], keyframe: SceneKeyframe) -> NDArray[np.float32]:
    pose = keyframe.world_from_camera.astype(np.float32)
    return points @ pose[:3, :3].T + pose[:3, 3]


def frustum_segments(keyframe: SceneKeyframe, length: float) -> NDArray[np.float32]:
    """Line segments [16,3] (pairs of ends) of a camera pyramid in the world frame.

    length: depth of its base in world units.
    """
    return _to_world(frustum(keyframe.intrinsic, keyframe.size, length), keyframe)
