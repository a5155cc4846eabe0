"""Fused clouds: one owner a cell, exact in any order and after any change, bounded."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from app.capture._cv2 import cv2
from app.geometry import invert_se3, transform_points
from app.reconstruction import FusedCloud, Keyframe, PointCloud, keyframe_cloud
from app.reconstruction.cloud import cell_numbers

SIZE = (42, 56)
HALF = np.array([3.0, 1.5, 3.0])
LENS = np.array([[50, 0, 28], [0, 50, 21], [0, 0, 1]], np.float32)


def shot(seed: int, noise: float = 0.0) -> Keyframe:
    """A keyframe somewhere in the middle of a box room, looking anywhere."""
    rng = np.random.default_rng(seed)
    turn = cv2.Rodrigues(np.array([0.0, rng.uniform(0, 2 * np.pi), 0.0]))[0]
    pose = np.column_stack([turn, rng.uniform(-0.8, 0.8, 3)])
    v, u = np.mgrid[: SIZE[0], : SIZE[1]]
    rays = np.stack([(u - 28) / 50, (v - 21) / 50, np.ones(SIZE)], -1) @ turn.T
    with np.errstate(divide="ignore"):
        depth = ((np.where(rays < 0, -HALF, HALF) - pose[:, 3]) / rays).min(-1)
    depth = depth * np.exp(rng.normal(scale=noise))
    return Keyframe(
        index=seed,
        time=float(seed),
        name=str(seed),
        image=rng.integers(0, 256, (*SIZE, 3), np.uint8),
        extrinsic=invert_se3(pose).astype(np.float32),
        intrinsic=LENS,
        depth=depth.astype(np.float32),
        confidence=rng.uniform(1, 9, SIZE).astype(np.float32),
    )


def fuse(keyframes: dict[int, Keyframe], fraction: float = 0.03) -> FusedCloud:
    fused = FusedCloud(fraction)
    for position, keyframe in keyframes.items():
        fused.update({position: keyframe})
    return fused


def same(a: FusedCloud, b: FusedCloud, positions: list[int]) -> None:
    assert len(a) == len(b)
    for position in positions:
        one, other = a.cloud(position), b.cloud(position)
        assert_array_equal(one.points, other.points)
        assert_array_equal(one.colors, other.colors)
        assert_array_equal(one.rank, other.rank)


@pytest.fixture(scope="module")
def keyframes() -> dict[int, Keyframe]:
    return {position: shot(position) for position in range(12)}


def test_order_does_not_matter(keyframes: dict[int, Keyframe]) -> None:
    # The first one sets the size of a cell.
    backwards = {0: keyframes[0]} | {k: keyframes[k] for k in sorted(keyframes, reverse=True)}
    same(fuse(keyframes), fuse(backwards), list(keyframes))


def test_what_is_seen_twice_is_kept_once_from_the_surest(keyframes: dict[int, Keyframe]) -> None:
    fused = fuse(keyframes)
    best: dict[int, int] = {}
    for keyframe in keyframes.values():
        single = FusedCloud(0.03)
        single.update({0: keyframes[0]})
        cloud = keyframe_cloud(keyframe)
        points = transform_points(keyframe.world_from_camera[:3], cloud.points)
        cells = cell_numbers(points, fused.voxel)
        for cell in np.unique(cells):
            rank = int(np.rint(cloud.rank[cells == cell].mean()))
            best[int(cell)] = max(best.get(int(cell), 0), rank)
    clouds = [fused.cloud(position) for position in keyframes]
    assert len(fused) == sum(len(cloud.points) for cloud in clouds) == len(best)
    ranks = np.concatenate([cloud.rank for cloud in clouds])
    assert_array_equal(np.sort(ranks), np.sort(list(best.values())))


def test_removed_keyframes_leave_no_trace_and_no_hole(keyframes: dict[int, Keyframe]) -> None:
    fused = fuse(keyframes)
    for position in (3, 7, 11):
        fused.remove(position)
    rest = {k: v for k, v in keyframes.items() if k not in (3, 7, 11)}
    same(fused, fuse(rest), list(rest))
    with pytest.raises(KeyError):
        fused.remove(3)


def test_updates_return_every_cloud_that_changed(keyframes: dict[int, Keyframe]) -> None:
    fused, shown = FusedCloud(0.03), dict[int, PointCloud]()
    for position, keyframe in keyframes.items():
        shown |= fused.update({position: keyframe})
    turned = replace(keyframes[4], confidence=keyframes[4].confidence[::-1])
    shown |= fused.update({4: turned})
    del shown[6]
    shown |= fused.remove(6)
    for position, cloud in shown.items():
        assert_array_equal(cloud.points, fused.cloud(position).points)
    assert sum(len(cloud.points) for cloud in shown.values()) == len(fused)


def test_a_keyframe_taken_in_anew_counts_once(keyframes: dict[int, Keyframe]) -> None:
    fused = fuse(keyframes)
    other = shot(100)
    fused.update({5: other})
    same(fused, fuse(keyframes | {5: other}), list(keyframes))
    fused.update({5: keyframes[5]})
    same(fused, fuse(keyframes), list(keyframes))


@pytest.mark.parametrize("count", [3, 12])
def test_many_taken_in_anew_at_once(keyframes: dict[int, Keyframe], count: int) -> None:
    fused = fuse(keyframes)
    shown = {position: fused.cloud(position) for position in keyframes}
    moved = {k: shot(k, noise=0.1) for k in range(12 - count, 12)} | {0: keyframes[0]}
    shown |= fused.update(moved)
    same(fused, fuse(keyframes | moved), list(keyframes))
    assert sum(len(cloud.points) for cloud in shown.values()) == len(fused)
    for position, cloud in shown.items():
        assert_array_equal(cloud.points, fused.cloud(position).points)


def test_a_room_seen_often_does_not_grow() -> None:
    fused, sizes = FusedCloud(0.08), []
    for position in range(300):
        fused.update({position: shot(position)})
        sizes.append(len(fused))
    area = 2 * (6 * 6 + 2 * 6 * 3)
    # A wall lies in one layer of cells, or on the border of two.
    assert sizes[-1] < 2.5 * area / fused.voxel**2
    assert sizes[299] < 1.15 * sizes[149]
