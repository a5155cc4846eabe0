"""What a click means, found without drawing anything."""

from typing import Any

import numpy as np
import pytest

from app.ui.picking import along, pick, to_screen
from app.ui.scene import Scene, frustum_segments, pack_keyframe

SIZE = (400, 300)


def camera(room: Any, step: float) -> Any:
    """Clip-from-world [4,4] of a viewer at a pose of the walk, looking the same way."""
    scale = 2 * room.intrinsic[0, 0] / room.size[1]
    clip = np.diag([scale, -scale * SIZE[0] / SIZE[1], 1, 1.0])
    clip[3] = [0, 0, 1, 0]
    return clip @ np.linalg.inv(room.pose(step))


@pytest.fixture
def scene(room: Any) -> Scene:
    scene = Scene()
    for position, step in enumerate((0.0, 1.0)):
        pose = room.pose(step)
        image, depth = room.render(pose)
        rank = np.arange(depth.size) * 256 // depth.size
        scene.keyframes[position] = pack_keyframe(
            room.camera_points(depth),
            image.reshape(-1, 3),
            rank.astype(np.uint8),
            pose,
            room.intrinsic,
            room.size,
            image=image,
            depth=depth,
        )
    return scene


def test_a_click_finds_the_point_that_is_seen_there(scene: Scene, room: Any) -> None:
    clip = camera(room, 0.0)
    for place in ((200, 150), (120, 80), (330, 220)):
        hit = pick(scene, {}, clip, SIZE, place)
        assert hit is not None
        assert hit.point is not None
        world = scene.keyframes[hit.position].to_world(hit.point[None])
        screen = to_screen(world, clip, SIZE)[0]
        np.testing.assert_allclose(screen[:2], place, atol=5)
        assert np.abs(np.abs(world) - room.half).min() < 1e-3, "it lies on a wall"


def test_what_is_hidden_is_not_hit(scene: Scene, room: Any) -> None:
    clip = camera(room, 0.0)
    hit = pick(scene, {}, clip, SIZE, (200, 150))
    assert hit is not None
    scene.hidden = {hit.position}
    other = pick(scene, {}, clip, SIZE, (200, 150))
    assert other is None or other.position != hit.position
    scene.hidden = {0, 1}
    assert pick(scene, {}, clip, SIZE, (200, 150)) is None
    scene.hidden = set()
    scene.crop = ((50, 50, 50), (51, 51, 51))
    assert pick(scene, {}, clip, SIZE, (200, 150)) is None
    scene.crop = None
    scene.quantile = 0.9
    sure = pick(scene, {}, clip, SIZE, (200, 280))
    assert sure is None or (sure.rank or 0) >= 230


def test_a_camera_in_front_is_hit_and_one_behind_the_viewer_is_not(scene: Scene, room: Any) -> None:
    ahead = room.pose(0.0)
    ahead[:3, 3] += 0.8 * ahead[:3, 2]
    scene.keyframes[1].world_from_camera = ahead
    corners = {1: frustum_segments(scene.keyframes[1], 0.2)[[0, 1, 3, 5, 7]]}
    middle = pick(scene, corners, camera(room, 0.0), SIZE, (200, 150))
    assert middle is not None
    assert (middle.position, middle.point) == (1, None)
    behind = room.pose(0.0)
    behind[:3, 3] += 1.6 * behind[:3, 2]
    clip = camera(room, 0.0) @ room.pose(0.0) @ np.linalg.inv(behind)
    hit = pick(scene, corners, clip, SIZE, (200, 150))
    assert hit is None or hit.point is not None


def test_a_drag_along_an_axis_finds_the_place_under_the_pointer(room: Any) -> None:
    clip = camera(room, 0.3)
    ends = np.array([[-0.8, 0.2, 1.0], [0.9, -0.1, 2.2]])
    for share in (0.25, 0.8, -0.3, 1.4):
        place = to_screen((ends[0] + share * (ends[1] - ends[0]))[None], clip, SIZE)[0, :2]
        found = along(*to_screen(ends, clip, SIZE), tuple(place))
        assert found == pytest.approx(share, abs=1e-6)


def test_nothing_is_dragged_along_an_axis_that_is_seen_from_its_end() -> None:
    near, far = np.array([200, 150, 1.0]), np.array([203, 150, 4.0])
    assert along(near, far, (240, 150)) is None
    behind = np.array([100, 150, -1.0])
    assert along(near, behind, (180, 150)) is None
