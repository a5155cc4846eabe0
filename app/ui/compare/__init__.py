"""Full precision against 4 bit in the window: linked views, difference maps, figures, a report."""

from app.ui.compare.chooser import CompareChooser
from app.ui.compare.panel import ComparePanel
from app.ui.compare.split_view import Mode

__all__ = ["CompareChooser", "ComparePanel", "Mode"]
