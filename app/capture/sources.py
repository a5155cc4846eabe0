"""Opens where frames come from: a video file, images, a session or a camera."""

import re
from collections.abc import Callable
from pathlib import Path

from app.capture.camera import CameraSettings, CameraSource
from app.capture.devices import CAMERA_PREFIX
from app.capture.frame import FrameSource, SourceError
from app.capture.images import IMAGE_SUFFIXES, ImageSource, list_images
from app.capture.video import VideoSource

# A name or index, then what the camera is asked for.
_CAMERA = re.compile(rf"({CAMERA_PREFIX}.*?|\d+)(?:@(\d+)x(\d+))?(?:@(\d+(?:\.\d+)?))?")


def open_source(
    spec: str,
    warn: Callable[[str], None] = lambda text: None,
    camera: CameraSettings | None = None,
) -> FrameSource:
    """Open a video file, an image, a folder of images, a session, or a camera by its index ("0")
    or by its name ("camera:NAME", see `list_cameras`); "@1280x720" and "@30" after either ask for
    pixels and frames a second.

    warn: receives a line about what is skipped on the way, such as an unreadable image.
    camera: what a camera is asked for instead of what stands in the spec.
    Raises SourceError with one clear line when there is nothing to read.
    """
    as_camera = _CAMERA.fullmatch(spec)
    if as_camera and spec.startswith(CAMERA_PREFIX):
        return _open_camera(as_camera, warn, camera)
    path = Path(spec)
    try:
        # Imported here: a session is itself made of frames of other sources.
        from app.sessions import SessionSource, is_session, open_session

        if is_session(path):
            return SessionSource(open_session(path), warn)
        if path.is_dir():
            return ImageSource(list_images(path), warn)
        if path.is_file():
            is_image = path.suffix.lower() in IMAGE_SUFFIXES
            return ImageSource([path], warn) if is_image else VideoSource(path, warn)
    except (OSError, ValueError) as error:
        raise SourceError(f"{spec} cannot be read: {getattr(error, 'strerror', error)}") from None
    if as_camera:
        return _open_camera(as_camera, warn, camera)
    raise SourceError(f"{spec}: no such file, folder or camera")


def _open_camera(
    spec: re.Match[str], warn: Callable[[str], None], settings: CameraSettings | None
) -> CameraSource:
    device, width, height, rate = spec.groups()
    asked = CameraSettings(
        int(width) if width else None,
        int(height) if height else None,
        float(rate) if rate else None,
    )
    return CameraSource(device, warn, settings or asked)
