"""Recordings of a capture that survive a crash, and their replay with the same keyframes."""

from app.sessions.layout import is_session
from app.sessions.reader import RecordedFrame, Session, SessionError, open_session, read_header
from app.sessions.source import ContinuedSource, SessionSource
from app.sessions.writer import SessionWriter

__all__ = [
    "ContinuedSource",
    "RecordedFrame",
    "Session",
    "SessionError",
    "SessionSource",
    "SessionWriter",
    "is_session",
    "open_session",
    "read_header",
]
