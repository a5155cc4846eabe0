"""Windows of the real runtime join into the trajectory that the toy's images hold."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from app.capture import Frame
from app.engine import Engine, EngineError, open_bundle
from app.errors import AppError
from app.reconstruction import Reconstructor, WindowUpdate

ToyImage = Callable[..., np.ndarray]


@pytest.fixture(scope="module")
def engine(tiny_bundle: Path) -> Iterator[Engine]:
    with Engine(open_bundle(tiny_bundle), threads=1) as running:
        yield running


def positions(count: int) -> np.ndarray:
    """x of the cameras, on the grid that 8-bit red can hold."""
    return np.rint(np.linspace(0.4, 3.6, count) / 4 * 255) / 255 * 4


def feed(reconstructor: Reconstructor, toy_image: ToyImage, count: int) -> list[WindowUpdate]:
    """Frames whose depth, and so the scale of the network, grows on the way."""
    updates = []
    for i, x in enumerate(positions(count)):
        image = toy_image(x, seed=i, depth=(1.2 + 0.08 * i, 2.5))
        updates.append(reconstructor.add(Frame(i, i / 10, image, f"{i}.png")))
    updates.append(reconstructor.finish())
    return [update for update in updates if update]


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 6, 7, 11])
@pytest.mark.parametrize(("views", "overlap"), [(4, 2), (4, 1), (4, 3), (2, 1)])
def test_every_number_of_keyframes(
    engine: Engine, toy_image: ToyImage, count: int, views: int, overlap: int
) -> None:
    reconstructor = Reconstructor(engine, views, overlap)
    updates = feed(reconstructor, toy_image, count)
    keyframes = reconstructor.keyframes
    assert [keyframe.index for keyframe in keyframes] == list(range(count))
    assert [new for update in updates for new in update.new] == list(range(count))
    centres = np.array([keyframe.world_from_camera[:3, 3] for keyframe in keyframes])
    x = positions(count) - positions(count)[0]
    scale = centres[-1, 0] / x[-1] if count > 1 else 1
    assert_allclose(centres, np.outer(scale * x, [1, 0, 0]), atol=1e-4)
    # Depth has the scale of the cameras: both are those of the first window.
    for keyframe in keyframes if count > 1 else []:
        assert_allclose(keyframe.depth / scale, 1 + keyframe.image[..., 1] / 127.5, rtol=1e-3)


def test_updates_name_what_they_changed(engine: Engine, toy_image: ToyImage) -> None:
    updates = feed(Reconstructor(engine, views=4, overlap=2), toy_image, 7)
    assert [(u.new, u.changed) for u in updates] == [
        ([0, 1, 2, 3], []),
        ([4, 5], [2, 3]),
        ([6], [3, 4, 5]),
    ]
    assert sum(u.views for u in updates) == 12


def test_world_points_lie_where_the_camera_sees_them(engine: Engine, toy_image: ToyImage) -> None:
    reconstructor = Reconstructor(engine)
    feed(reconstructor, toy_image, 4)
    keyframe = reconstructor.keyframes[2]
    points = keyframe.world_points()
    camera = points @ keyframe.extrinsic[:, :3].T + keyframe.extrinsic[:, 3]
    projected = camera @ keyframe.intrinsic.T
    v, u = np.mgrid[: points.shape[0], : points.shape[1]]
    assert_allclose(projected[..., 0] / projected[..., 2], u, atol=1e-3)
    assert_allclose(projected[..., 1] / projected[..., 2], v, atol=1e-3)


@pytest.mark.usefixtures("quick_runtime")
def test_nothing_is_lost_when_the_runtime_dies(tiny_bundle: Path, toy_image: ToyImage) -> None:
    with Engine(open_bundle(tiny_bundle), threads=1) as engine:
        reconstructor = Reconstructor(engine)
        frames = [Frame(i, i, toy_image(x, i), str(i)) for i, x in enumerate(positions(6))]
        for frame in frames[:3]:
            reconstructor.add(frame)
        assert engine._child
        engine._child.process.kill()
        with pytest.raises(EngineError):
            reconstructor.add(frames[3])
        engine.restart()
        for frame in frames[4:]:
            reconstructor.add(frame)
        reconstructor.finish()
    assert [keyframe.index for keyframe in reconstructor.keyframes] == list(range(6))


@pytest.mark.usefixtures("quick_runtime")
def test_bundle_with_large_windows_only(
    bundle_copy: Path, write_manifest: Callable[..., None], toy_image: ToyImage
) -> None:
    write_manifest(bundle_copy, methods={"4": "forward_s4"})
    with Engine(open_bundle(bundle_copy), threads=1) as engine:
        reconstructor = Reconstructor(engine)
        feed(reconstructor, toy_image, 3)
    assert len(reconstructor.keyframes) == 3


@pytest.mark.parametrize(("views", "overlap"), [(3, 1), (8, 2), (1, 0), (4, 4), (4, 0)])
def test_windows_that_cannot_be(engine: Engine, views: int, overlap: int) -> None:
    with pytest.raises(AppError, match="views"):
        Reconstructor(engine, views, overlap)
