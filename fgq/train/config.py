"""What one stage of training is told."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class TrainConfig:
    """One stage, in steps; each step draws a size (H, W) in pixels and a number of views.

    `images_per_step` holds for the first size; a step of another size has as many pixels.
    `dense_share` is the share of a scene's views that the DPT heads are trained on in a step.
    """

    data: str
    held_out: str
    out: str
    init: str | None = None
    sizes: tuple[tuple[int, int], ...] = ((84, 112),)
    min_views: int = 2
    max_views: int = 2
    images_per_step: int = 96
    steps: int = 6000
    warmup: int = 100
    decay: int = 1000
    dense: str = "linear"
    dense_share: float = 0.5
    muon_lr: float = 0.02
    adam_lr: float = 2e-3
    camera_weight: float = 5.0
    pair_weight: float = 0.0
    point_weight: float = 0.3
    correspondence_weight: float = 3.0
    matching_weight: float = 0.3
    attention_weight: float = 0.0
    clip: float = 1.0
    seed: int = 0
    threads: int = 2
    save_minutes: float = 3.0
    evaluate_every: int = 200
