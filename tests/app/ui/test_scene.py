"""The scene without its picture: packing, the confidence cut, framing."""

from typing import Any

import numpy as np

from app.ui.framing import FIELD_OF_VIEW, UP, viewpoint
from app.ui.packed_cloud import pack_points, unpack_points
from app.ui.scene import Scene, frustum_segments


def test_a_point_takes_16_bytes_and_survives_packing() -> None:
    rng = np.random.default_rng(0)
    points = rng.normal(size=(100, 3)).astype(np.float32)
    colors = rng.integers(0, 256, (100, 3)).astype(np.uint8)
    rank = rng.integers(0, 256, 100).astype(np.uint8)
    packed = pack_points(points, colors, rank)
    assert packed.nbytes == 16 * 100
    unpacked = unpack_points(packed)
    np.testing.assert_allclose(unpacked[0], points, rtol=2e-7)
    np.testing.assert_array_equal(unpacked[1], colors)
    np.testing.assert_array_equal(unpacked[2], rank)


def _add(scene: Scene, index: int, room: Any, step: float, rank: Any = None) -> Any:
    pose = room.pose(step)
    image, depth = room.render(pose)
    if rank is None:
        rank = np.arange(depth.size) * 256 // depth.size
    return scene.set_keyframe(
        index,
        room.camera_points(depth),
        image.reshape(-1, 3),
        rank.astype(np.uint8),
        pose,
        room.intrinsic,
        room.size,
    )


def test_the_quantile_keeps_the_points_of_highest_rank(room: Any) -> None:
    scene = Scene()
    rank = np.random.default_rng(1).integers(0, 256, room.size[0] * room.size[1])
    _add(scene, 0, room, 0.0, rank)
    _add(scene, 1, room, 1.0, rank)
    for quantile in (0.0, 0.31, 0.5, 1.0):
        scene.quantile = quantile
        expected = 2 * np.count_nonzero(rank >= 255 * quantile)
        assert scene.shown_count == expected == len(scene.shown_cloud().points)
    assert scene.point_count == 2 * len(rank)


def test_the_shown_cloud_is_the_room(room: Any) -> None:
    scene = Scene()
    for index in range(3):
        _add(scene, index, room, index / 2)
    scene.quantile = 0.25
    cloud = scene.shown_cloud()
    assert cloud.points.dtype == np.float32
    assert cloud.rank.min() >= 64
    # Every point lies on a wall and has that wall's colour, up to the pattern on it.
    beyond = np.abs(cloud.points) - room.half
    axis = np.argmax(beyond, axis=1)
    np.testing.assert_allclose(beyond.max(axis=1), 0, atol=1e-4)
    wall = room.walls[2 * axis + (np.take_along_axis(cloud.points, axis[:, None], 1)[:, 0] > 0)]
    cosine = (cloud.colors * wall).sum(1) / np.linalg.norm(cloud.colors, axis=1)
    assert np.quantile(cosine / np.linalg.norm(wall, axis=1), 0.001) > 0.999


def test_an_empty_scene_is_empty() -> None:
    scene = Scene()
    assert scene.shown_count == scene.point_count == len(scene.shown_cloud().points) == 0
    assert scene.centers().shape == scene.sample().shape == (0, 3)


def test_a_frustum_ends_in_the_corners_of_the_image(room: Any) -> None:
    scene = Scene()
    keyframe = _add(scene, 0, room, 0.7)
    segments = frustum_segments(keyframe, length=0.5).reshape(8, 2, 3)
    np.testing.assert_allclose(segments[:4, 0], np.tile(room.pose(0.7)[:3, 3], (4, 1)), atol=1e-6)
    camera = np.linalg.inv(room.pose(0.7))
    seen = (segments[:4, 1] @ camera[:3, :3].T + camera[:3, 3]) @ room.intrinsic.T
    np.testing.assert_allclose(seen[:, 2], 0.5, rtol=1e-5)
    height, width = room.size
    corners = [[0, 0], [width, 0], [width, height], [0, height]]
    np.testing.assert_allclose(seen[:, :2] / seen[:, 2:], corners, atol=1e-3)


def test_a_viewpoint_is_behind_and_above_and_sees_the_bulk() -> None:
    rng = np.random.default_rng(2)
    points = rng.uniform([-3, -1, 2], [3, 1, 6], (2000, 3))
    points[:20] *= 1000
    camera = np.zeros((1, 3))
    for aspect in (0.6, 1.0, 2.5):
        view = viewpoint(points, camera, np.array([0, 0, 1.0]), aspect)
        assert view.position[2] < 0
        assert view.position @ UP > view.target @ UP
        back = (view.position - view.target) / np.linalg.norm(view.position - view.target)
        right = np.cross(UP, back) / np.linalg.norm(np.cross(UP, back))
        offsets = np.concatenate([points[20:], camera]) - view.position
        screen = offsets @ np.stack([right, np.cross(back, right)]).T / -(offsets @ back)[:, None]
        limits = np.tan(np.radians(FIELD_OF_VIEW / 2)) * np.array([aspect, 1])
        limits /= min(aspect, 1)
        low, high = screen.min(axis=0), screen.max(axis=0)
        # It is in the middle, inside, and fills the view in one direction at least.
        assert (np.abs(low + high) / 2 < 0.1 * limits).all()
        assert (high < limits).all()
        assert (-low < limits).all()
        assert ((high - low) / 2 / limits).max() > 0.7


def test_a_viewpoint_exists_for_nothing_and_for_a_camera_that_looks_down() -> None:
    nothing = np.empty((0, 3))
    for forward in ([0, 0, 1.0], [0, 1.0, 0]):
        view = viewpoint(nothing, nothing, np.array(forward), 1.5)
        assert np.isfinite(view.position).all()
        assert view.radius > 0
        single = viewpoint(nothing, np.zeros((1, 3)), np.array(forward), 1.5)
        assert np.linalg.norm(single.position - single.target) > 0
