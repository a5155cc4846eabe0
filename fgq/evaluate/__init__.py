"""How good a network is on scenes with known geometry, and how near to its original."""

from fgq.evaluate.clips import ClipSet, EvaluationClip, sequence_set, synthetic_set
from fgq.evaluate.depth import depth_metrics
from fgq.evaluate.fidelity import sqnr_db, watching_blocks
from fgq.evaluate.intervals import Interval, bootstrap_interval, paired_bootstrap
from fgq.evaluate.measure import load_network, measure_clip, measure_set
from fgq.evaluate.points import align_points, point_metrics, umeyama
from fgq.evaluate.pose import relative_pose_errors
from fgq.evaluate.summary import compare, metric_samples, results_by_set, summarize

__all__ = [
    "ClipSet",
    "EvaluationClip",
    "Interval",
    "align_points",
    "bootstrap_interval",
    "compare",
    "depth_metrics",
    "load_network",
    "measure_clip",
    "measure_set",
    "metric_samples",
    "paired_bootstrap",
    "point_metrics",
    "relative_pose_errors",
    "results_by_set",
    "sequence_set",
    "sqnr_db",
    "summarize",
    "synthetic_set",
    "umeyama",
    "watching_blocks",
]
