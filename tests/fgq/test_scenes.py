import numpy as np
import pytest

from fgq.data.camera_model import photograph
from fgq.data.raytrace import Raytracer
from fgq.data.rooms import Room, build_room
from fgq.data.scenes import SceneClip, render_scene, render_views
from fgq.data.shadows import FACE, LAMP, of_samples
from fgq.data.shapes import Builder, Material, join, rotation_x, rotation_z
from fgq.data.textures import LEVELS, texture_bank
from fgq.data.trajectories import CLEARANCE, MIN_OVERLAP, Lens, sample_lens, sample_path

SEEDS = (3, 10_000_001)
SIZE = (84, 112)
EYE = (50.0, 50.0, 50.0)  # far from the walls, where ambient light is darker


@pytest.fixture(scope="module", params=SEEDS)
def clip(request: pytest.FixtureRequest) -> SceneClip:
    return render_scene(request.param, views=4, size=SIZE)


def reproject(clip: SceneClip, i: int, j: int) -> tuple[np.ndarray, np.ndarray]:
    """Pixel coordinates [H, W, 2] and depth [H, W] in view j of every pixel centre of view i."""
    height, width = clip.depth.shape[1:]
    v, u = np.mgrid[:height, :width] + 0.5
    ray = np.stack([u, v, np.ones_like(u)], -1) @ np.linalg.inv(clip.intrinsic[i]).T
    point = ray * clip.depth[i][..., None]
    world = (point - clip.extrinsic[i, :, 3]) @ clip.extrinsic[i, :, :3]
    there = world @ clip.extrinsic[j, :, :3].T + clip.extrinsic[j, :, 3]
    uv = there @ clip.intrinsic[j].T
    return uv[..., :2] / uv[..., 2:], there[..., 2]


def test_clip_has_the_promised_form(clip: SceneClip) -> None:
    assert clip.images.shape == (4, *SIZE, 3)
    assert clip.images.dtype == np.uint8
    assert clip.depth.shape == (4, *SIZE)
    assert clip.depth.dtype == clip.extrinsic.dtype == clip.intrinsic.dtype == np.float32
    rotation = clip.extrinsic[:, :, :3].astype(np.float64)
    identity = np.broadcast_to(np.eye(3), (4, 3, 3))
    np.testing.assert_allclose(rotation @ rotation.transpose(0, 2, 1), identity, atol=1e-5)
    assert np.all(np.linalg.det(rotation) > 0)
    assert np.all(clip.intrinsic[:, :2, 2] == (SIZE[1] / 2, SIZE[0] / 2))
    field_of_view = np.rad2deg(2 * np.arctan(SIZE[1] / 2 / clip.intrinsic[0, 0, 0]))
    assert 48 <= field_of_view <= 75


def test_same_seed_gives_same_bytes(clip: SceneClip) -> None:
    seed = next(s for s in SEEDS if np.array_equal(render_scene(s, 4, SIZE).images, clip.images))
    again = render_scene(seed, views=4, size=SIZE)
    for name in ("images", "depth", "extrinsic", "intrinsic", "overlap"):
        np.testing.assert_array_equal(getattr(again, name), getattr(clip, name))


def test_depth_and_colour_agree_between_views(clip: SceneClip) -> None:
    for i in range(4):
        j = int(np.argsort(clip.overlap[i])[-2])
        uv, depth = reproject(clip, i, j)
        column, row = np.floor(uv).astype(int).transpose(2, 0, 1)
        inside = (depth > 0.1) & (column >= 0) & (column < SIZE[1]) & (row >= 0) & (row < SIZE[0])
        column, row = column[inside], row[inside]
        there = clip.depth[j, row, column]
        same = np.abs(there - depth[inside]) < 0.03 * there
        seen_through = there > 1.05 * depth[inside]
        assert same.mean() > 0.6
        assert seen_through.mean() < 0.04, "a surface of one view is missing in the other"
        colour_i, colour_j = clip.images[i][inside][same], clip.images[j, row, column][same]
        assert np.corrcoef(colour_i.ravel(), colour_j.ravel())[0, 1] > 0.85


