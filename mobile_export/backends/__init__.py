"""The delegates that a program can be lowered to."""

from mobile_export.backends.base import Backend
from mobile_export.backends.xnnpack import XnnpackTarget

BACKENDS: dict[str, Backend] = {"xnnpack": XnnpackTarget()}

__all__ = ["BACKENDS", "Backend"]
