"""Lanes side by side: the first is the reference of the others, the truth that of all."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from app.compare.lanes import Lane
from app.compare.metrics import Difference, difference
from app.errors import AppError
from app.reconstruction import Keyframe
from app.reconstruction.truth import Accuracy, Truth

TARGETS = (0.02, 0.05, 0.1, 0.2)
"""Mean relative depth errors that a cut of the confidence is named for."""


@dataclass(frozen=True)
class Comparison:
    """Two or more lanes on the same frames.

    differences: of each lane from the first, None for the first and for one without keyframes;
    truth: keyframes with the true cameras and depths (0 = unknown), None where there is no truth;
    errors, accuracies: of each lane against the truth; settings: how it was run; notes: what the
    reader has to know.
    """

    source: str
    lanes: list[Lane]
    differences: list[Difference | None]
    truth: list[Keyframe] | None = None
    errors: list[Difference | None] = field(default_factory=list)
    accuracies: list[Accuracy | None] = field(default_factory=list)
    settings: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def compare_lanes(
    source: str,
    lanes: Sequence[Lane],
    truth: Truth | None = None,
    source_size: tuple[int, int] | None = None,
    settings: dict[str, Any] | None = None,
) -> Comparison:
    """Compare lanes with the first one, and with the truth where it is known.

    source_size: (H, W) of the source's frames, for lanes whose networks take other sizes. A lane
    that failed is compared as far as it came. Raises AppError when the first lane has nothing.
    """
    reference, *others = lanes
    if not reference.keyframes:
        why = f": {reference.failure}" if reference.failure else ""
        raise AppError(f"{reference.title} reconstructed nothing to compare with{why}")
    true = truth.keyframes(reference.keyframes) if truth else []
    return Comparison(
        source=source,
        lanes=[*lanes],
        differences=[
            None,
            *(_difference(lane, reference.keyframes, source_size) for lane in others),
        ],
        truth=true or None,
        errors=[_error(lane, truth, source_size) for lane in lanes] if truth and true else [],
        accuracies=[_accuracy(lane, truth) for lane in lanes] if truth and true else [],
        settings=settings or {},
        notes=_notes(lanes, source_size),
    )


def _difference(
    lane: Lane, reference: Sequence[Keyframe], source_size: tuple[int, int] | None
) -> Difference | None:
    return difference(lane.keyframes, reference, source_size) if lane.keyframes else None


def _error(lane: Lane, truth: Truth, source_size: tuple[int, int] | None) -> Difference | None:
    # On the pixels of its own network: the truth fits every size.
    true = truth.keyframes(lane.keyframes)
    if not true:
        return None
    error = difference(lane.keyframes, true, source_size)
    # The truth has no focal length of its own here: its points would be seen through the lane's.
    keyframes = [replace(keyframe, point_percent=np.nan) for keyframe in error.keyframes]
    return replace(error, keyframes=keyframes, point_percent=np.nan)


def _accuracy(lane: Lane, truth: Truth) -> Accuracy | None:
    return truth.compare(lane.keyframes) if truth.keyframes(lane.keyframes) else None


def _notes(lanes: Sequence[Lane], source_size: tuple[int, int] | None) -> list[str]:
    notes = []
    for lane in lanes:
        if lane.failure:
            done = f"{len(lane.keyframes)} keyframes were finished before that and are compared"
            rest = done if lane.keyframes else "it has no result"
            notes.append(f"{lane.title} ended early: {lane.failure}; {rest}.")
        if lane.is_recorded:
            notes.append(
                f"{lane.title} is what the session holds: compared with, not measured again."
            )
    sizes = {lane.keyframes[0].depth.shape: lane for lane in lanes if lane.keyframes}
    if len(sizes) > 1:
        each = ", ".join(f"{lane.title} {w} x {h}" for (h, w), lane in sizes.items())
        how = (
            "the maps were brought onto the pixels of the first, where they overlap"
            if source_size
            else "the size of the source is not known, so their depths are not compared"
        )
        notes.append(
            f"The models take images of different sizes ({each}): each got its own crop of the"
            f" same frames, and {how}."
        )
    return notes
