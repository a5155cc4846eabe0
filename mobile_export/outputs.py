"""What networks put out, by head. Imports nothing: the benchmark measures what loads it."""

from __future__ import annotations

from collections.abc import Sequence

OUTPUTS = {
    "camera": ("pose_enc",),
    "depth": ("depth", "depth_conf"),
    "point": ("world_points", "world_points_conf"),
}


def output_names(heads: Sequence[str]) -> list[str]:
    """Names of the outputs of these heads, in their order."""
    return [name for head, names in OUTPUTS.items() if head in heads for name in names]
