"""Draws the picture of a World in passes, as large as the time they take allows."""

import time
from collections.abc import Callable

import numpy as np
import pygfx as gfx
import shiboken6
from numpy.typing import NDArray
from rendercanvas.offscreen import OffscreenRenderCanvas

from app.ui.canvas import Canvas
from app.ui.pace import Pace
from app.ui.painter import Pass, painter
from app.ui.world import World


class Passes:
    """Each pass puts its share of the points on top of what the picture has so far.

    began: called when a new picture begins; count: passes that were drawn.
    """

    def __init__(self, world: World, canvas: Canvas, pace: Pace) -> None:
        self.began: Callable[[], object] = lambda: None
        self.count = 0
        self.pace = pace
        self._world, self._canvas = world, canvas
        self._target = OffscreenRenderCanvas()
        self._renderer = painter().call(
            lambda: gfx.WgpuRenderer(self._target, pixel_scale=1, ppaa="none", enable_events=False)
        )
        # The user's camera goes on while the painter looks through its own.
        self._eye = gfx.PerspectiveCamera()
        self._picture: tuple[object, ...] = ()
        self._share_drawn = 0.0

    def restart(self) -> None:
        """Begin a new picture with the next pass, even if nothing has changed."""
        self._picture = ()

    def next(self, camera: gfx.PerspectiveCamera) -> Pass | None:
        """The next pass of what the camera sees; nothing for a canvas without a size."""
        size, ratio = self._canvas.get_physical_size(), self._canvas.get_pixel_ratio()
        if min(size) <= 0:
            return None
        world = self._world
        matrix = camera.camera_matrix.tobytes()
        picture = (matrix, size, ratio, world.material.size, world.changes)
        is_first = picture != self._picture
        if is_first:
            self._picture = picture
            self._share_drawn = 0.0
            self._target.set_pixel_ratio(ratio)
            self._target.set_physical_size(*size)
            self._eye.set_state(camera.get_state())
        shown = world.clouds
        count = max(1, sum(cloud.count for cloud in shown))
        limit = min(1.0, self.pace.points_a_picture / count)
        begin = self._share_drawn
        end = max(begin, min(limit, begin + self.pace.points_a_pass / count))
        for cloud in shown:
            cloud.draw_share(begin, end)
        world.under.visible = is_first
        world.over.visible = is_first or end >= limit
        self._share_drawn = end
        is_new = not self.count

        def draw() -> tuple[NDArray[np.uint8], float]:
            if is_new:
                world.draw_one_of_everything(self._renderer, self._eye)
            start = time.perf_counter()
            self._target.request_draw(
                lambda: self._renderer.render(world.root, self._eye, clear=is_first)
            )
            return np.asarray(self._target.draw()), time.perf_counter() - start

        def show(drawn: tuple[NDArray[np.uint8], float]) -> None:
            image, seconds = drawn
            self.pace.took(round((end - begin) * count), seconds)
            self.count += 1
            if shiboken6.isValid(self._canvas):
                self._canvas.show_picture(image)
                if end < limit:
                    self._canvas.request_draw()

        if is_first:
            self.began()
        return draw, show
