"""What the network sees, made exact by multi-view geometry.

Not imported before it is used: pycolmap takes its time and memory.
"""

from app.refinement.refine import refine
from app.refinement.result import FrameReport, Refinement

__all__ = ["FrameReport", "Refinement", "refine"]
