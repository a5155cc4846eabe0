"""How far one reconstruction is from another of the very same frames, or from the truth.

Two networks answer in frames and scales of their own. Camera centres are compared after the Sim(3)
that fits them best (as evo does), rotations after the one rotation that fits these best, because
the centres of a straight path leave it open; depth after one scale for the whole sequence, points
after one Sim(3) for cameras and depth. Nothing is fitted keyframe by keyframe: that would hide
drift.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.compare.confidence import ConfidenceCurve, confidence_curve
from app.compare.regions import resample
from app.errors import AppError
from app.geometry import Floats, Sim3, invert_se3, rotation_angle, umeyama
from app.reconstruction import Keyframe
from app.reconstruction.align import align_window, average_rotations
from app.refinement.outcome import known_median

Map = NDArray[np.float32]


@dataclass(frozen=True)
class KeyframeDifference:
    """One keyframe against its reference.

    frame: index in the source; rotation_deg: angle between the cameras; translation_percent:
    distance of their centres, percent of the length of the reference's path; depth: |d - r| / r
    [H,W] of the reference's pixels, NaN where either is unknown; depth_percent: its mean in
    percent; point_percent: median distance of the points of a pixel, percent of its depth. Figures
    without a meaning (place on a path of no length or of two cameras, no common pixel) are NaN.
    """

    frame: int
    rotation_deg: float
    translation_percent: float
    depth: Map
    depth_percent: float
    point_percent: float


@dataclass(frozen=True)
class Difference:
    """A reconstruction against its reference: keyframe by keyframe and in total.

    rotation_deg: median over keyframes; translation_percent: root mean square of the distances of
    the camera centres; depth_percent, depth_median_percent, depth_p90_percent: over all common
    pixels; point_percent: median over keyframes; depth_scale: what the depths were multiplied by;
    pose: takes the cameras to the reference's world; together: takes cameras and depth there, with
    one scale for both.
    """

    keyframes: list[KeyframeDifference]
    rotation_deg: float
    translation_percent: float
    depth_percent: float
    depth_median_percent: float
    depth_p90_percent: float
    point_percent: float
    depth_scale: float
    pose: Sim3
    together: Sim3
    confidence: ConfidenceCurve | None


def difference(
    keyframes: Sequence[Keyframe],
    reference: Sequence[Keyframe],
    source_size: tuple[int, int] | None = None,
) -> Difference:
    """Compare keyframes with those of the same frames in a reference; depth 0 is unknown.

    source_size: (H, W) of the source's frames; needed where the two have images of different sizes,
    because each was then cropped in its own way. Raises AppError when no frame is in both.
    """
    by_frame = {keyframe.index: keyframe for keyframe in reference}
    pairs = [(k, by_frame[k.index]) for k in keyframes if k.index in by_frame]
    if not pairs:
        raise AppError("the two reconstructions have no frame in common: nothing to compare")
    mine, theirs = [mine for mine, _ in pairs], [theirs for _, theirs in pairs]
    pose = align_cameras(mine, theirs)
    rotations, shifts = _pose_deviations(mine, theirs, pose)

    depths = [fitted(k.depth, r.depth.shape, source_size) for k, r in pairs]
    known = [(depth > 0) & (r.depth > 0) for depth, r in zip(depths, theirs, strict=True)]
    scale = _depth_scale(depths, theirs, known)
    errors = [
        np.where(seen, np.abs(scale * depth - r.depth) / np.where(seen, r.depth, 1), np.nan)
        for depth, r, seen in zip(depths, theirs, known, strict=True)
    ]
    together = align_window(mine, theirs) if _same_size(pairs) else pose
    points = _point_distances(mine, theirs, together) if _same_size(pairs) else [np.nan] * len(mine)
    values = np.concatenate([error[seen] for error, seen in zip(errors, known, strict=True)])
    confidences = [fitted(k.confidence, r.depth.shape, source_size) for k, r in pairs]
    return Difference(
        keyframes=[
            KeyframeDifference(
                frame=pair[0].index,
                rotation_deg=float(rotation),
                translation_percent=float(shift),
                depth=error.astype(np.float32),
                depth_percent=100 * float(np.mean(error[seen])) if seen.any() else np.nan,
                point_percent=point,
            )
            for pair, rotation, shift, error, seen, point in zip(
                pairs, rotations, shifts, errors, known, points, strict=True
            )
        ],
        rotation_deg=float(np.median(rotations)),
        translation_percent=float(np.sqrt(np.mean(shifts**2))),
        depth_percent=100 * float(np.mean(values)) if len(values) else np.nan,
        depth_median_percent=_percentile(values, 50),
        depth_p90_percent=_percentile(values, 90),
        point_percent=known_median(points),
        depth_scale=scale,
        pose=pose,
        together=together,
        confidence=confidence_curve(confidences, errors) if len(values) else None,
    )


def align_cameras(keyframes: Sequence[Keyframe], reference: Sequence[Keyframe]) -> Sim3:
    """The Sim(3) that takes cameras to those of the reference, in the same order.

    Least squares of the centres. Of fewer than three cameras, which leave the rotation open, the
    rotation is that of the cameras themselves.
    """
    mine, theirs = _extrinsics(keyframes), _extrinsics(reference)
    centres, targets = invert_se3(mine)[:, :, 3], invert_se3(theirs)[:, :, 3]
    if len(centres) >= 3:
        return umeyama(centres, targets)
    rotation = _common_rotation(mine, theirs)
    moved = umeyama(centres @ rotation.T, targets)
    shift = targets.mean(0) - moved.scale * centres.mean(0) @ rotation.T
    return Sim3(moved.scale, rotation, shift)


def fitted(values: Map, shape: tuple[int, ...], source_size: tuple[int, int] | None) -> Map:
    """A map [h,w] on the pixels of another network's image (H, W); 0 where it does not reach.

    Without the size of the source nothing is known about other sizes: all 0.
    """
    if values.shape == shape:
        return values
    size = (shape[0], shape[1])
    return resample(values, size, source_size) if source_size else np.zeros(size, np.float32)


def _pose_deviations(
    mine: Sequence[Keyframe], theirs: Sequence[Keyframe], pose: Sim3
) -> tuple[Floats, Floats]:
    """Degrees [S] and percent of the reference's path [S] between the cameras."""
    estimate, target = _extrinsics(mine), _extrinsics(theirs)
    turned = estimate[:, :, :3] @ _common_rotation(estimate, target).T
    angles = np.degrees(rotation_angle(turned @ np.swapaxes(target[:, :, :3], 1, 2)))
    centres, targets = pose.apply(invert_se3(estimate)[:, :, 3]), invert_se3(target)[:, :, 3]
    path = np.linalg.norm(np.diff(targets, axis=0), axis=1).sum()
    # Two centres always fit two others.
    if len(centres) < 3 or path == 0:
        return angles, np.full(len(centres), np.nan)
    return angles, 100 * np.linalg.norm(centres - targets, axis=1) / path


