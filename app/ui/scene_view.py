"""The widget of the 3D view."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QVBoxLayout, QWidget

from app.ui import style
from app.ui.adapter import Adapter, find_adapter
from app.ui.panels import label
from app.ui.scene import Scene
from app.ui.stage import Stage

NO_ADAPTER = (
    "The 3D view is off: no graphics adapter was found.\n"
    "Video, depth and export work without it. To see the cloud here, install a graphics driver;\n"
    "on Debian and Ubuntu: sudo apt install mesa-vulkan-drivers"
)


class SceneView(QWidget):
    """A cloud with its cameras that can grow while it is looked at.

    Without a graphics adapter a message takes the place of the picture; the scene is kept all the
    same, so that it can be counted and exported.
    """

    def __init__(
        self,
        parent: QWidget | None = None,
        adapter: Callable[[], Adapter | None] = find_adapter,
    ) -> None:
        super().__init__(parent)
        self.scene = Scene()
        found = adapter()
        self._stage = Stage(self, self.scene, found) if found else None
        self.setMinimumSize(320, 240)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        if self._stage:
            layout.addWidget(self._stage.canvas)
        else:
            message = label(NO_ADAPTER, "muted")
            message.setAlignment(Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignBottom)
            message.setMargin(2 * style.GAP)
            layout.addWidget(message)

    def set_keyframe(
        self,
        index: int,
        points_cam: NDArray[np.float32],
        colors: NDArray[np.uint8],
        confidence01: NDArray[np.uint8],
        world_from_camera: NDArray[np.floating],
        intrinsic: NDArray[np.floating],
        size: tuple[int, int],
    ) -> None:
        """Add or replace a keyframe.

        points_cam [N,3] in its camera's frame; colors [N,3] RGB; confidence01 [N] rank of each
        point by confidence, 0 to 255; world_from_camera [4,4]; intrinsic [3,3] in pixels of an
        image of size (H, W).
        """
        self.scene.set_keyframe(
            index, points_cam, colors, confidence01, world_from_camera, intrinsic, size
        )
        if self._stage:
            self._stage.sync_keyframe(index)

    def set_pose(self, index: int, world_from_camera: NDArray[np.floating]) -> None:
        """Move a keyframe and its points to the pose [4,4]."""
        self.scene.keyframes[index].world_from_camera = np.asarray(world_from_camera, np.float64)
        if self._stage:
            self._stage.sync_pose(index)

    def clear(self) -> None:
        """Remove all keyframes."""
        self.scene.keyframes.clear()
        if self._stage:
            self._stage.clear()

    def set_confidence_quantile(self, quantile: float) -> None:
        """Hide the points of each keyframe below this quantile (0 to 1) of its confidence."""
        self.scene.quantile = quantile
        if self._stage:
            self._stage.sync_threshold()

    def set_point_size(self, pixels: float) -> None:
        """Side of a point in logical pixels."""
        if self._stage:
            self._stage.set_point_size(pixels)

    def reset_view(self) -> None:
        """Look at the whole scene from behind and above the first camera."""
        if self._stage:
            self._stage.frame()

    def draw_now(self) -> None:
        """Draw at once, so that `grab` shows the latest state."""
        if self._stage:
            self._stage.draw_now()
