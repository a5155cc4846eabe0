"""Opens where frames come from: a video file, images or a camera."""

from collections.abc import Callable
from pathlib import Path

from app.capture.camera import CameraSettings, CameraSource
from app.capture.devices import CAMERA_PREFIX
from app.capture.frame import FrameSource, SourceError
from app.capture.images import IMAGE_SUFFIXES, ImageSource, list_images
from app.capture.video import VideoSource


def open_source(
    spec: str,
    warn: Callable[[str], None] = lambda text: None,
    camera: CameraSettings | None = None,
) -> FrameSource:
    """Open a video file, an image, a folder of images, or a camera by its index ("0") or by its
    name ("camera:NAME", see `list_cameras`).

    warn: receives a line about what is skipped on the way, such as an unreadable image.
    camera: what a camera is asked for; files are as they are.
    Raises SourceError with one clear line when there is nothing to read.
    """
    if spec.startswith(CAMERA_PREFIX):
        return CameraSource(spec, warn, camera or CameraSettings())
    path = Path(spec)
    if (path / "session.log").is_file():
        from app.sessions import SessionSource, open_session

        return SessionSource(open_session(path), warn)
    try:
        if path.is_dir():
            return ImageSource(list_images(path), warn)
        if path.is_file():
            is_image = path.suffix.lower() in IMAGE_SUFFIXES
            return ImageSource([path], warn) if is_image else VideoSource(path, warn)
    except (OSError, ValueError) as error:
        raise SourceError(f"{spec} cannot be read: {getattr(error, 'strerror', error)}") from None
    if spec.isdecimal():
        return CameraSource(spec, warn, camera or CameraSettings())
    raise SourceError(f"{spec}: no such file, folder or camera")
