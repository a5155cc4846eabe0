"""Lines over the points: the box that crops them, and distances that are measured."""

from itertools import combinations

import numpy as np
import pygfx as gfx
from numpy.typing import NDArray

from app.ui import style
from app.ui.scene import Box


class Overlay:
    """`group` is to be added to a stage, and drawn after the points."""

    def __init__(self) -> None:
        nothing = gfx.Geometry(positions=np.zeros((2, 3), np.float32))
        self._box = gfx.Line(
            nothing, gfx.LineSegmentMaterial(thickness=1.5, aa=True, depth_write=True)
        )
        self._measures = gfx.Line(
            nothing,
            gfx.LineSegmentMaterial(thickness=2.5, aa=True, depth_test=False, depth_write=False),
        )
        self._ends = gfx.Points(
            nothing, gfx.PointsMaterial(size=9, aa=True, depth_test=False, depth_write=False)
        )
        for thing in (self._measures, self._ends):
            thing.render_order = 1
        self.group = gfx.Group()
        self.group.add(self._box, self._measures, self._ends)

    def recolor(self) -> None:
        """Take over the colours of the theme."""
        self._box.material.color = style.MUTED
        self._measures.material.color = self._ends.material.color = style.ACCENT

    def set_box(self, box: Box | None) -> None:
        """Show the edges of a box, or none."""
        self._box.visible = box is not None
        if box is not None:
            self._box.geometry = gfx.Geometry(positions=box_edges(box))

    def set_measures(self, points: NDArray[np.float32]) -> None:
        """Show lines between the pairs of points [N,3]; an odd last one waits for its other end."""
        self._ends.visible = len(points) > 0
        self._measures.visible = len(points) > 1
        if len(points):
            self._ends.geometry = gfx.Geometry(positions=points)
        if len(points) > 1:
            pairs = points[: len(points) // 2 * 2]
            self._measures.geometry = gfx.Geometry(positions=pairs)


def box_edges(box: Box) -> NDArray[np.float32]:
    """The 12 edges of a box as segments [24,3] (pairs of ends)."""
    corners = np.array(np.meshgrid(*np.array(box).T, indexing="ij")).reshape(3, 8).T
    # Corners are numbered by a bit an axis: an edge joins two whose numbers differ in one bit.
    edges = [(a, b) for a, b in combinations(range(8), 2) if (a ^ b).bit_count() == 1]
    return corners[np.array(edges).ravel()].astype(np.float32)
