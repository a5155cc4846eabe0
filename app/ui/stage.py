"""Draws a Scene with pygfx into a Qt widget, tells where it is clicked, and moves the camera."""

import time
from collections.abc import Callable

import numpy as np
import shiboken6
from numpy.typing import NDArray
from PySide6.QtWidgets import QWidget

from app.ui.adapter import Adapter
from app.ui.canvas import Canvas, CanvasEvents
from app.ui.framing import viewpoint
from app.ui.navigation import CameraState, Navigation
from app.ui.pace import Pace
from app.ui.painter import Pass, painter
from app.ui.passes import Passes
from app.ui.picking import Pick, pick, to_screen
from app.ui.scene import Box, Scene
from app.ui.world import World


class Stage:
    """The pygfx side of the 3D view; `canvas` is the widget to put into a layout.

    clicked: called with what a click hit, or None; drawn: called after the camera has moved, with
    whether the user or `frame` moved it (and not `set_camera_state`); touched: called when the
    user takes the camera. companions: other scenes that `frame` brings into view, too; is_led:
    another stage looks for this one, which does not frame its scene by itself.
    """

    def __init__(self, parent: QWidget, scene: Scene, adapter: Adapter) -> None:
        self._scene = scene
        self.clicked: Callable[[Pick | None], object] = lambda pick: None
        self.drawn: Callable[[bool], object] = lambda moved: None
        self.touched: Callable[[], object] = lambda: None
        self.canvas = Canvas(parent)
        self._painter = painter()
        self._world = World(scene)
        self.passes = Passes(self._world, self.canvas, Pace(adapter.is_cpu))
        self.passes.began = self._on_began
        self._navigation = Navigation(CanvasEvents(self.canvas))
        self._camera = self._navigation.camera
        self.follows = False
        self.is_led = False
        self.companions: list[Scene] = []
        self.chosen: int | None = None
        self.radius = 1.0
        self._framed_at = np.full(3, np.nan)
        self._seen_from = b""
        self._aim_is_old = self._has_grown = True
        self._ticked = time.perf_counter()
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
        self._painter.change(lambda: self._world.material.set(size=pixels))
        self.canvas.request_draw()

    def recolor(self) -> None:
        """Take over the colours of the theme."""
        self._painter.change(self._world.recolor)
        self.sync_marks()

    def sync(self) -> None:
        """Take over from the scene which points are hidden."""
        self._painter.change(self._world.sync)
        self.canvas.request_draw()

    def sync_marks(self) -> None:
        """Take over which keyframes are shown and which one is chosen."""
        self._world.marks_are_old = self._aim_is_old = True
        self.sync()

    def sync_keyframe(self, position: int) -> None:
        """Upload the points of a keyframe that is new or has changed."""
        keyframe = self._scene.keyframes[position]
        self._painter.change(lambda: self._world.put(position, keyframe))
        self.sync_pose(position)

    def sync_pose(self, position: int) -> None:
        """Move a keyframe to its pose; nothing is uploaded."""
        self._painter.change(lambda: self._world.place(position))
        self._has_grown = True
        self.sync_marks()

    def set_measures(self, points: NDArray[np.float32]) -> None:
        """Draw lines between pairs of points [N,3] of the world."""
        self._painter.change(lambda: self._world.overlay.set_measures(points))
        self.sync()

    def set_outline(self, box: Box | None) -> None:
        """Show the edges of a box while nothing is cropped."""
        self._world.outline = box
        self.sync()

    def set_cameras_shown(self, shown: bool) -> None:
        """Show or hide the cameras and their path."""
        self._painter.change(lambda: setattr(self._world.marks.group, "visible", shown))
        self.sync()

    def remove(self, position: int) -> None:
        """Remove the points of a keyframe that the scene no longer has."""
        self._painter.change(lambda: self._world.drop(position))
        self._has_grown = True
        self.sync_marks()

    def clear(self) -> None:
        """Remove all keyframes."""
        self._painter.change(self._world.clear)
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
        scenes = [self._scene, *self.companions]
        points = np.concatenate([scene.sample() for scene in scenes])
        centers = np.concatenate([scene.centers() for scene in scenes])
        view = viewpoint(points, centers, forward, width / height)
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
        self._seen_from = self._place_of_camera()
        self.canvas.request_draw()

    def on_screen(self, points: NDArray[np.floating]) -> NDArray[np.floating]:
        """Logical pixels and depth [N,3] of world points [N,3]; depth is below 0 behind it."""
        return to_screen(points, self._camera_matrix(), self.canvas.get_logical_size())

    def pick(self, x: float, y: float) -> Pick | None:
        """What is shown at or very near to a place in logical pixels."""
        marks = self._world.marks
        cameras = marks.corners if marks.group.visible else {}
        size = self.canvas.get_logical_size()
        return pick(self._scene, cameras, self._camera_matrix(), size, (x, y))

    def draw_now(self) -> None:
        """Draw all points at once, so that a grab shows them."""
        self._painter.finish()  # what is under way counts for the usual pace
        pace, self.passes.pace = self.passes.pace, Pace(is_cpu=False)
        self.passes.restart()
        self._painter.draw(self._begin)
        self.passes.pace = pace

    def _place_of_camera(self) -> bytes:
        """The same in a view of another size: a view that is resized does not lead others."""
        return np.asarray(self._camera.local.matrix).tobytes()

    def _camera_matrix(self) -> NDArray[np.float64]:
        self._camera.set_view_size(*self.canvas.get_logical_size())
        matrix: NDArray[np.float64] = self._camera.camera_matrix
        return matrix

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
        if not shiboken6.isValid(self.canvas):
            return None
        self._aim()
        self._world.update_marks(self.radius, self.chosen)
        self._camera_matrix()
        return self.passes.next(self._camera)

    def _on_began(self) -> None:
        seen_from = self._place_of_camera()
        moved, self._seen_from = seen_from != self._seen_from, seen_from
        self.drawn(moved)

    def _aim(self) -> None:
        """Let the camera follow what has come or gone."""
        if not self._aim_is_old:
            return
        shown = self._scene.shown_positions
        if self.follows and shown:
            self.look_along(max(shown))
        elif self._has_grown and not (self.moved_by_user or self.is_led):
            self.frame()
        self._aim_is_old = self._has_grown = False
