"""What the 3D view is worked with: its bar, the list of keyframes, the box, measuring, the card."""

from app.ui.tools.bar import ViewBar
from app.ui.tools.card import KeyframeCard
from app.ui.tools.crop import CropTool
from app.ui.tools.keyframes import KeyframeList
from app.ui.tools.measure import MeasureTool

__all__ = ["CropTool", "KeyframeCard", "KeyframeList", "MeasureTool", "ViewBar"]
