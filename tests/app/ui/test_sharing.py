"""Keyframes that are switched off or taken back give their space to those that are shown."""

import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from PySide6.QtWidgets import QApplication

from app.geometry import invert_se3
from app.reconstruction import Keyframe, fuse_keyframes
from app.ui.scene import packed_keyframe
from app.ui.scene_view import SceneView
from app.ui.sharing import Sharing

FUSE = 0.03


@pytest.fixture
def keyframes(room: Any) -> list[Keyframe]:
    rng = np.random.default_rng(0)
    found = []
    for number, pose in enumerate(room.walk(5)):
        image, depth = room.render(pose)
        found.append(
            Keyframe(
                index=number,
                time=float(number),
                name=str(number),
                image=image,
                extrinsic=invert_se3(pose[:3]).astype(np.float32),
                intrinsic=room.intrinsic.astype(np.float32),
                depth=depth,
                confidence=rng.uniform(1, 9, depth.shape).astype(np.float32),
            )
        )
    return found


@pytest.fixture
def view(qt: QApplication, keyframes: list[Keyframe]) -> Iterator[SceneView]:
    view = SceneView(adapter=lambda: None)
    view.scene.fuse = FUSE
    fused = fuse_keyframes(dict(enumerate(keyframes)), FUSE)
    for at, keyframe in enumerate(keyframes):
        view.add_packed(at, packed_keyframe(keyframe, fused.cloud(at, keyframe)))
    yield view
    view.deleteLater()


def wait_until_shown_as_exported(view: SceneView, keyframes: list[Keyframe]) -> None:
    expected = np.sort(view.selection(keyframes).cloud.points, axis=0)
    ends = time.monotonic() + 20
    while time.monotonic() < ends:
        QApplication.processEvents()
        shown = np.sort(view.scene.shown_cloud().points, axis=0)
        if shown.shape == expected.shape and np.allclose(shown, expected, atol=1e-5):
            return
        time.sleep(0.01)
    pytest.fail(f"{len(shown)} points are shown, {len(expected)} exported")


def test_what_is_shown_is_what_is_exported(view: SceneView, keyframes: list[Keyframe]) -> None:
    sharing = Sharing(view)
    sharing.begin(keyframes)
    whole = view.scene.shown_count
    view.undo()
    assert view.scene.shown_count < whole
    wait_until_shown_as_exported(view, keyframes)
    view.show_only([2])
    wait_until_shown_as_exported(view, keyframes)
    view.show_only()
    view.redo()
    wait_until_shown_as_exported(view, keyframes)
    assert view.scene.shown_count == whole
    sharing.close()


def test_a_new_scene_gets_nothing_of_the_last(view: SceneView, keyframes: list[Keyframe]) -> None:
    sharing = Sharing(view)
    sharing.begin(keyframes)
    view.undo()
    sharing.end()
    view.clear()
    sharing.close()
    QApplication.processEvents()
    assert not view.scene.keyframes
