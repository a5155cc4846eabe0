"""From a run to a file: the points of the export are those that the window shows."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
import trimesh
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication

from app.arguments import Parser, add_selection
from app.capture import Frame, KeyframeSelector
from app.export import FORMATS, export_as
from app.export.command import selected
from app.geometry import invert_se3
from app.live import Growth
from app.reconstruction import Keyframe, keyframe_cloud
from app.ui.exporting import format_words
from app.ui.scene import Scene, SceneKeyframe
from app.ui.session import Session
from app.ui.sharing import Shares


class Walk:
    """Nine images of the toy's world, there and back again, with a black and a white part."""

    is_live = False
    length = 9

    def __init__(self, toy_image: Callable[..., np.ndarray]) -> None:
        self._image = toy_image

    def make_selector(self, every: int) -> KeyframeSelector:
        return KeyframeSelector(min_motion=0, every=every)

    def __iter__(self) -> Iterator[Frame]:
        for index, x in enumerate([0.4, 0.5, 0.6, 0.7, 0.8, 0.7, 0.6, 0.5, 0.4]):
            image = self._image(x, seed=index, depth=(1.2, 2.2))
            image[20:30, 10:40, ::2] = 4
            yield Frame(index, index / 10, image, f"{index}.png")

    def reopen(self) -> None: ...

    def close(self) -> None: ...


class Loops:
    """A closer that moves and scales three keyframes once there are seven."""

    def extend(self, keyframes: Sequence[Keyframe], start: int) -> tuple[int, list[int]]:
        if len(keyframes) != 8:
            return 0, []
        for keyframe in keyframes[1:4]:
            pose = invert_se3(keyframe.extrinsic)
            pose[:, 3] += 0.3
            keyframe.extrinsic = invert_se3(pose).astype(np.float32)
            keyframe.depth = keyframe.depth * np.float32(1.3)
        return 1, [1, 2, 3]


@pytest.fixture
def grown(
    qt: QApplication,
    tiny_bundle: Path,
    toy_image: Callable[..., np.ndarray],
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> tuple[Scene, list[Growth]]:
    """What the window's scene is after a run that closed a loop, and all that the run told."""
    monkeypatch.setattr("app.reconstruction.window.LoopCloser", Loops)
    fuse = request.param
    scene, growths = Scene(), list[Growth]()
    scene.fuse = fuse

    def grow(growth: Growth, packed: dict[int, SceneKeyframe]) -> None:
        growths.append(growth)
        for position, pose, factor in growth.moved:
            scene.keyframes[position].world_from_camera = pose.astype(np.float64)
            scene.keyframes[position].scale *= factor
        scene.keyframes |= packed

    session = Session(
        "toy", tiny_bundle, open_source=lambda *_: Walk(toy_image), fuse=fuse, threads=1
    )
    failures: list[object] = []
    direct = Qt.ConnectionType.DirectConnection
    session.failed.connect(failures.append, direct)
    session.grown.connect(grow, direct)
    session.start()
    assert session._run.join(timeout=60)
    assert not failures
    return scene, growths


def signature(points: np.ndarray, colors: np.ndarray) -> np.ndarray:
    """Of points [N,3] with colors [N,3] as a set: sorted shadows [N,16] in many directions."""
    directions = np.random.default_rng(0).normal(size=(6, 16))
    return np.sort(np.column_stack([points, colors / 255]) @ directions, axis=0)


@pytest.mark.parametrize("grown", [0.02, 0.0], indirect=True, ids=["fused", "all"])
def test_the_file_has_what_the_window_shows(
    grown: tuple[Scene, list[Growth]], tmp_path: Path
) -> None:
    scene, growths = grown
    keyframes = growths[-1].keyframes
    (loop,) = [growth for growth in growths if growth.update.loops]
    assert [moved.position for moved in loop.moved] == [1, 2, 3]
    assert [moved.depth_factor for moved in loop.moved] == pytest.approx([1.3] * 3)
    whole = scene.point_count
    everything = sum(len(keyframe_cloud(keyframe).points) for keyframe in keyframes)
    assert whole < everything if scene.fuse else whole == everything

    scene.quantile = 0.3
    scene.masks = frozenset({"black"})
    scene.hidden = {2}
    scene.removed = [8]
    if scene.fuse:
        scene.keyframes |= dict(Shares(keyframes, scene.fuse).change(scene.shown_positions))
    scene.crop = ((-0.91, -9.0, 0.53), (0.87, 9.0, 9.0))
    shown = scene.shown_cloud()
    assert 0 < len(shown.points) == scene.shown_count < whole

    parser = Parser()
    add_selection(parser)
    by_window = scene.selection(keyframes)
    by_command = selected(parser.parse_args(by_window.arguments()), keyframes)
    for name, selection in (("window", by_window), ("command", by_command)):
        path = tmp_path / f"{name}.ply"
        export_as("ply", path, selection)
        loaded = trimesh.load(path)
        exported = signature(np.asarray(loaded.vertices), np.asarray(loaded.colors)[:, :3])
        # A shown point gives the last bit of each number up for its flags.
        np.testing.assert_allclose(exported, signature(shown.points, shown.colors), atol=5e-6)
        assert f"fuse {scene.fuse:g}".encode() in path.read_bytes()[:600]


def test_the_window_has_a_name_for_every_format() -> None:
    assert format_words() == {name: form.label for name, form in FORMATS.items()}
