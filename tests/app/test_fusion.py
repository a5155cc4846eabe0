"""Fused clouds: one point a cell, the same in any order, live and at the end, and bounded."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from numpy.typing import NDArray

from app.capture._cv2 import cv2
from app.geometry import invert_se3, transform_points
from app.live.fusing import LiveFusion
from app.reconstruction import FusedCloud, Keyframe, PointCloud, fuse_keyframes, keyframe_cloud
from app.reconstruction.cells import GONE, CellTable
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


def same(fused: FusedCloud, other: FusedCloud, keyframes: dict[int, Keyframe]) -> None:
    assert len(fused) == len(other)
    for position, keyframe in keyframes.items():
        equal(fused.cloud(position, keyframe), other.cloud(position, keyframe))


def equal(cloud: PointCloud, other: PointCloud) -> None:
    assert_array_equal(cloud.points, other.points)
    assert_array_equal(cloud.colors, other.colors)
    assert_array_equal(cloud.rank, other.rank)


def spread(numbers: NDArray[np.int64]) -> NDArray[np.uint64]:
    """Numbers of cells, as unlike as those of real ones."""
    return numbers.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)


def moved(keyframe: Keyframe, shift: float, scale: float) -> Keyframe:
    pose = keyframe.world_from_camera[:3].copy()
    pose[:, 3] = scale * pose[:, 3] + shift
    extrinsic = invert_se3(pose).astype(np.float32)
    return replace(keyframe, extrinsic=extrinsic, depth=keyframe.depth * np.float32(scale))


@pytest.fixture(scope="module")
def keyframes() -> dict[int, Keyframe]:
    return {position: shot(position) for position in range(12)}


@pytest.fixture
def small_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.reconstruction.cells._START", 1 << 14)


@pytest.mark.usefixtures("small_tables")
def test_a_table_keeps_the_largest_value_of_each_cell_and_grows() -> None:
    rng = np.random.default_rng(0)
    table, kept = CellTable(), dict[int, int]()
    values = rng.permutation(40_000).astype(np.uint64) + 1
    for part in values.reshape(20, -1):
        cells = spread(rng.integers(0, 10_000, len(part)))
        table.make_room(len(cells))
        before, slots = table.raise_to(cells, part)
        assert before.tolist() == [kept.get(cell, 0) for cell in cells.tolist()]
        for cell, value in zip(cells.tolist(), part.tolist(), strict=True):
            kept[cell] = max(kept.get(cell, 0), value)
        now = np.array([kept[cell] for cell in cells.tolist()], np.uint64)
        assert_array_equal(table.at(slots), now)
    cells = np.array(list(kept), np.uint64)
    assert_array_equal(table.get(cells), list(kept.values()))
    assert_array_equal(table.get(spread(np.arange(10_000, 20_000))), 0)
    _, slots = table.raise_to(cells, np.zeros(len(cells), np.uint64))
    table.empty(slots[:100])
    assert len(table) == len(kept) - 100
    moved = table.make_room(100_000)
    assert moved is not None
    assert_array_equal(moved[slots[:100]], GONE)
    assert_array_equal(table.at(moved[slots[100:]]), list(kept.values())[100:])
    assert_array_equal(table.get(cells[:100]), 0)


@pytest.mark.usefixtures("small_tables")
def test_cells_that_are_left_make_room() -> None:
    table = CellTable()
    size = len(table._keys)
    for start in range(0, 20 * size, size // 4):
        cells = spread(np.arange(start, start + size // 4))
        table.make_room(len(cells))
        _, slots = table.raise_to(cells, cells + np.uint64(1))
        table.empty(slots)
    assert len(table) == 0
    assert len(table._keys) < 2 * size


def test_cells_grow_with_the_distance_by_half_octaves() -> None:
    x = np.linspace(0, 1, 10_000, dtype=np.float32)
    line = np.column_stack([x, 0 * x, 0 * x])
    counts = []
    for distance in (1.0, 1.1, 2.0, 2.7, 4.0):
        cells = cell_numbers(line, np.full(len(x), distance, np.float32), 0.01)
        counts.append(len(np.unique(cells)))
        side = 1 / counts[-1]
        assert 0.01 * distance / 2**0.5 * 0.98 < side < 0.01 * distance * 1.02
    assert counts[0] == counts[1] > counts[2] > counts[3] > counts[4]


def test_order_does_not_matter(keyframes: dict[int, Keyframe]) -> None:
    backwards = dict(reversed(keyframes.items()))
    same(fuse_keyframes(keyframes, 0.03), fuse_keyframes(backwards, 0.03), keyframes)


def test_what_is_seen_twice_is_kept_once_from_the_surest(keyframes: dict[int, Keyframe]) -> None:
    fused = fuse_keyframes(keyframes, 0.03)
    best: dict[int, int] = {}
    for keyframe in keyframes.values():
        cloud = keyframe_cloud(keyframe)
        points = transform_points(keyframe.world_from_camera[:3], cloud.points)
        cells = cell_numbers(points, cloud.points[:, 2], 0.03)
        for cell, rank in zip(cells.tolist(), cloud.rank.tolist(), strict=True):
            best[cell] = max(best.get(cell, 0), rank)
    clouds = [fused.cloud(position, keyframe) for position, keyframe in keyframes.items()]
    assert len(fused) == sum(len(cloud.points) for cloud in clouds) == len(best)
    ranks = np.concatenate([cloud.rank for cloud in clouds])
    assert_array_equal(np.sort(ranks), np.sort(list(best.values())))


def test_points_are_those_of_the_keyframe_and_move_with_it(keyframes: dict[int, Keyframe]) -> None:
    fused = fuse_keyframes(keyframes, 0.03)
    cloud, whole = fused.cloud(5, keyframes[5]), keyframe_cloud(keyframes[5])
    rows, chosen = (
        set(map(tuple, np.column_stack([part.points, part.colors, part.rank]).tolist()))
        for part in (whole, cloud)
    )
    assert chosen < rows
    scaled = fused.cloud(5, moved(keyframes[5], 0.4, 2.0))
    assert_array_equal(scaled.points, 2 * cloud.points)
    assert_array_equal(scaled.rank, cloud.rank)


def test_a_keyframe_added_anew_counts_once(keyframes: dict[int, Keyframe]) -> None:
    fused = fuse_keyframes(keyframes, 0.03)
    other = keyframes | {5: shot(100)}
    fused.add(5, other[5])
    exact = fuse_keyframes(other, 0.03)
    # What others saw in its old cells comes back as they are added anew.
    assert 0.8 * len(exact) < len(fused) < len(exact)
    for position, keyframe in other.items():
        fused.add(position, keyframe)
    same(fused, exact, other)


def test_a_preview_takes_nothing(keyframes: dict[int, Keyframe]) -> None:
    first = {position: keyframes[position] for position in range(11)}
    fused = fuse_keyframes(first, 0.03)
    preview = fused.preview(11, keyframes[11])
    same(fused, fuse_keyframes(first, 0.03), first)
    lost = fused.add(11, keyframes[11])
    cloud = fused.cloud(11, keyframes[11])
    assert len(cloud.points) <= len(preview.points) < len(keyframe_cloud(keyframes[11]).points)
    counts = {at: len(fuse_keyframes(first, 0.03).cloud(at, first[at]).points) for at in first}
    for position, keyframe in first.items():
        left = len(fused.cloud(position, keyframe).points)
        assert left == counts[position] - lost[position]


def run(count: int, loops: bool) -> tuple[LiveFusion, list[Keyframe], dict[int, int]]:
    """A run of windows that share two keyframes, and how many points of each are shown."""
    live, keyframes, shown = LiveFusion(0.03), list[Keyframe](), dict[int, int]()
    for number in range(2, count + 1, 2):
        shared = range(len(keyframes))[-2:]
        for position in shared:
            keyframes[position] = moved(keyframes[position], 0.0, 1.01)
        keyframes += [shot(number - 2), shot(number - 1)]
        older = range(0, max(0, number - 4)) if loops and number % 6 == 0 else range(0)
        for position in older:
            keyframes[position] = moved(keyframes[position], 0.01, 1.02)
        fresh = [*shared, number - 2, number - 1]
        clouds = live.update(keyframes, fresh, older, number - 2)
        assert set(fresh) <= set(clouds)
        shown |= {position: len(cloud.points) for position, cloud in clouds.items()}
    return live, keyframes, shown


@pytest.mark.parametrize("loops", [False, True])
def test_the_end_of_a_run_is_exact(loops: bool) -> None:
    live, keyframes, shown = run(40, loops)
    everything = dict(enumerate(keyframes))
    exact = fuse_keyframes(everything, 0.03)
    assert 0.95 * len(exact) < sum(shown.values()) < 2.5 * len(exact)
    last = live.finish(keyframes, [38, 39])
    assert {38, 39} <= set(last)
    for position, keyframe in everything.items():
        cloud = exact.cloud(position, keyframe)
        shown[position] = len(last[position].points) if position in last else shown[position]
        assert shown[position] == len(cloud.points)
        if position in last:
            equal(last[position], cloud)


def test_a_room_seen_often_does_not_grow() -> None:
    fused, sizes = FusedCloud(0.08), []
    for position in range(300):
        fused.add(position, shot(position))
        sizes.append(len(fused))
    assert sizes[299] < 1.3 * sizes[149]
    assert sizes[299] < 0.05 * 300 * len(keyframe_cloud(shot(0)).points)
