"""The widget of the 3D view."""

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtWidgets import QVBoxLayout, QWidget

from app.export import Selection
from app.reconstruction import Keyframe
from app.ui import style
from app.ui.adapter import Adapter, find_adapter
from app.ui.navigation import MODES, CameraState
from app.ui.panels import label
from app.ui.picking import Pick
from app.ui.scene import Box, Scene, SceneKeyframe, pack_keyframe
from app.ui.stage import Stage
from app.ui.texts import tr


class SceneView(QWidget):
    """A cloud with its cameras that can grow while it is looked at.

    Without a graphics adapter a message takes the place of the picture; the scene is kept all the
    same, so that it can be counted and exported.
    """

    keyframe_picked = Signal(int)
    """A point or the camera of the keyframe at this position was clicked."""

    point_picked = Signal(object)
    """A point was clicked: a `Pick`."""

    nothing_picked = Signal()
    """A click met neither a point nor a camera."""

    camera_changed = Signal(object)
    """The camera moved, and `set_camera_state` did not do it: a CameraState."""

    camera_taken = Signal()
    """The user moved the camera by the mouse: nothing is followed any longer."""

    drawn = Signal()
    """A new picture began: what is put over it by its place on the screen has to move along."""

    keyframes_changed = Signal()
    """Keyframes came, went or were switched on or off."""

    selection_changed = Signal()
    """Something is shown or hidden that was not before."""

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
            self._stage.clicked = self._on_click
            self._stage.drawn = self._on_drawn
            self._stage.touched = self.camera_taken.emit
            layout.addWidget(self._stage.canvas)
        else:
            message = label(_no_adapter(), "muted")
            message.setAlignment(Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignBottom)
            message.setMargin(2 * style.GAP)
            message.setWordWrap(True)
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
        """Pack and add a keyframe, see `pack_keyframe`; a worker thread had better pack it."""
        self.add_packed(
            index,
            pack_keyframe(points_cam, colors, confidence01, world_from_camera, intrinsic, size),
        )

    def add_packed(self, position: int, keyframe: SceneKeyframe) -> None:
        """Add or replace a keyframe that `pack_keyframe` made."""
        self.scene.keyframes[position] = keyframe
        if self._stage:
            self._stage.sync_keyframe(position)
        self.keyframes_changed.emit()

    def set_pose(
        self, index: int, world_from_camera: NDArray[np.floating], depth_factor: float = 1.0
    ) -> None:
        """Move a keyframe and its points to the pose [4,4]; its depths grow by the factor."""
        keyframe = self.scene.keyframes[index]
        keyframe.world_from_camera = np.asarray(world_from_camera, np.float64)
        keyframe.scale *= depth_factor
        if self._stage:
            self._stage.sync_pose(index)

    def set_others(self, others: Mapping[int, SceneKeyframe]) -> None:
        """Show the cameras of these keyframes, by position, beside the others; nothing else."""
        self.scene.others = dict(others)
        if self._stage:
            self._stage.sync_marks()

    def remove_keyframe(self, position: int) -> None:
        """Forget a keyframe. To take it back by the user's wish, see `undo`."""
        if self.scene.keyframes.pop(position, None) and self._stage:
            self._stage.remove(position)
        self.keyframes_changed.emit()

    def clear(self) -> None:
        """Remove all keyframes, and what was hidden, cropped or measured of them."""
        self.scene.clear()
        if self._stage:
            self._stage.clear()
        self.keyframes_changed.emit()

    def set_confidence_quantile(self, quantile: float) -> None:
        """Hide the points of each keyframe below this quantile (0 to 1) of its confidence."""
        self.scene.quantile = quantile
        self._sync()

    def set_masks(self, names: Iterable[str]) -> None:
        """Hide the points of these `MASKS`."""
        self.scene.masks = frozenset(names)
        self._sync()

    def set_crop(self, box: Box | None) -> None:
        """Hide the points outside of a box in the world, or of none."""
        self.scene.crop = box
        self._sync()

    def lead(self, other: "SceneView") -> None:
        """Look for another view, too: its scene is framed along with this one."""
        if self._stage and other._stage:
            self._stage.companions.append(other.scene)
            other._stage.is_led = True

    def set_outline(self, box: Box | None) -> None:
        """Show the edges of a box in the world while nothing is cropped, or none."""
        if self._stage:
            self._stage.set_outline(box)

    def set_visible(self, position: int, visible: bool) -> None:
        """Switch a keyframe with its points and its camera on or off."""
        hidden = self.scene.hidden
        hidden.discard(position) if visible else hidden.add(position)
        self._sync_keyframes()

    def show_only(self, positions: Iterable[int] | None = None) -> None:
        """Switch on these keyframes and no others; None: all of them."""
        wanted = set(self.scene.keyframes if positions is None else positions)
        self.scene.hidden = set(self.scene.keyframes) - wanted
        self._sync_keyframes()

    def undo(self) -> int | None:
        """Take back the newest keyframe that is shown; tells which one, if there is one left."""
        shown = self.scene.shown_positions
        if not shown:
            return None
        self.scene.removed.append(shown[-1])
        self._sync_keyframes()
        return shown[-1]

    def redo(self) -> int | None:
        """Bring back the keyframe that was taken back last; tells which one, if there was one."""
        if not self.scene.removed:
            return None
        position = self.scene.removed.pop()
        self._sync_keyframes()
        return position

    def selection(self, keyframes: Sequence[Keyframe], *origin: str) -> Selection:
        """Exactly what is shown, for an export; `.arguments()` says it for the command line.

        keyframes: all of the reconstruction, by the positions that they have here.
        """
        return self.scene.selection(keyframes, *origin)

    def highlight(self, position: int | None) -> None:
        """Make the camera of a keyframe stand out, or of none."""
        if self._stage:
            self._stage.chosen = position
            self._stage.sync_marks()

    def set_measures(self, points: NDArray[np.float32]) -> None:
        """Draw lines between pairs of points [N,3] of the world; an odd last one stands alone."""
        if self._stage:
            self._stage.set_measures(points)

    def on_screen(self, points: NDArray[np.floating]) -> NDArray[np.floating]:
        """Logical pixels and depth [N,3] of world points [N,3]; depth is below 0 behind."""
        return self._stage.on_screen(points) if self._stage else np.full((len(points), 3), -1.0)

    def set_mode(self, mode: str) -> None:
        """How the mouse moves the camera: one of `MODES`."""
        assert mode in MODES
        if self._stage:
            self._stage.mode = mode

    def set_follow(self, follows: bool) -> None:
        """Keep the camera behind the newest keyframe, or let it go."""
        if self._stage and self._stage.follows != follows:
            self._stage.follows = follows
            if follows and self.scene.shown_positions:
                self._stage.look_along(self.scene.shown_positions[-1])

    def set_cameras_shown(self, shown: bool) -> None:
        """Show or hide the cameras and their path."""
        if self._stage:
            self._stage.set_cameras_shown(shown)

    def look_along(self, position: int) -> None:
        """Go smoothly to behind the camera of a keyframe."""
        if self._stage:
            self._stage.look_along(position)

    def set_point_size(self, pixels: float) -> None:
        """Side of a point in logical pixels."""
        if self._stage:
            self._stage.set_point_size(pixels)

    def camera_state(self) -> CameraState:
        """Where the camera is, for `set_camera_state` of another view; empty without a picture."""
        return self._stage.camera_state() if self._stage else {}

    def set_camera_state(self, state: CameraState) -> None:
        """Look like another view; `camera_changed` does not tell of it."""
        if self._stage and state:
            self._stage.set_camera_state(state)

    def reset_view(self) -> None:
        """Look at the whole scene from behind and above the first camera."""
        if self._stage:
            self._stage.frame()
        self.camera_taken.emit()

    def refit(self) -> None:
        """Look at the whole scene in a view of another size, unless the user took the camera."""
        if self._stage and not self._stage.moved_by_user:
            self._stage.frame()

    def draw_now(self) -> None:
        """Draw at once, so that `grab` shows the latest state."""
        if self._stage:
            self._stage.draw_now()

    def changeEvent(self, event: QEvent) -> None:
        if event.type() is QEvent.Type.PaletteChange and self._stage:
            self._stage.recolor()
        super().changeEvent(event)

    def _sync(self) -> None:
        if self._stage:
            self._stage.sync()
        self.selection_changed.emit()

    def _sync_keyframes(self) -> None:
        if self._stage:
            self._stage.sync_marks()
        self.selection_changed.emit()
        self.keyframes_changed.emit()

    def _on_click(self, pick: Pick | None) -> None:
        if pick is None:
            self.nothing_picked.emit()
            return
        if pick.point is not None:
            self.point_picked.emit(pick)
        self.keyframe_picked.emit(pick.position)

    def _on_drawn(self, moved: bool) -> None:
        self.drawn.emit()
        if moved:
            self.camera_changed.emit(self.camera_state())


def _no_adapter() -> str:
    return tr(
        "The 3D view is off: no graphics adapter was found.\n"
        "Video, depth and export work without it. To see the cloud here, install a graphics "
        "driver; on Debian and Ubuntu: sudo apt install mesa-vulkan-drivers"
    )
