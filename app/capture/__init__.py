"""Frames from cameras, videos and folders, and the choice of keyframes among them."""

from app.capture.keyframes import Decision, KeyframeSelector, default_selector
from app.capture.preprocess import fit_image
from app.capture.sources import Frame, FrameSource, SourceError, SourceInterrupted, open_source

__all__ = [
    "Decision",
    "Frame",
    "FrameSource",
    "KeyframeSelector",
    "SourceError",
    "SourceInterrupted",
    "default_selector",
    "fit_image",
    "open_source",
]
