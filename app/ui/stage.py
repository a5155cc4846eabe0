"""Draws a Scene with pygfx into a Qt widget, and moves the camera."""

import numpy as np
import pygfx as gfx
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QWidget
from rendercanvas.qt import QRenderWidget

from app.ui import style
from app.ui.adapter import Adapter
from app.ui.framing import FIELD_OF_VIEW, UP, viewpoint
from app.ui.packed_cloud import PackedCloud, PackedCloudMaterial
from app.ui.scene import Scene, frustum_segments

FRUSTUM_LENGTH = 0.06
"""Of a camera, as a share of the radius of the scene."""

CPU_POINTS_MOVING = 60_000
CPU_POINTS_STILL = 600_000
SETTLE_MS = 400
"""A software adapter takes about 1 ms for 1,000 points. There the view draws a sample while
something moves, and all it can afford when nothing has changed for SETTLE_MS."""


class Stage:
    """The pygfx side of the 3D view; `canvas` is the widget to put into a layout."""

    def __init__(self, parent: QWidget, scene: Scene, adapter: Adapter) -> None:
        self._scene = scene
        self._on_cpu = adapter.is_cpu
        self.canvas = QRenderWidget(parent, update_mode="ondemand", max_fps=30)
        self._renderer = gfx.WgpuRenderer(self.canvas, pixel_scale=1, ppaa="none")
        self._material = PackedCloudMaterial(size=2.0, threshold=0)
        self._clouds: dict[int, PackedCloud] = {}
        nothing = np.zeros((2, 3), np.float32)
        self._frustums = gfx.Line(
            gfx.Geometry(positions=nothing),
            gfx.LineSegmentMaterial(thickness=1.2, color_mode="vertex", aa=True),
            visible=False,
        )
        self._trajectory = gfx.Line(
            gfx.Geometry(positions=nothing),
            gfx.LineMaterial(thickness=2.0, color=style.TRAJECTORY, aa=True),
            visible=False,
        )
        self._world = gfx.Scene()
        self._world.add(gfx.Background.from_color(style.VIEW_BOTTOM, style.VIEW_TOP))
        self._world.add(self._frustums, self._trajectory)

        self._camera = gfx.PerspectiveCamera(FIELD_OF_VIEW)
        self._camera.world.reference_up = UP
        self._controller = gfx.OrbitController(self._camera, register_events=self._renderer)
        self._framed_at = self._drawn_at = np.full(3, np.nan)
        self._stale = False
        self._radius = 1.0
        self.pictures_drawn = 0

        self._settle = QTimer(self.canvas)
        self._settle.setSingleShot(True)
        self._settle.setInterval(SETTLE_MS)
        self._settle.timeout.connect(self.canvas.request_draw)
        self.canvas.request_draw(self._draw)
        self.frame()

    @property
    def moved_by_user(self) -> bool:
        """Whether the camera left the place where `frame` put it."""
        return not np.allclose(self._camera.local.position, self._framed_at)

    def set_point_size(self, pixels: float) -> None:
        """Side of a point in logical pixels."""
        self._material.size = pixels
        self.canvas.request_draw()

    def sync_threshold(self) -> None:
        """Take over the confidence cut of the scene."""
        self._material.threshold = self._scene.threshold
        self.canvas.request_draw()

    def sync_keyframe(self, index: int) -> None:
        """Upload the points of a keyframe that is new or has changed."""
        if index in self._clouds:
            self._world.remove(self._clouds.pop(index))
        packed = self._scene.keyframes[index].packed
        if len(packed):
            self._clouds[index] = PackedCloud(packed, self._material)
            self._world.add(self._clouds[index])
        self.sync_pose(index)

    def sync_pose(self, index: int) -> None:
        """Move a keyframe to its pose; nothing is uploaded."""
        if index in self._clouds:
            self._clouds[index].local.matrix = self._scene.keyframes[index].world_from_camera
        self._stale = True
        self.canvas.request_draw()

    def clear(self) -> None:
        """Remove all keyframes."""
        self._world.remove(*self._clouds.values())
        self._clouds.clear()
        self._stale = True
        self.frame()

    def frame(self) -> None:
        """Look at the whole scene from behind and above the first camera."""
        keyframes = self._scene.keyframes
        forward = np.array([0.0, 0.0, 1.0])
        if keyframes:
            forward = keyframes[min(keyframes)].world_from_camera[:3, 2]
        width, height = self.canvas.get_logical_size()
        view = viewpoint(self._scene.sample(), self._scene.centers(), forward, width / height)
        self._camera.local.position = view.position
        self._controller.target = view.target
        self._camera.depth_range = (0.02 * view.radius, 100 * view.radius)
        self._radius = view.radius
        self._framed_at = np.array(self._camera.local.position)
        self.canvas.request_draw()

    def draw_now(self) -> None:
        """Draw everything that the adapter can afford, at once, so that a grab shows it."""
        self._catch_up()
        self._drawn_at = np.array(self._camera.local.position)
        self.canvas.force_draw()

    def _draw(self) -> None:
        moving = self._stale or not np.array_equal(self._camera.local.position, self._drawn_at)
        self._catch_up()
        self._drawn_at = np.array(self._camera.local.position)
        if self._on_cpu:
            self._limit_points(CPU_POINTS_MOVING if moving else CPU_POINTS_STILL)
            if moving:
                self._settle.start()
        self._renderer.render(self._world, self._camera)
        self.pictures_drawn += 1

    def _catch_up(self) -> None:
        """Bring camera and lines up to date, once for all changes since the last picture."""
        if not self._stale:
            return
        self._stale = False
        if not self.moved_by_user:
            self.frame()
        self._rebuild_lines()

    def _rebuild_lines(self) -> None:
        keyframes = self._scene.keyframes
        self._frustums.visible = bool(keyframes)
        self._trajectory.visible = len(keyframes) > 1
        if not keyframes:
            return
        length = FRUSTUM_LENGTH * self._radius
        segments = [frustum_segments(keyframes[index], length) for index in sorted(keyframes)]
        colors = np.tile(gfx.Color(style.FRUSTUM), (16 * len(segments), 1)).astype(np.float32)
        colors[-16:] = gfx.Color(style.TRAJECTORY)
        self._frustums.geometry = gfx.Geometry(positions=np.concatenate(segments), colors=colors)
        if len(keyframes) > 1:
            centers = self._scene.centers().astype(np.float32)
            self._trajectory.geometry = gfx.Geometry(positions=centers)

    def _limit_points(self, budget: int) -> None:
        share = min(1.0, budget / max(1, self._scene.point_count))
        for cloud in self._clouds.values():
            cloud.draw_share(share)
