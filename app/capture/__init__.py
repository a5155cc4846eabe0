"""Frames from cameras, videos and images, and the choice of keyframes among them."""

from app.capture.camera import CameraSettings
from app.capture.devices import CAMERA_PREFIX, CameraDevice, list_cameras
from app.capture.frame import Frame, FrameSource, SourceError, SourceInterrupted
from app.capture.keyframes import Decision, KeyframeSelector, default_selector
from app.capture.preprocess import fit_image
from app.capture.sources import open_source

__all__ = [
    "CAMERA_PREFIX",
    "CameraDevice",
    "CameraSettings",
    "Decision",
    "Frame",
    "FrameSource",
    "KeyframeSelector",
    "SourceError",
    "SourceInterrupted",
    "default_selector",
    "fit_image",
    "list_cameras",
    "open_source",
]
