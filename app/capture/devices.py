"""Which cameras there are."""

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from app.capture.frame import SourceError

CAMERA_PREFIX = "camera:"
"""Before the name of a camera where a source is asked for."""

_LINUX_CAMERAS = Path("/sys/class/video4linux")


@dataclass(frozen=True)
class CameraDevice:
    """A camera: its index for the system, and a name that no other camera here has."""

    index: int
    name: str

    @property
    def spec(self) -> str:
        """What `open_source` takes: the name, for an index may change when cameras do."""
        return f"{CAMERA_PREFIX}{self.name}"


def list_cameras(devices: Path = _LINUX_CAMERAS) -> list[CameraDevice]:
    """The cameras by name where the system tells it (Linux); otherwise "Camera 0", which may or
    may not be there: to find out it would have to be switched on.
    """
    if not names_are_known(devices):
        return [CameraDevice(0, "Camera 0")]
    cameras: list[CameraDevice] = []
    names: list[str] = []
    for device in sorted(devices.glob("video*"), key=lambda path: int(path.name[5:])):
        # A camera has several nodes; the one with index 0 delivers the images.
        if _read(device / "index") in ("0", ""):
            name = _read(device / "name") or "Camera"
            names.append(name)
            nth = names.count(name)
            unique = name if nth == 1 else f"{name} no. {nth}"
            cameras.append(CameraDevice(int(device.name[5:]), unique))
    return cameras


def names_are_known(devices: Path = _LINUX_CAMERAS) -> bool:
    """Whether the system tells which cameras there are."""
    # Without a camera Linux has the parent only.
    return devices.parent.is_dir()


def find_camera(spec: str, devices: Path = _LINUX_CAMERAS) -> CameraDevice:
    """The camera of "camera:NAME" or of an index. Raises SourceError when no camera has the name;
    an index is tried whatever it is.
    """
    cameras = list_cameras(devices)
    if spec.isdecimal():
        known = [camera for camera in cameras if camera.index == int(spec)]
        return known[0] if known else CameraDevice(int(spec), f"Camera {spec}")
    wanted = spec.removeprefix(CAMERA_PREFIX).strip()
    for camera in cameras:
        if camera.name.casefold() == wanted.casefold():
            return camera
    there = ", ".join(camera.name for camera in cameras) or "none"
    raise SourceError(f"no camera is called {wanted!r} (there: {there})")


def why_not_opened(camera: CameraDevice) -> str:
    """What most likely keeps a camera from being opened, in words."""
    node = Path(f"/dev/video{camera.index}")
    if not sys.platform.startswith("linux"):
        return "none there, in use, or not allowed in the system's settings"
    if not node.exists():
        return "none there"
    if not os.access(node, os.R_OK | os.W_OK):
        return f"no permission for {node}: add yourself to its group"
    return "in use by another program?"


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
