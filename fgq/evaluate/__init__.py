"""How good a network's poses and depth are, on synthetic scenes and on posed photographs."""

from fgq.evaluate.depth import depth_metrics
from fgq.evaluate.pose import auc, pose_metrics, relative_pose_errors

__all__ = ["auc", "depth_metrics", "pose_metrics", "relative_pose_errors"]