def test_path_is_clear_and_covisible(clip: SceneClip) -> None:
    assert clip.depth.min() > 0.1
    assert np.quantile(clip.depth, 0.03) > CLEARANCE
    others = clip.overlap - np.eye(4)
    assert np.all(others.max(1) >= MIN_OVERLAP)
    for i in range(4):
        for j in range(4):
            uv, depth = reproject(clip, i, j)
            inside = (depth > 0.05) & np.all((uv >= 0) & (uv < (SIZE[1], SIZE[0])), -1)
            column, row = (
                np.floor(np.where(inside[..., None], uv, 0)).astype(int).transpose(2, 0, 1)
            )
            seen = inside & (depth < 1.05 * clip.depth[j, row, column] + 0.02)
            assert seen.mean() == pytest.approx(clip.overlap[i, j], abs=0.08)


def test_images_are_well_exposed(clip: SceneClip) -> None:
    for image in clip.images:
        assert 30 < image.mean() < 220
        assert image.std() > 15
        assert (image.max(-1) >= 254).mean() < 0.35


def facing_wall(material: Material) -> Raytracer:
    """A 40 m wall 3 m before EYE, lit by ambient light only."""
    builder = Builder()
    builder.at(*EYE).box((0, 3.05, 0), (40, 0.1, 40), material)
    return Raytracer(lit_room(builder))


def lit_room(builder: Builder) -> Room:
    """What was built, in ambient light only."""
    return Room(
        mesh=join(builder),
        size=np.full(3, 100, np.float32),
        light_positions=np.zeros((1, 3), np.float32),
        light_colors=np.zeros((1, 3), np.float32),
        ambient=np.ones((2, 3), np.float32),
        sun=None,
        targets=np.zeros((1, 3), np.float32),
        target_scales=np.ones(1, np.float32),
    )


def rays_along_y(lens: Lens) -> np.ndarray:
    """Rays from EYE; rotation_x(-90 degrees) turns the optical axis to y."""
    directions = lens.directions(*lens.size) @ rotation_x(-np.pi / 2).T
    origins = np.broadcast_to(EYE, directions.shape)
    return np.concatenate([origins, directions], 1).T.astype(np.float32)


def test_depth_is_along_the_optical_axis() -> None:
    lens = Lens(60.0, SIZE)
    shaded = facing_wall(Material(0)).shade(rays_along_y(lens), lens.focal)
    np.testing.assert_allclose(shaded.depth, 3.0, rtol=1e-5)


def test_shadows_of_an_image_are_those_of_single_rays() -> None:
    """Images test a part of their shadow rays and conclude the others."""
    rng = np.random.default_rng(5)
    room = build_room(rng)
    tracer, lens = Raytracer(room), sample_lens(rng, SIZE)
    path = sample_path(rng, room, tracer, lens, 4)
    assert path is not None
    for view in path:
        directions = view.rotation @ lens.directions(*SIZE).T
        rays = np.concatenate([np.tile(view.position[:, None], directions.shape[1]), directions])
        image = tracer.shade(rays, lens.focal, SIZE)
        single = tracer.shade(rays, lens.focal)
        assert np.isclose(image.depth, single.depth, rtol=1e-5).mean() > 0.9995
        lit = single.key & 2 > 0
        assert 0.02 < lit.mean() < 0.99
        assert (image.key != single.key).mean() < 0.005


