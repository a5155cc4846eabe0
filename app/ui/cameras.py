"""The cameras of a scene as drawn: pyramids with the picture that each took, and their path."""

import numpy as np
import pygfx as gfx
from numpy.typing import NDArray

from app.ui import style
from app.ui.scene import THUMBNAIL, Scene, SceneKeyframe, frustum_segments

FRUSTUM_LENGTH = (0.02, 0.06)
"""Bounds of the length of a frustum, as shares of the radius of the scene."""

ATLAS = (16, 16)
"""Rows and columns of thumbnails in the one texture that holds them; 3 MiB. Of more keyframes the
newest have theirs."""


class CameraMarks:
    """Draws frustums, thumbnails and the trajectory of a scene; `group` is to be added to a stage.

    corners: tip and base [5,3] in the world of each frustum that is drawn, by position.
    """

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._slots = ATLAS[0] * ATLAS[1]
        nothing = np.zeros((2, 3), np.float32)
        self._frustums = gfx.Line(
            gfx.Geometry(positions=nothing, colors=np.ones((2, 4), np.float32)),
            gfx.LineSegmentMaterial(thickness=1.2, color_mode="vertex", aa=True, depth_write=True),
        )
        self._chosen = gfx.Line(
            gfx.Geometry(positions=nothing),
            gfx.LineSegmentMaterial(thickness=3.0, aa=True, depth_write=True),
        )
        self._trajectory = gfx.Line(
            gfx.Geometry(positions=nothing),
            gfx.LineMaterial(thickness=2.0, aa=True, depth_write=True),
        )
        pixels = np.zeros((ATLAS[0] * THUMBNAIL[0], ATLAS[1] * THUMBNAIL[1], 4), np.uint8)
        self._atlas = gfx.Texture(pixels, dim=2)
        self._owners: dict[int, int] = {}
        self._pictures = gfx.Mesh(
            gfx.Geometry(
                positions=np.zeros((4, 3), np.float32),
                texcoords=np.zeros((4, 2), np.float32),
                indices=np.zeros((2, 3), np.uint32),
            ),
            gfx.MeshBasicMaterial(map=gfx.TextureMap(self._atlas)),
        )
        self.corners: dict[int, NDArray[np.float32]] = {}
        # Of the scene's others, which are drawn in one colour of their own.
        self._other_frustums = gfx.Line(
            gfx.Geometry(positions=nothing),
            gfx.LineSegmentMaterial(thickness=1.2, aa=True, depth_write=True),
        )
        self._other_path = gfx.Line(
            gfx.Geometry(positions=nothing),
            gfx.LineMaterial(thickness=2.0, aa=True, depth_write=True),
        )
        self.group = gfx.Group()
        self.group.add(self._pictures, self._frustums, self._chosen, self._trajectory)
        self.group.add(self._other_frustums, self._other_path)

    def set_thumbnail(self, position: int, thumbnail: NDArray[np.uint8]) -> None:
        """Take over the small picture of a keyframe."""
        slot = position % self._slots
        row, column = divmod(slot, ATLAS[1])
        height, width = THUMBNAIL
        offset = (column * width, row * height, 0)
        place = self._atlas.data[row * height :, column * width :][:height, :width]
        place[..., :3], place[..., 3] = thumbnail, 255
        self._atlas.update_range(offset, (width, height, 1))
        self._owners[slot] = position

    def clear(self) -> None:
        """Forget all pictures."""
        self._owners.clear()

    def update(self, radius: float, chosen: int | None) -> None:
        """Draw the scene as it is now; chosen: the position of the keyframe to stand out."""
        positions = self._scene.shown_positions
        self._frustums.visible = bool(positions)
        self._trajectory.visible = len(positions) > 1
        self._pictures.visible = self._chosen.visible = False
        self._other_frustums.visible = self._other_path.visible = False
        self.corners = {}
        if not positions:
            return
        centers = self._scene.centers().astype(np.float32)
        shortest, longest = (share * radius for share in FRUSTUM_LENGTH)
        # As long as the step to the next camera, so that they do not fill each other.
        steps = np.linalg.norm(np.diff(centers, axis=0), axis=1)
        length = float(np.clip(np.median(steps), shortest, longest)) if len(steps) else longest
        segments = np.stack([frustum_segments(self._scene.keyframes[p], length) for p in positions])
        # Of the edges, the first begins at the tip, and the first four end in the base.
        self.corners = dict(zip(positions, segments[:, [0, 1, 3, 5, 7]], strict=True))
        # Beside others the cameras are told apart by colour.
        color = style.TRAJECTORY if self._scene.others else style.FRUSTUM
        colors = np.tile(_rgba(color), (16 * len(positions), 1))
        colors[-16:] = _rgba(style.TRAJECTORY)
        self._frustums.geometry = gfx.Geometry(positions=segments.reshape(-1, 3), colors=colors)
        if len(positions) > 1:
            self._trajectory.geometry = gfx.Geometry(positions=centers)
            self._trajectory.material.color = style.TRAJECTORY
        if chosen in positions:
            self._chosen.geometry = gfx.Geometry(positions=segments[positions.index(chosen)])
            self._chosen.material.color = style.ACCENT
            self._chosen.visible = True
        self._draw_pictures(positions, segments)
        others = [self._scene.others[p] for p in positions if p in self._scene.others]
        if others:
            self._draw_others(others, length)

    def _draw_others(self, others: list[SceneKeyframe], length: float) -> None:
        segments = np.concatenate([frustum_segments(keyframe, length) for keyframe in others])
        path = np.array([keyframe.world_from_camera[:3, 3] for keyframe in others], np.float32)
        self._other_frustums.geometry = gfx.Geometry(positions=segments)
        self._other_frustums.material.color = style.NETWORK
        self._other_frustums.visible = True
        if len(path) > 1:
            self._other_path.geometry = gfx.Geometry(positions=path)
            self._other_path.material.color = style.NETWORK
            self._other_path.visible = True

    def _draw_pictures(self, positions: list[int], segments: NDArray[np.float32]) -> None:
        """A quad in the base of each pyramid whose picture is in the atlas."""
        slots = [position % self._slots for position in positions]
        rows = [i for i, slot in enumerate(slots) if self._owners.get(slot) == positions[i]]
        self._pictures.visible = bool(rows)
        if not rows:
            return
        row, column = np.divmod(np.array(slots)[rows], ATLAS[1])
        # The corners of the base, from the upper left clockwise, are the far ends of the edges.
        corners = np.array([[0, 0], [1, 0], [1, 1], [0, 1]])
        texcoords = (np.stack([column, row], -1)[:, None] + corners) / ATLAS[::-1]
        faces = np.array([[0, 1, 2], [0, 2, 3]]) + 4 * np.arange(len(rows))[:, None, None]
        self._pictures.geometry = gfx.Geometry(
            positions=segments[rows, 1:8:2].reshape(-1, 3),
            texcoords=texcoords.reshape(-1, 2).astype(np.float32),
            indices=faces.reshape(-1, 3).astype(np.uint32),
        )


def _rgba(color: str) -> NDArray[np.float32]:
    return np.array(gfx.Color(color), np.float32)
