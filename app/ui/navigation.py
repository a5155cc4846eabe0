"""Moves the camera of the 3D view: by mouse and keys, or along with the newest keyframe."""

import math
from typing import Any

import numpy as np
import pygfx as gfx
from numpy.typing import NDArray

from app.ui.framing import FIELD_OF_VIEW, UP

MODES = ("orbit", "trackball", "fly")

FLY_KEYS = frozenset("wasdqe")
"""Letters that move the camera in the mode of that name."""

_CATCH_UP = 0.35
"""Seconds in which the camera makes up two thirds of its way to a keyframe that it follows."""

_BEHIND, _ABOVE, _AHEAD = 0.30, 0.10, 0.6
"""Where it follows: behind and above a keyframe, looking ahead; in radii of the scene."""

CameraState = dict[str, Any]
"""Where a camera is and how it looks; only to be given back to `Navigation.set_state`."""


class Navigation:
    """The camera with its three controllers. They all turn about `target`, or fly towards it."""

    def __init__(self, events: gfx.renderers.Renderer) -> None:
        self.camera = gfx.PerspectiveCamera(FIELD_OF_VIEW)
        self.camera.world.reference_up = UP
        self._controllers = {
            "orbit": gfx.OrbitController(self.camera, register_events=events),
            "trackball": gfx.TrackballController(self.camera, register_events=events),
            "fly": gfx.FlyController(self.camera, register_events=events, enabled=False),
        }
        self._mode = ""
        self.mode = "orbit"
        self._goal: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None

    @property
    def mode(self) -> str:
        """One of `MODES`."""
        return self._mode

    @mode.setter
    def mode(self, mode: str) -> None:
        for name, controller in self._controllers.items():
            controller.enabled = name == mode
        if mode == "orbit" and self._mode != mode:
            # An orbit keeps up and down: a camera that was rolled would stay so.
            self.look(np.array(self.camera.local.position), self.target)
        self._mode = mode

    @property
    def target(self) -> NDArray[np.float64]:
        """The point [3] that the camera looks at."""
        position = np.array(self.camera.local.position)
        return position + self._distance * np.array(self.camera.world.forward)

    @property
    def _distance(self) -> float:
        # The controllers take the distance to the target from the extent that is in view there.
        half = math.radians(self.camera.fov / 2)
        return 0.5 * (self.camera.width + self.camera.height) / (2 * math.tan(half))

    def look(self, position: NDArray[np.float64], target: NDArray[np.float64]) -> None:
        """Go to a position [3] and look at a target [3], upright."""
        distance = max(float(np.linalg.norm(target - position)), 1e-6)
        self.camera.local.position = position
        self.camera.look_at(target)
        extent = 2 * math.tan(math.radians(self.camera.fov / 2)) * distance
        self.camera.width = self.camera.height = extent

    def set_radius(self, radius: float) -> None:
        """Suit depths and the speed of flying to the radius of the scene."""
        self.camera.depth_range = (0.02 * radius, 100 * radius)
        self._controllers["fly"].speed = 0.4 * radius

    def state(self) -> CameraState:
        """What `set_state` needs to make another camera look the same."""
        return dict(self.camera.get_state())

    def set_state(self, state: CameraState) -> None:
        """Look like the camera that the state is of."""
        self.camera.set_state(state)

    def follow(self, world_from_camera: NDArray[np.float64] | None, radius: float = 1.0) -> None:
        """Go smoothly to behind a camera [4,4] of the scene, or stay (None)."""
        self._goal = None
        if world_from_camera is not None:
            center, forward = world_from_camera[:3, 3], world_from_camera[:3, 2]
            eye = center + radius * (_ABOVE * UP - _BEHIND * forward)
            self._goal = eye, center + _AHEAD * radius * forward

    def tick(self, seconds: float) -> bool:
        """Move on by so much time; whether a motion is still to go on."""
        acts = [c.tick() is not None for c in self._controllers.values()]
        if self._goal is None:
            return any(acts)
        eye, target = self._goal
        here, there = np.array(self.camera.local.position), self.target
        step = 1 - math.exp(-seconds / _CATCH_UP)
        away = max(np.linalg.norm(eye - here), np.linalg.norm(target - there))
        if away < 0.01 * np.linalg.norm(target - eye):
            step, self._goal = 1.0, None
        self.look(here + step * (eye - here), there + step * (target - there))
        return self._goal is not None