@pytest.mark.parametrize("turn", [0.0, np.pi / 4])
def test_pixels_between_others_are_found_without_a_ray(turn: float) -> None:
    """Depth is as of single rays, on slanted planes and round things and for bars that are hardly
    wider than a pixel; only bars along a diagonal may lose some."""
    builder = Builder()
    front = builder.at(*EYE).at(0, 3)
    front.box((0, 2, 0), (40, 0.1, 40), Material(0), yaw=0.5)
    front.add("sphere", (-1, 0, 0), (1, 1, 1), Material(0))
    upright = rotation_x(np.pi / 2) @ rotation_z(turn) @ rotation_x(-np.pi / 2)
    front.add("box", (0.7, 0, 0), (0.06, 0.06, 4), Material(0), upright)
    lens = Lens(60.0, SIZE)
    tracer, rays = Raytracer(lit_room(builder)), rays_along_y(lens)
    image, single = (tracer.shade(rays, lens.focal, shape) for shape in (SIZE, None))
    same = np.isclose(image.depth, single.depth, rtol=1e-5)
    assert same.all() if turn == 0 else same.mean() > 0.999


def test_a_sample_between_pixels_takes_their_shadow_only_on_their_surface() -> None:
    tested: list[int] = []

    def test(index: np.ndarray) -> np.ndarray:
        tested.extend(index.tolist())
        return np.ones(len(index), bool)

    lit, dark = FACE * 7 + LAMP, FACE * 7
    other = FACE * 9 + LAMP
    beside = np.array([[lit, dark, dark, other, other], [lit, dark, lit, dark, other]], np.int32)
    strategy = of_samples(np.full(5, 7, np.float32), beside)
    reached = strategy(np.ones(5, bool), test)
    assert tested == [2, 4], "tested where both are on the surface and differ, or neither is"
    assert reached.tolist() == [True, False, True, False, True]
    assert not strategy(np.zeros(5, bool), test).any()


def test_edges_get_a_mean_that_neighbours_share() -> None:
    """A step between two surfaces is softened by samples between pixels; depth is not."""
    rng = np.random.default_rng(3)
    room = build_room(rng)
    tracer, lens = Raytracer(room), sample_lens(rng, SIZE)
    path = sample_path(rng, room, tracer, lens, 2)
    assert path is not None
    fine = Lens(lens.focal * 5, (SIZE[0] * 5, SIZE[1] * 5))
    radiance, depth = render_views(tracer, lens, path)
    reference, _ = render_views(tracer, fine, path)
    rays = lens.directions(*SIZE).T
    for index, view in enumerate(path):
        own = np.concatenate([np.tile(view.position[:, None], rays.shape[1]), view.rotation @ rays])
        alone = tracer.shade(own, lens.focal, SIZE)
        np.testing.assert_array_equal(depth[index].ravel(), alone.depth)
        wanted = reference[:, index].reshape(3, SIZE[0], 5, SIZE[1], 5).mean((2, 4)).reshape(3, -1)
        error, error_alone = (
            np.sqrt(np.minimum((np.sqrt(picture) - np.sqrt(wanted)) ** 2, 1).mean())
            for picture in (radiance[:, index].reshape(3, -1), alone.radiance)
        )
        assert error < 0.9 * error_alone


def test_fine_texture_fades_to_its_mean_instead_of_aliasing() -> None:
    bank = texture_bank()
    checks = int(bank.kinds["checks"][0])
    lens = Lens(60.0, SIZE)
    near = facing_wall(Material(checks, repeats=0.4)).shade(rays_along_y(lens), lens.focal)
    far = facing_wall(Material(checks, repeats=60.0)).shade(rays_along_y(lens), lens.focal)
    assert far.radiance.std(1).max() < 0.15 * near.radiance.std(1).max()


def test_mip_levels_keep_the_mean() -> None:
    bank = texture_bank()
    for texture in (0, len(bank.origin) // 2, len(bank.origin) - 1):
        x, y = bank.origin[texture].astype(int)
        for side, left, top in np.ceil(bank.levels[:, :LEVELS].T).astype(int):
            tile = bank.atlas[y + top : y + top + side, x + left : x + left + side]
            np.testing.assert_allclose(tile.mean((0, 1)) / 255, bank.mean[texture], atol=0.01)


def test_photograph_takes_images_larger_than_its_grain() -> None:
    radiance = np.full((3, 1, 620, 30), 0.5, np.float32)
    images = photograph(radiance, np.random.default_rng(0))
    assert images.shape == (1, 620, 30, 3)
    assert images.std() > 0