def _common_rotation(mine: Floats, theirs: Floats) -> Floats:
    """The rotation [3,3] of the world that takes cameras [S,3,4] to others, a robust mean."""
    each = np.swapaxes(theirs[:, :, :3], 1, 2) @ mine[:, :, :3]
    return average_rotations(each, np.ones(len(each)))


def _depth_scale(
    depths: Sequence[Map], reference: Sequence[Keyframe], known: Sequence[NDArray[np.bool_]]
) -> float:
    """The median of reference / depth over all common pixels."""
    ratios = [
        r.depth[seen] / depth[seen] for depth, r, seen in zip(depths, reference, known, strict=True)
    ]
    joined = np.concatenate(ratios)
    return float(np.median(joined)) if len(joined) else 1.0


def _same_size(pairs: Sequence[tuple[Keyframe, Keyframe]]) -> bool:
    return all(keyframe.depth.shape == reference.depth.shape for keyframe, reference in pairs)


def _point_distances(
    mine: Sequence[Keyframe], theirs: Sequence[Keyframe], together: Sim3
) -> list[float]:
    """Median distance of the points of a pixel for each keyframe, in percent of its depth."""
    distances = []
    for keyframe, reference in zip(mine, theirs, strict=True):
        seen = (keyframe.depth > 0) & (reference.depth > 0)
        moved = together.apply(keyframe.world_points()[seen])
        apart = np.linalg.norm(moved - reference.world_points()[seen], axis=1)
        distances.append(_percentile(apart / reference.depth[seen], 50))
    return distances


def _extrinsics(keyframes: Sequence[Keyframe]) -> Floats:
    return np.array([keyframe.extrinsic for keyframe in keyframes], np.float64)


def _percentile(fractions: Floats, percent: float) -> float:
    return 100 * float(np.percentile(fractions, percent)) if len(fractions) else np.nan
