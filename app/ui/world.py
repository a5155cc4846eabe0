"""What pygfx draws of a Scene: clouds, cameras, lines over them and the background."""

import numpy as np
import pygfx as gfx

from app.ui import style
from app.ui.cameras import CameraMarks
from app.ui.overlay import Overlay
from app.ui.packed_cloud import EVERYWHERE, PackedCloud, PackedCloudMaterial
from app.ui.scene import Box, Scene, SceneKeyframe


class World:
    """Belongs to the thread that draws while it draws: change it through `Painter.change`.

    root: what is drawn; under: of it, what is drawn once before the points, over: with the last
    ones. outline: the box that is shown where nothing is cropped. changes: counts what was changed.
    """

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._clouds: dict[int, PackedCloud] = {}
        self._background = gfx.Background(None, gfx.BackgroundMaterial())
        self.material = PackedCloudMaterial(size=2.0)
        self.marks, self.overlay = CameraMarks(scene), Overlay()
        self.under, self.over = gfx.Group(), self.overlay.group
        self.under.add(self._background, self.marks.group)
        self.root = gfx.Scene()
        self.root.add(self.under, self.over)
        self.outline: Box | None = None
        self.changes = 0
        self.marks_are_old = True

    @property
    def clouds(self) -> list[PackedCloud]:
        """Those that are shown."""
        return [cloud for cloud in self._clouds.values() if cloud.shown]

    def recolor(self) -> None:
        """Take over the colours of the theme."""
        bottom, top = gfx.Color(style.VIEW_BOTTOM), gfx.Color(style.VIEW_TOP)
        self._background.material.set_colors(bottom, top)
        self.overlay.recolor()

    def sync(self) -> None:
        """Take over which points are hidden."""
        low, high = self._scene.crop or (-EVERYWHERE, EVERYWHERE)
        threshold, masks = self._scene.threshold, self._scene.mask_bits
        self.material.set(threshold=threshold, masks=masks, low=low, high=high)
        self.overlay.set_box(self._scene.crop or self.outline)
        self.changes += 1

    def put(self, position: int, keyframe: SceneKeyframe) -> None:
        """Upload the points and the picture of a keyframe."""
        self.drop(position)
        if len(keyframe.packed):
            self._clouds[position] = PackedCloud(keyframe.packed, self.material)
            self.root.add(self._clouds[position])
        if keyframe.thumbnail is not None:
            self.marks.set_thumbnail(position, keyframe.thumbnail)

    def place(self, position: int) -> None:
        """Move a keyframe to its pose."""
        if position in self._clouds and position in self._scene.keyframes:
            matrix = self._scene.keyframes[position].world_from_points
            self._clouds[position].local.matrix = matrix

    def drop(self, position: int) -> None:
        """Remove the points of a keyframe."""
        if position in self._clouds:
            self.root.remove(self._clouds.pop(position))

    def clear(self) -> None:
        """Remove all keyframes."""
        for position in list(self._clouds):
            self.drop(position)
        self.marks.clear()

    def update_marks(self, radius: float, chosen: int | None) -> None:
        """Bring clouds and lines up to date, once for all changes since the last pass."""
        if not self.marks_are_old:
            return
        self.marks_are_old = False
        shown = set(self._scene.shown_positions)
        for position, cloud in self._clouds.items():
            cloud.shown = cloud.visible = position in shown
        self.marks.update(radius, chosen)

    def draw_one_of_everything(self, renderer: gfx.WgpuRenderer, eye: gfx.Camera) -> None:
        """So that no shader is left to compile once keyframes arrive."""
        point = PackedCloud(np.zeros((1, 4), np.uint32), self.material)
        self.root.add(point)
        lines = [*self.marks.group.children, *self.overlay.group.children]
        were_visible = [line.visible for line in lines]
        for line in lines:
            line.visible = True
        renderer.render(self.root, eye, clear=True)
        for line, was_visible in zip(lines, were_visible, strict=True):
            line.visible = was_visible
        self.root.remove(point)
        self.overlay.set_box(self._scene.crop or self.outline)
        self.overlay.set_measures(np.empty((0, 3), np.float32))
