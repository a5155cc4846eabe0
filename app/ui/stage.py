"""Draws a Scene with pygfx into a Qt widget, tells where it is clicked, and moves the camera."""

import time
from collections.abc import Callable

import numpy as np
import pygfx as gfx
import shiboken6
from numpy.typing import NDArray
from PySide6.QtWidgets import QWidget
from rendercanvas.offscreen import OffscreenRenderCanvas

from app.ui import style
from app.ui.adapter import Adapter
from app.ui.cameras import CameraMarks
from app.ui.canvas import Canvas, CanvasEvents
from app.ui.framing import viewpoint
from app.ui.navigation import CameraState, Navigation
from app.ui.overlay import Overlay
from app.ui.pace import Pace
from app.ui.packed_cloud import EVERYWHERE, PackedCloud, PackedCloudMaterial
from app.ui.painter import Pass, painter
from app.ui.picking import Pick, pick, to_screen
from app.ui.scene import Scene, SceneKeyframe


class Stage:
    """The pygfx side of the 3D view; `canvas` is the widget to put into a layout.

    clicked: called with what a click hit, or None; drawn: called after the camera has moved, with
    whether the user or `frame` moved it (and not `set_camera_state`); touched: called when the
    user takes the camera.
    """

    def __init__(self, parent: QWidget, scene: Scene, adapter: Adapter) -> None:
        self._scene = scene
        self.clicked: Callable[[Pick | None], object] = lambda pick: None
        self.drawn: Callable[[bool], object] = lambda moved: None
        self.touched: Callable[[], object] = lambda: None
        self.canvas = Canvas(parent)
        self._painter = painter()
        self._target = OffscreenRenderCanvas()
        self._renderer = self._painter.call(
            lambda: gfx.WgpuRenderer(self._target, pixel_scale=1, ppaa="none", enable_events=False)
        )
        self._material = PackedCloudMaterial(size=2.0)
        self._clouds: dict[int, PackedCloud] = {}
        self.marks = CameraMarks(scene)
        self.overlay = Overlay()
        self._background = gfx.Background(None, gfx.BackgroundMaterial())
        self._first_pass = gfx.Group()
        self._first_pass.add(self._background, self.marks.group)
        self._world = gfx.Scene()
        self._world.add(self._first_pass, self.overlay.group)
        self._navigation = Navigation(CanvasEvents(self.canvas))
        self._camera = self._navigation.camera
        # The user's camera goes on while the painter looks through its own.
        self._eye = gfx.PerspectiveCamera()
        self.follows = False
        self.chosen: int | None = None
        self.radius = 1.0
        self._framed_at = np.full(3, np.nan)
        self._seen_from = b""
        self._changes = 0
        self._marks_are_old = self._aim_is_old = self._has_grown = True
        self._pace = Pace(adapter.is_cpu)
        self._picture: tuple[object, ...] = ()
        self._share_drawn = 0.0
        self._ticked = time.perf_counter()
        self.passes_drawn = 0
        self.canvas.clicked.connect(self._on_click)
        self.canvas.dragged.connect(self._take_camera)
        self.canvas.request_draw(self._draw)
        self.recolor()
        self.frame()

    @property
    def moved_by_user(self) -> bool:
        """Whether the camera left the place where `frame` put it."""
        return not np.allclose(self._camera.local.position, self._framed_at)

    @property
    def mode(self) -> str:
        """How the mouse moves the camera: one of `MODES`."""
        return self._navigation.mode

    @mode.setter
    def mode(self, mode: str) -> None:
        self._navigation.mode = mode
        self.canvas.flying = mode == "fly"
        self.canvas.request_draw()

    def set_point_size(self, pixels: float) -> None:
        """Side of a point in logical pixels."""
        self._painter.change(lambda: self._material.set(size=pixels))
        self.canvas.request_draw()

    def recolor(self) -> None:
        """Take over the colours of the theme."""
        bottom, top = gfx.Color(style.VIEW_BOTTOM), gfx.Color(style.VIEW_TOP)
        self._painter.change(lambda: self._background.material.set_colors(bottom, top))
        self._painter.change(self.overlay.recolor)
        self.sync_marks()

    def sync(self) -> None:
        """Take over from the scene which points are hidden."""
        self._painter.change(self._sync)
        self.canvas.request_draw()

    def sync_marks(self) -> None:
        """Take over which keyframes are shown and which one is chosen."""
        self._marks_are_old = self._aim_is_old = True
        self.sync()

    def sync_keyframe(self, position: int) -> None:
        """Upload the points of a keyframe that is new or has changed."""
        keyframe = self._scene.keyframes[position]
        self._painter.change(lambda: self._put(position, keyframe))
        self.sync_pose(position)

    def sync_pose(self, position: int) -> None:
        """Move a keyframe to its pose; nothing is uploaded."""
        self._painter.change(lambda: self._place(position))
        self._has_grown = True
        self.sync_marks()

    def set_image(self, position: int, image: NDArray[np.uint8]) -> None:
        """Draw the camera of a keyframe with the picture [H,W,3]."""
        self._painter.change(lambda: self.marks.set_image(position, image))
        self.sync_marks()

    def set_measures(self, points: NDArray[np.float32]) -> None:
        """Draw lines between pairs of points [N,3] of the world."""
        self._painter.change(lambda: self.overlay.set_measures(points))
        self.sync()

    def set_cameras_shown(self, shown: bool) -> None:
        """Show or hide the cameras and their path."""
        self._painter.change(lambda: setattr(self.marks.group, "visible", shown))
        self.sync()

    def remove(self, position: int) -> None:
        """Remove the points of a keyframe that the scene no longer has."""
        self._painter.change(lambda: self._drop(position))
        self._has_grown = True
        self.sync_marks()

    def clear(self) -> None:
        """Remove all keyframes."""
        self._painter.change(self._drop_all)
        self.chosen = None
        self.sync_marks()
        self.frame()

    def frame(self) -> None:
        """Look at the whole scene from behind and above the first camera."""
        shown = self._scene.shown_positions
        forward = np.array([0.0, 0.0, 1.0])
        if shown:
            forward = self._scene.keyframes[shown[0]].world_from_camera[:3, 2]
        width, height = self.canvas.get_logical_size()
        self._camera.set_view_size(width, height)
        view = viewpoint(self._scene.sample(), self._scene.centers(), forward, width / height)
        self._navigation.follow(None)
        self._navigation.look(view.position, view.target)
        self._navigation.set_radius(view.radius)
        self.radius = view.radius
        self._framed_at = np.array(self._camera.local.position)
        self.canvas.request_draw()

    def look_along(self, position: int) -> None:
        """Go smoothly to behind the camera of a keyframe."""
        pose = self._scene.keyframes[position].world_from_camera
        self._navigation.follow(pose, self.radius)
        self._ticked = time.perf_counter()
        self.canvas.request_draw()

    def camera_state(self) -> CameraState:
        """Where the camera is, for the stage of another view."""
        return self._navigation.state()

    def set_camera_state(self, state: CameraState) -> None:
        """Look like the camera of another view."""
        self._navigation.follow(None)
        self._navigation.set_state(state)
        self._seen_from = self._camera_matrix().tobytes()
        self.canvas.request_draw()

    def on_screen(self, points: NDArray[np.floating]) -> NDArray[np.floating]:
        """Logical pixels and depth [N,3] of world points [N,3]; depth is below 0 behind it."""
        return to_screen(points, self._camera_matrix(), self.canvas.get_logical_size())

    def pick(self, x: float, y: float) -> Pick | None:
        """What is shown at or very near to a place in logical pixels."""
        cameras = self.marks.corners if self.marks.group.visible else {}
        size = self.canvas.get_logical_size()
        return pick(self._scene, cameras, self._camera_matrix(), size, (x, y))

    def draw_now(self) -> None:
        """Draw all points at once, so that a grab shows them."""
        self._painter.finish()  # what is under way counts for the usual pace
        pace, self._pace = self._pace, Pace(is_cpu=False)
        self._picture = ()
        self._painter.draw(self._begin)
        self._pace = pace

    def _camera_matrix(self) -> NDArray[np.float64]:
        self._camera.set_view_size(*self.canvas.get_logical_size())
        matrix: NDArray[np.float64] = self._camera.camera_matrix
        return matrix

    def _sync(self) -> None:
        low, high = self._scene.crop or (-EVERYWHERE, EVERYWHERE)
        threshold, masks = self._scene.threshold, self._scene.mask_bits
        self._material.set(threshold=threshold, masks=masks, low=low, high=high)
        self.overlay.set_box(self._scene.crop)
        self._changes += 1

    def _put(self, position: int, keyframe: SceneKeyframe) -> None:
        self._drop(position)
        if len(keyframe.packed):
            self._clouds[position] = PackedCloud(keyframe.packed, self._material)
            self._world.add(self._clouds[position])
        if keyframe.image is not None:
            self.marks.set_image(position, keyframe.image)

    def _place(self, position: int) -> None:
        if position in self._clouds and position in self._scene.keyframes:
            matrix = self._scene.keyframes[position].world_from_points
            self._clouds[position].local.matrix = matrix

    def _drop(self, position: int) -> None:
        if position in self._clouds:
            self._world.remove(self._clouds.pop(position))

    def _drop_all(self) -> None:
        for position in list(self._clouds):
            self._drop(position)
        self.marks.clear()

    def _on_click(self, x: float, y: float) -> None:
        self.clicked(self.pick(x, y))

    def _take_camera(self) -> None:
        self._navigation.follow(None)
        self.touched()

    def _draw(self) -> None:
        """Move on, and draw the next pass as soon as the painter is free."""
        if not shiboken6.isValid(self.canvas):
            return
        self._aim()
        now = time.perf_counter()
        if self._navigation.tick(now - self._ticked):
            self.canvas.request_draw()
        self._ticked = now
        self._painter.request(self._begin)

    def _begin(self) -> Pass | None:
        """One pass: the next share of the points, on top of what the picture has so far."""
        if not shiboken6.isValid(self.canvas):
            return None
        size, ratio = self.canvas.get_physical_size(), self.canvas.get_pixel_ratio()
        if min(size) <= 0:
            return None
        self._aim()
        self._update_marks()
        matrix = self._camera_matrix()
        picture = (matrix.tobytes(), size, ratio, self._material.size, self._changes)
        is_first = picture != self._picture
        if is_first:
            self._picture = picture
            self._share_drawn = 0.0
            self._target.set_pixel_ratio(ratio)
            self._target.set_physical_size(*size)
            self._eye.set_state(self._camera.get_state())
        shown = [cloud for cloud in self._clouds.values() if cloud.shown]
        count = max(1, sum(cloud.count for cloud in shown))
        limit = min(1.0, self._pace.points_a_picture / count)
        begin = self._share_drawn
        end = max(begin, min(limit, begin + self._pace.points_a_pass / count))
        for cloud in shown:
            cloud.draw_share(begin, end)
        self._first_pass.visible = is_first
        self.overlay.group.visible = is_first or end >= limit
        self._share_drawn = end
        is_new = not self.passes_drawn

        def draw() -> tuple[NDArray[np.uint8], float]:
            if is_new:
                self._warm_up()
            began = time.perf_counter()
            self._target.request_draw(
                lambda: self._renderer.render(self._world, self._eye, clear=is_first)
            )
            return np.asarray(self._target.draw()), time.perf_counter() - began

        def show(drawn: tuple[NDArray[np.uint8], float]) -> None:
            image, seconds = drawn
            self._pace.took(round((end - begin) * count), seconds)
            self.passes_drawn += 1
            if shiboken6.isValid(self.canvas):
                self.canvas.show_picture(image)
                if end < limit:
                    self.canvas.request_draw()

        if is_first:
            seen_from = matrix.tobytes()
            moved, self._seen_from = seen_from != self._seen_from, seen_from
            self.drawn(moved)
        return draw, show

    def _warm_up(self) -> None:
        """Draw one of everything, so that no shader is left to compile once keyframes arrive."""
        point = PackedCloud(np.zeros((1, 4), np.uint32), self._material)
        self._world.add(point)
        lines = [*self.marks.group.children, *self.overlay.group.children]
        were_visible = [line.visible for line in lines]
        for line in lines:
            line.visible = True
        self._renderer.render(self._world, self._eye, clear=True)
        for line, was_visible in zip(lines, were_visible, strict=True):
            line.visible = was_visible
        self._world.remove(point)
        self.overlay.set_box(self._scene.crop)
        self.overlay.set_measures(np.empty((0, 3), np.float32))

    def _aim(self) -> None:
        """Let the camera follow what has come or gone."""
        if not self._aim_is_old:
            return
        shown = self._scene.shown_positions
        if self.follows and shown:
            self.look_along(max(shown))
        elif self._has_grown and not self.moved_by_user:
            self.frame()
        self._aim_is_old = self._has_grown = False

    def _update_marks(self) -> None:
        """Bring clouds and lines up to date, once for all changes since the last pass."""
        if not self._marks_are_old:
            return
        self._marks_are_old = False
        shown = set(self._scene.shown_positions)
        for position, cloud in self._clouds.items():
            cloud.shown = cloud.visible = position in shown
        self.marks.update(self.radius, self.chosen)
