"""Full precision against 4 bit on the same frames: how far apart, at what cost, and a report."""

from app.compare.comparison import Comparison, compare_lanes
from app.compare.confidence import ConfidenceCurve, confidence_curve
from app.compare.energy import EnergyMeter
from app.compare.folder import write_comparison
from app.compare.lanes import Figures, Lane, MeasuredEngine, Model
from app.compare.metrics import Difference, KeyframeDifference, difference
from app.compare.report import report_page

__all__ = [
    "Comparison",
    "ConfidenceCurve",
    "Difference",
    "EnergyMeter",
    "Figures",
    "KeyframeDifference",
    "Lane",
    "MeasuredEngine",
    "Model",
    "compare_lanes",
    "confidence_curve",
    "difference",
    "report_page",
    "write_comparison",
]
