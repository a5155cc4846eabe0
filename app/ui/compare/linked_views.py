"""Two 3D views with one camera, in one world."""

from collections.abc import Callable
from typing import Any

import numpy as np
from PySide6.QtCore import QTimer
from PySide6.QtGui import QResizeEvent

from app.geometry import Sim3, to_homogeneous
from app.ui.adapter import Adapter, find_adapter
from app.ui.compare.split_view import Mode, SplitView
from app.ui.scene import SceneKeyframe
from app.ui.scene_view import SceneView


class LinkedViews(SplitView):
    """What the camera of one view does, that of the other does too.

    The second reconstruction is moved by a similarity into the world of the first, so that both
    are seen from the same place.
    """

    def __init__(self, adapter: Callable[[], Adapter | None] = find_adapter) -> None:
        self.views = SceneView(adapter=adapter), SceneView(adapter=adapter)
        super().__init__(*self.views, ("", ""))
        self._similarity = Sim3.identity()
        # Poses [4,4] of the second as its own reconstruction has them, and its packed scale.
        self._own: dict[int, SceneKeyframe] = {}
        first, second = self.views
        # The views have their new sizes only after all have heard of it.
        self._refit = QTimer(self, singleShot=True, interval=0)
        self._refit.timeout.connect(first.refit)
        first.lead(second)
        first.camera_changed.connect(lambda state: self._copy(second, state))
        second.camera_changed.connect(lambda state: self._copy(first, state))

    def set_keyframe(self, lane: int, position: int, keyframe: SceneKeyframe) -> None:
        """Add or replace a keyframe, packed in the world of its lane."""
        if lane == 1:
            self._own[position] = keyframe
            keyframe = self._moved(keyframe)
        self.views[lane].add_packed(position, keyframe)
        self._refit.start()

    def set_pose(self, lane: int, position: int, pose: Any, depth_factor: float) -> None:
        """Move a keyframe to a pose [4,4] of its lane's world; its depths grow by the factor."""
        if lane == 0 and position in self.views[0].scene.keyframes:
            self.views[0].set_pose(position, pose, depth_factor)
        elif lane == 1 and position in self._own:
            self._own[position].world_from_camera = np.asarray(pose, np.float64)
            self._own[position].scale *= depth_factor
            self._sync(position)

    def set_similarity(self, similarity: Sim3) -> None:
        """Move the second reconstruction by another similarity."""
        self._similarity = similarity
        for position in self._own:
            self._sync(position)

    def set_mode(self, mode: Mode) -> None:
        super().set_mode(mode)
        self._refit.start()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._refit.start()

    def clear(self) -> None:
        """Empty both views."""
        self._own.clear()
        self._similarity = Sim3.identity()
        for view in self.views:
            view.clear()

    def set_confidence_quantile(self, quantile: float) -> None:
        """Hide the least confident points of both."""
        for view in self.views:
            view.set_confidence_quantile(quantile)

    def reset_view(self) -> None:
        """Look at the whole first scene, with both."""
        first, second = self.views
        first.reset_view()
        self._copy(second, first.camera_state())

    def draw_now(self) -> None:
        """Draw both at once, so that `grab` shows the latest state."""
        for view in self.views:
            view.draw_now()

    def _copy(self, view: SceneView, state: Any) -> None:
        if state:
            view.set_camera_state(state)

    def _sync(self, position: int) -> None:
        shown = self.views[1].scene.keyframes.get(position)
        if shown is None:
            return
        target = self._moved(self._own[position])
        self.views[1].set_pose(position, target.world_from_camera, target.scale / shown.scale)

    def _moved(self, keyframe: SceneKeyframe) -> SceneKeyframe:
        """The keyframe in the first world: a copy that shares the points."""
        similarity = self._similarity
        pose = keyframe.world_from_camera
        moved = np.column_stack([similarity.rotation @ pose[:3, :3], similarity.apply(pose[:3, 3])])
        # dataclasses.replace would unpack the points anew.
        copy = object.__new__(SceneKeyframe)
        copy.__dict__.update(keyframe.__dict__)
        copy.world_from_camera = np.asarray(to_homogeneous(moved), np.float64)
        copy.scale = keyframe.scale * similarity.scale
        return copy
