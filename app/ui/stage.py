"""Draws a Scene with pygfx into a Qt widget, and moves the camera."""

import numpy as np
import pygfx as gfx
import shiboken6
from PySide6.QtWidgets import QWidget
from rendercanvas.qt import QRenderWidget

from app.ui import style
from app.ui.adapter import Adapter
from app.ui.framing import FIELD_OF_VIEW, UP, viewpoint
from app.ui.packed_cloud import PackedCloud, PackedCloudMaterial
from app.ui.scene import Scene, frustum_segments

FRUSTUM_LENGTH = (0.02, 0.06)
"""Bounds of the length of a frustum, as shares of the radius of the scene."""

CPU_POINTS_A_PASS = 40_000
CPU_POINTS = 600_000
"""A software adapter takes 1 to 2 ms for 1,000 points, and the window waits for it. There a
picture gets its points in passes, between which the window answers, and only so many in all."""


class _Canvas(QRenderWidget):
    """A canvas that may be deleted while a picture is still on its way from the adapter."""

    def _rc_request_paint(self) -> None:
        if shiboken6.isValid(self):
            super()._rc_request_paint()


class Stage:
    """The pygfx side of the 3D view; `canvas` is the widget to put into a layout."""

    def __init__(self, parent: QWidget, scene: Scene, adapter: Adapter) -> None:
        self._scene = scene
        self.canvas = _Canvas(parent, update_mode="ondemand", max_fps=30)
        self._renderer = gfx.WgpuRenderer(self.canvas, pixel_scale=1, ppaa="none")
        self._material = PackedCloudMaterial(size=2.0, threshold=0)
        self._clouds: dict[int, PackedCloud] = {}
        nothing = np.zeros((2, 3), np.float32)
        self._frustums = gfx.Line(
            gfx.Geometry(positions=nothing),
            gfx.LineSegmentMaterial(thickness=1.2, color_mode="vertex", aa=True, depth_write=True),
            visible=False,
        )
        self._trajectory = gfx.Line(
            gfx.Geometry(positions=nothing),
            gfx.LineMaterial(thickness=2.0, color=style.TRAJECTORY, aa=True, depth_write=True),
            visible=False,
        )
        self._first_pass = gfx.Group()
        self._first_pass.add(gfx.Background.from_color(style.VIEW_BOTTOM, style.VIEW_TOP))
        self._first_pass.add(self._frustums, self._trajectory)
        self._world = gfx.Scene()
        self._world.add(self._first_pass)

        self._camera = gfx.PerspectiveCamera(FIELD_OF_VIEW)
        self._camera.world.reference_up = UP
        self._controller = gfx.OrbitController(self._camera, register_events=self._renderer)
        self._framed_at = np.full(3, np.nan)
        self._radius = 1.0
        self._changes = self._caught_up = 0
        self._points_a_pass = CPU_POINTS_A_PASS if adapter.is_cpu else None
        self._picture: tuple[object, ...] = ()
        self._share_drawn = 0.0
        self.passes_drawn = 0
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
        self._changes += 1
        self.canvas.request_draw()

    def clear(self) -> None:
        """Remove all keyframes."""
        self._world.remove(*self._clouds.values())
        self._clouds.clear()
        self._changes += 1
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
        """Draw all points at once, so that a grab shows them."""
        points_a_pass, self._points_a_pass = self._points_a_pass, None
        self._picture = ()
        self.canvas.force_draw()
        self._points_a_pass = points_a_pass

    def _draw(self) -> None:
        """Draw one pass: the next share of the points, on top of what the picture has so far."""
        self._controller.tick()
        self._catch_up()
        picture = (
            self._camera.camera_matrix.tobytes(),
            self.canvas.get_physical_size(),
            self._material.threshold,
            self._material.size,
            self._changes,
        )
        is_first = picture != self._picture
        if is_first:
            self._picture = picture
            self._share_drawn = 0.0
        count = max(1, self._scene.point_count)
        limit = step = 1.0
        if self._points_a_pass:
            limit, step = min(1.0, CPU_POINTS / count), self._points_a_pass / count
        share = min(limit, self._share_drawn + step)
        for cloud in self._clouds.values():
            cloud.draw_share(self._share_drawn, share)
        self._first_pass.visible = is_first
        self._renderer.render(self._world, self._camera, clear=is_first)
        self._share_drawn = share
        self.passes_drawn += 1
        if share < limit:
            self.canvas.request_draw()

    def _catch_up(self) -> None:
        """Bring camera and lines up to date, once for all changes since the last picture."""
        if self._caught_up == self._changes:
            return
        self._caught_up = self._changes
        if not self.moved_by_user:
            self.frame()
        self._rebuild_lines()

    def _rebuild_lines(self) -> None:
        keyframes = self._scene.keyframes
        self._frustums.visible = bool(keyframes)
        self._trajectory.visible = len(keyframes) > 1
        if not keyframes:
            return
        centers = self._scene.centers().astype(np.float32)
        shortest, longest = (share * self._radius for share in FRUSTUM_LENGTH)
        # As long as the step to the next camera, so that they do not fill each other.
        steps = np.linalg.norm(np.diff(centers, axis=0), axis=1)
        length = float(np.clip(np.median(steps), shortest, longest)) if len(steps) else longest
        segments = [frustum_segments(keyframes[index], length) for index in sorted(keyframes)]
        colors = np.tile(gfx.Color(style.FRUSTUM), (16 * len(segments), 1)).astype(np.float32)
        colors[-16:] = gfx.Color(style.TRAJECTORY)
        self._frustums.geometry = gfx.Geometry(positions=np.concatenate(segments), colors=colors)
        if len(keyframes) > 1:
            self._trajectory.geometry = gfx.Geometry(positions=centers)
