"""What the 3D view shows, without drawing it: clouds by keyframe, poses, and what is hidden."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from app.capture._cv2 import cv2
from app.export import Selection
from app.geometry import frustum
from app.paging import paged
from app.reconstruction import FUSE, Keyframe, PointCloud, keyframe_cloud
from app.reconstruction.masks import MASKS, flags_at, mask_bits, mask_flags
from app.ui.packed_cloud import pack_points, unpack_flags, unpack_points

SAMPLE = 256
"""Points of a keyframe that stand for it where only the extent of the scene matters; fewer do of
many keyframes."""

SAMPLES = 4096
"""Points of all keyframes that do so together."""

THUMBNAIL = (48, 64)
"""Height and width in pixels; pictures of other shapes are stretched into it and back."""

Box = tuple[tuple[float, float, float], tuple[float, float, float]]
"""Lowest and highest corner in the world."""


@dataclass
class SceneKeyframe:
    """One keyframe: packed points [N,4] in its camera's frame, in random order.

    The random order makes every prefix a fair sample of the whole. counts [8,256]: how many points
    have these flags and a rank of at least this. scale: of the points about their camera, by loops
    that were closed since they were packed. size: (H, W) in pixels. frame: index in the source,
    name: of the frame there. image [H,W,3], depth [H,W], confidence [H,W]: where they were given;
    thumbnail: the image in the size of THUMBNAIL.
    """

    packed: NDArray[np.uint32]
    counts: NDArray[np.int64]
    world_from_camera: NDArray[np.float64]
    intrinsic: NDArray[np.float64]
    size: tuple[int, int]
    image: NDArray[np.uint8] | None = None
    thumbnail: NDArray[np.uint8] | None = None
    depth: NDArray[np.float32] | None = None
    confidence: NDArray[np.float32] | None = None
    frame: int | None = None
    name: str = ""
    scale: float = 1.0
    sample: NDArray[np.float32] = field(init=False)
    sample_rank: NDArray[np.uint8] = field(init=False)
    extent: NDArray[np.float32] = field(init=False)

    def __post_init__(self) -> None:
        self.sample, _, self.sample_rank = unpack_points(self.packed[:SAMPLE])
        axes = self.packed[:, :3].T.view(np.float32)
        ends = [(axis.min(), axis.max()) if len(axis) else (0.0, 0.0) for axis in axes]
        self.extent = np.array(np.meshgrid(*ends)).reshape(3, 8).T.astype(np.float32)

    @property
    def world_from_points(self) -> NDArray[np.float64]:
        """Similarity [4,4] that takes the packed points into the world."""
        matrix = self.world_from_camera.copy()
        matrix[:3, :3] *= self.scale
        return matrix

    def to_world(self, points: NDArray[np.float32]) -> NDArray[np.float32]:
        """Packed points [N,3] in the world."""
        matrix = self.world_from_points.astype(np.float32)
        return points @ matrix[:3, :3].T + matrix[:3, 3]


def pack_keyframe(
    points: NDArray[np.float32],
    colors: NDArray[np.uint8],
    rank: NDArray[np.uint8],
    world_from_camera: NDArray[np.floating],
    intrinsic: NDArray[np.floating],
    size: tuple[int, int],
    *,
    image: NDArray[np.uint8] | None = None,
    depth: NDArray[np.float32] | None = None,
    confidence: NDArray[np.float32] | None = None,
    frame: int | None = None,
    name: str = "",
) -> SceneKeyframe:
    """Make ready for the view: points [N,3] in their camera's frame, colors [N,3], rank [N] by
    confidence (0 to 255), pose [4,4], intrinsic [3,3] in pixels of an image of size (H, W).

    The masks need image [H,W,3] and depth [H,W]; the card of a keyframe shows them, too. It takes
    some milliseconds and touches nothing else: call it from a worker thread.
    """
    order = np.random.default_rng(0).permutation(len(points))
    points, rank = np.asarray(points, np.float32), np.asarray(rank, np.uint8)
    flags = np.zeros(len(points), np.uint8)
    if image is not None and depth is not None:
        flags = flags_at(mask_flags(image, depth), points, np.asarray(intrinsic))
    counts = np.bincount(flags.astype(np.intp) << 8 | rank, minlength=8 * 256).reshape(8, 256)
    return SceneKeyframe(
        packed=paged(pack_points(points, colors, rank, flags).take(order, axis=0)),
        counts=counts[:, ::-1].cumsum(axis=1)[:, ::-1],
        world_from_camera=np.asarray(world_from_camera, np.float64),
        intrinsic=np.asarray(intrinsic, np.float64),
        size=size,
        image=image,
        thumbnail=None if image is None else _thumbnail(image),
        depth=depth,
        confidence=confidence,
        frame=frame,
        name=name,
    )


def packed_keyframe(keyframe: Keyframe, cloud: PointCloud | None = None) -> SceneKeyframe:
    """A keyframe of a reconstruction, with all its usable points or those of a cloud [N]."""
    cloud = keyframe_cloud(keyframe) if cloud is None else cloud
    height, width = keyframe.depth.shape
    return pack_keyframe(
        cloud.points,
        cloud.colors,
        cloud.rank,
        keyframe.world_from_camera,
        keyframe.intrinsic,
        (height, width),
        image=keyframe.image,
        depth=keyframe.depth,
        confidence=keyframe.confidence,
        frame=keyframe.index,
        name=keyframe.name,
    )


class Scene:
    """Keyframes by position, and what of them is hidden.

    quantile: of confidence, below which points are hidden; masks: names of `MASKS` whose points
    are hidden; crop: the box outside of which they are; hidden: positions of keyframes that are
    switched off; removed: those that were undone, the latest last; metres_per_unit: how long a unit
    of the world is, where the user has measured a known length; fuse: how the clouds were fused, as
    LiveRun has it; others: keyframes by position of which only the camera is shown, beside the
    others; refine: how the keyframes were refined, as the option of that name.
    """

    def __init__(self) -> None:
        self.keyframes: dict[int, SceneKeyframe] = {}
        self.quantile = 0.0
        self.masks: frozenset[str] = frozenset()
        self.crop: Box | None = None
        self.hidden: set[int] = set()
        self.removed: list[int] = []
        self.metres_per_unit: float | None = None
        self.fuse = FUSE
        self.others: dict[int, SceneKeyframe] = {}
        self.refine = "none"

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
        """Add or replace a keyframe, see `pack_keyframe`."""
        keyframe = pack_keyframe(points, colors, rank, world_from_camera, intrinsic, size)
        self.keyframes[index] = keyframe
        return keyframe

    def clear(self) -> None:
        """Forget all keyframes, and what was hidden or measured of them."""
        self.keyframes.clear()
        self.hidden.clear()
        self.removed.clear()
        self.crop = self.metres_per_unit = None
        self.others, self.refine = {}, "none"

    @property
    def threshold(self) -> int:
        """Lowest confidence rank that is shown, 0 to 255."""
        return int(np.ceil(self.quantile * 255))

    @property
    def mask_bits(self) -> int:
        """Points with one of these flags are hidden."""
        return mask_bits(self.masks)

    @property
    def shown_positions(self) -> list[int]:
        """Positions of the keyframes that are neither switched off nor undone, in order."""
        return [p for p in sorted(self.keyframes) if p not in self.hidden and p not in self.removed]

    @property
    def point_count(self) -> int:
        """Points of all keyframes."""
        return sum(len(keyframe.packed) for keyframe in self.keyframes.values())

    @property
    def shown_count(self) -> int:
        """Points that are shown."""
        return sum(self._count(self.keyframes[position]) for position in self.shown_positions)

    def shown_cloud(self) -> PointCloud:
        """The points that are shown, in the world frame."""
        points = [np.empty((0, 3), np.float32)]
        colors, rank = [np.empty((0, 3), np.uint8)], [np.empty(0, np.uint8)]
        for position in self.shown_positions:
            keyframe = self.keyframes[position]
            in_camera, keyframe_colors, keyframe_rank = unpack_points(keyframe.packed)
            keep = self.shows(keyframe, keyframe.packed)
            points.append(keyframe.to_world(in_camera[keep]))
            colors.append(keyframe_colors[keep])
            rank.append(keyframe_rank[keep])
        return PointCloud(np.concatenate(points), np.concatenate(colors), np.concatenate(rank))

    def shows(self, keyframe: SceneKeyframe, packed: NDArray[np.uint32]) -> NDArray[np.bool_]:
        """Whether packed points [N,4] of a keyframe that is switched on are shown, [N]."""
        keep: NDArray[np.bool_] = packed[:, 3] >> 24 >= self.threshold
        if self.mask_bits:
            keep &= unpack_flags(packed) & self.mask_bits == 0
        if self.crop is not None:
            points = np.ascontiguousarray(packed[:, :3]).view(np.float32)
            keep &= self._inside(keyframe.to_world(points))
        return keep

    def selection(self, keyframes: Sequence[Keyframe], *origin: str) -> Selection:
        """What is shown, of the keyframes [S] of the reconstruction, for an export."""
        shown = set(self.shown_positions)
        return Selection(
            keyframes,
            quantile=self.quantile,
            fuse=self.fuse,
            crop=self.crop,
            origin=origin,
            masks=tuple(name for name in MASKS if name in self.masks),
            without=tuple(p for p in range(len(keyframes)) if p not in shown),
            metres_per_unit=self.metres_per_unit,
            refine=self.refine,
        )

    def centers(self) -> NDArray[np.float64]:
        """Camera centres [S,3] in the world frame, of the keyframes that are shown."""
        poses = [self.keyframes[position].world_from_camera for position in self.shown_positions]
        return np.array([pose[:3, 3] for pose in poses]).reshape(-1, 3)

    def sample(self) -> NDArray[np.float32]:
        """Some of the points that are shown, [N,3] in the world frame, fair to every keyframe."""
        parts = [np.empty((0, 3), np.float32)]
        shown = self.shown_positions
        each = max(1, SAMPLES // max(1, len(shown)))
        for position in shown:
            keyframe = self.keyframes[position]
            visible = keyframe.sample_rank[:each] >= self.threshold
            parts.append(keyframe.to_world(keyframe.sample[:each][visible]))
        points = np.concatenate(parts)
        return points[self._inside(points)] if self.crop else points

    def _inside(self, points: NDArray[np.float32]) -> NDArray[np.bool_]:
        if self.crop is None:
            return np.ones(len(points), np.bool_)
        low, high = np.array(self.crop, np.float32)
        inside: NDArray[np.bool_] = ((points >= low) & (points <= high)).all(axis=-1)
        return inside

    def _count(self, keyframe: SceneKeyframe) -> int:
        hidden = self.mask_bits
        shown = [flags for flags in range(8) if not flags & hidden]
        count = int(keyframe.counts[shown, self.threshold].sum())
        if self.crop is None or self._inside(keyframe.to_world(keyframe.extent)).all():
            return count
        return int(np.count_nonzero(self.shows(keyframe, keyframe.packed)))


def _thumbnail(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width = THUMBNAIL
    small = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.uint8)


def frustum_segments(keyframe: SceneKeyframe, length: float) -> NDArray[np.float32]:
    """Line segments [16,3] (pairs of ends) of a camera pyramid in the world frame.

    length: depth of its base in world units.
    """
    ends = frustum(keyframe.intrinsic, keyframe.size, length)
    pose = keyframe.world_from_camera
    return (ends @ pose[:3, :3].T + pose[:3, 3]).astype(np.float32)
