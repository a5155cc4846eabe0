"""Draws a Scene with pygfx into a Qt widget, tells where it is clicked, and moves the camera."""

import time
from collections.abc import Callable

import numpy as np
import pygfx as gfx
import shiboken6
from numpy.typing import NDArray
from PySide6.QtWidgets import QWidget

from app.ui import style
from app.ui.adapter import Adapter
from app.ui.cameras import CameraMarks
from app.ui.canvas import Canvas, Renderer
from app.ui.framing import viewpoint
from app.ui.navigation import CameraState, Navigation
from app.ui.overlay import Overlay
from app.ui.pace import Pace
from app.ui.packed_cloud import EVERYWHERE, PackedCloud, PackedCloudMaterial
from app.ui.picking import Pick, pick, to_screen
from app.ui.scene import Scene


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
        self.canvas = Canvas(parent, update_mode="ondemand", max_fps=30)
        self._renderer = Renderer(self.canvas, pixel_scale=1, ppaa="none")
        self._material = PackedCloudMaterial(size=2.0)
        self._clouds: dict[int, PackedCloud] = {}
        self.marks = CameraMarks(scene)
        self.overlay = Overlay()
        self._background = gfx.Background(None, gfx.BackgroundMaterial())
        self._first_pass = gfx.Group()
        self._first_pass.add(self._background, self.marks.group)
        self._world = gfx.Scene()
        self._world.add(self._first_pass, self.overlay.group)
        self._navigation = Navigation(self._renderer)
        self._camera = self._navigation.camera
        self.follows = False
        self.chosen: int | None = None
        self.radius = 1.0
        self._framed_at = np.full(3, np.nan)
        self._seen_from = b""
        self._changes = 0
        self._marks_are_old = self._has_grown = True
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
        self._material.set(size=pixels)
        self.canvas.request_draw()

    def recolor(self) -> None:
        """Take over the colours of the theme."""
        bottom, top = gfx.Color(style.VIEW_BOTTOM), gfx.Color(style.VIEW_TOP)
        self._background.material.set_colors(bottom, top)
        self.overlay.recolor()
        self.sync_marks()

    def sync(self) -> None:
        """Take over from the scene which points are hidden."""
        low, high = self._scene.crop or (-EVERYWHERE, EVERYWHERE)
        threshold, masks = self._scene.threshold, self._scene.mask_bits
        self._material.set(threshold=threshold, masks=masks, low=low, high=high)
        self.overlay.set_box(self._scene.crop)
        self._changes += 1
        self.canvas.request_draw()

    def sync_marks(self) -> None:
        """Take over which keyframes are shown and which one is chosen."""
        self._marks_are_old = True
        self.sync()

    def sync_keyframe(self, position: int) -> None:
        """Upload the points of a keyframe that is new or has changed."""
        self._drop(position)
        keyframe = self._scene.keyframes[position]
        if len(keyframe.packed):
            self._clouds[position] = PackedCloud(keyframe.packed, self._material)
            self._world.add(self._clouds[position])
        if keyframe.image is not None:
            self.marks.set_image(position, keyframe.image)
        self.sync_pose(position)

    def sync_pose(self, position: int) -> None:
        """Move a keyframe to its pose; nothing is uploaded."""
        if position in self._clouds:
            matrix = self._scene.keyframes[position].world_from_points
            self._clouds[position].local.matrix = matrix
        self._has_grown = True
        self.sync_marks()

    def remove(self, position: int) -> None:
        """Remove the points of a keyframe that the scene no longer has."""
        self._drop(position)
        self._has_grown = True
        self.sync_marks()

    def clear(self) -> None:
        """Remove all keyframes."""
        for position in list(self._clouds):
            self._drop(position)
        self.marks.clear()
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
        self._seen_from = self._camera.camera_matrix.tobytes()
        self.canvas.request_draw()

    def on_screen(self, points: NDArray[np.floating]) -> NDArray[np.floating]:
        """Logical pixels and depth [N,3] of world points [N,3]; depth is below 0 behind it."""
        return to_screen(points, self._camera.camera_matrix, self.canvas.get_logical_size())

    def pick(self, x: float, y: float) -> Pick | None:
        """What is shown at or very near to a place in logical pixels."""
        cameras = self.marks.corners if self.marks.group.visible else {}
        size = self.canvas.get_logical_size()
        return pick(self._scene, cameras, self._camera.camera_matrix, size, (x, y))

    def draw_now(self) -> None:
        """Draw all points at once, so that a grab shows them."""
        pace, self._pace = self._pace, Pace(is_cpu=False)
        self._picture = ()
        self.canvas.force_draw()
        self._pace = pace

    def _drop(self, position: int) -> None:
        if position in self._clouds:
            self._world.remove(self._clouds.pop(position))

    def _on_click(self, x: float, y: float) -> None:
        self.clicked(self.pick(x, y))

    def _take_camera(self) -> None:
        self._navigation.follow(None)
        self.touched()

    def _draw(self) -> None:
        """Draw one pass: the next share of the points, on top of what the picture has so far."""
        if not shiboken6.isValid(self.canvas):
            return
        if not self.passes_drawn:
            self._warm_up()
        began = time.perf_counter()
        is_moving = self._navigation.tick(began - self._ticked)
        self._ticked = began
        self._catch_up()
        seen_from = self._camera.camera_matrix.tobytes()
        picture = (seen_from, self.canvas.get_physical_size(), self._material.size, self._changes)
        is_first = picture != self._picture
        if is_first:
            self._picture = picture
            self._share_drawn = 0.0
        shown = [(p, c) for p, c in self._clouds.items() if c.shown]
        count = max(1, sum(cloud.count for _, cloud in shown))
        limit = min(1.0, self._pace.points_a_picture / count)
        share = max(
            self._share_drawn, min(limit, self._share_drawn + self._pace.points_a_pass / count)
        )
        for _, cloud in shown:
            cloud.draw_share(self._share_drawn, share)
        self._first_pass.visible = is_first
        self.overlay.group.visible = is_first or share >= limit
        self._renderer.render(self._world, self._camera, clear=is_first)
        self._pace.took(round((share - self._share_drawn) * count), time.perf_counter() - began)
        self._share_drawn = share
        self.passes_drawn += 1
        if share < limit or is_moving:
            self.canvas.request_draw()
        if is_first:
            moved, self._seen_from = seen_from != self._seen_from, seen_from
            self.drawn(moved)

    def _warm_up(self) -> None:
        """Draw one of everything, so that no shader is left to compile once keyframes arrive."""
        point = PackedCloud(np.zeros((1, 4), np.uint32), self._material)
        self._world.add(point)
        self._renderer.render(self._world, self._camera, clear=True)
        self._world.remove(point)
        self.overlay.set_box(self._scene.crop)
        self.overlay.set_measures(np.empty((0, 3), np.float32))

    def _catch_up(self) -> None:
        """Bring camera and lines up to date, once for all changes since the last picture."""
        if not self._marks_are_old:
            return
        shown = set(self._scene.shown_positions)
        for position, cloud in self._clouds.items():
            cloud.shown = cloud.visible = position in shown
        if self.follows and shown:
            self.look_along(max(shown))
        elif self._has_grown and not self.moved_by_user:
            self.frame()
        self.marks.update(self.radius, self.chosen)
        self._marks_are_old = self._has_grown = False
