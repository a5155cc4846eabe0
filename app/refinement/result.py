"""Puts refined cameras into the frame and scale of the network's, with depth that fits them."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.geometry import Floats, compose_se3, depth_at, invert_se3
from app.reconstruction.keyframe import Keyframe
from app.refinement.depth import correct_depth
from app.refinement.evidence import (
    MIN_SUPPORT,
    TOLERANCE,
    Cameras,
    epipolar_errors,
    ray_depths,
    support,
)
from app.refinement.features import Features, Matches, Pair
from app.refinement.mapping import Model
from app.refinement.outcome import FrameReport, Refinement, kept
from app.refinement.pairs import MIN_PARALLAX, Geometries, pair_cameras


def network_scale(keyframe: Keyframe, features: Features) -> float:
    """Pixels of the network's image for one of the image in which the features were found."""
    (height, width), (full_height, full_width) = keyframe.depth.shape, features.size
    return max(height / full_height, width / full_width)


def assemble(
    keyframes: Sequence[Keyframe],
    features: Sequence[Features],
    held_out: Matches,
    network: Cameras,
    model: Model,
    geometries: Geometries,
    doubt: float = 0.0,
) -> Refinement:
    """Keyframes with the model's cameras, where the matches set apart speak for them.

    The first keyframe stays where it is, and the scale is that of the network's depth.
    Every other one is joined to those by a verified pair, which tells how it is turned and to
    which side it moved, or else keeps the network's camera relative to the nearest one.
    """
    before, after = (
        _by_frame(support(cameras, features, held_out), len(keyframes))
        for cameras in (network, model.cameras)
    )
    chosen = [
        position
        for position in sorted(model.observations)
        if after[position] >= max(MIN_SUPPORT, before[position])
    ]
    if len(chosen) < 2:
        return kept(keyframes, "geometry explains no two frames better than the network")
    refined = list(keyframes)
    reports = {}
    scale = _scale(keyframes, features, model, chosen)
    depths = _depths(keyframes, features, model, chosen, scale, doubt)
    for position in chosen:
        refined[position] = _registered(keyframes, features, model, chosen[0], position, scale)
        if (depth := depths[position]) is not None:
            refined[position] = replace(refined[position], depth=depth)
        seen = model.observations[position]
        reports[position] = FrameReport(
            changed=True,
            reason="geometry explains its matches",
            points=len(seen.depth),
            track_length=float(np.mean(seen.track_length)),
            depth_changed=depths[position] is not None,
        )
    focals = model.cameras.focals
    while len(reports) < len(keyframes):
        pair = _joining_pair(set(reports), features, held_out, network, focals, geometries)
        if pair:
            known, position = pair if pair[0] in reports else pair[::-1]
            refined[position] = _joined(refined, features, focals, geometries[pair], pair, known)
            reason = f"one pair joins it to frame {known + 1}"
        else:
            known, position = _nearest(set(reports), len(keyframes))
            refined[position] = _carried(keyframes, refined[known], known, position)
            reason = f"too few matches: the network's camera, relative to frame {known + 1}"
        reports[position] = FrameReport(pair is not None, reason)
    refined = _from_first(refined, keyframes[0].extrinsic)
    final = Cameras(
        {k: view.extrinsic.astype(np.float64) for k, view in enumerate(refined)}, focals
    )
    frames = [
        _with_errors(reports[position], position, features, held_out, network, final)
        for position in range(len(keyframes))
    ]
    changed = sum(frame.changed for frame in frames)
    return Refinement(refined, frames, f"{changed} of {len(frames)} frames changed")


def _from_first(keyframes: list[Keyframe], extrinsic: NDArray[np.float32]) -> list[Keyframe]:
    """The keyframes moved as one, so that the first has this camera."""
    if np.array_equal(keyframes[0].extrinsic, extrinsic):
        return keyframes
    move = compose_se3(invert_se3(keyframes[0].extrinsic.astype(np.float64)), extrinsic)
    return [
        replace(k, extrinsic=compose_se3(k.extrinsic, move).astype(np.float32)) for k in keyframes
    ]


def _by_frame(scores: dict[Pair, float], count: int) -> Floats:
    total = np.zeros(count)
    for pair, score in scores.items():
        total[list(pair)] += score
    return total


def _scale(
    keyframes: Sequence[Keyframe], features: Sequence[Features], model: Model, chosen: list[int]
) -> float:
    """The network's depth for one of the model's, the median over all points."""
    ratios = [
        np.log(_depth_at(keyframes[k], features[k], seen.pixels) / seen.depth)
        for k in chosen
        if len((seen := model.observations[k]).depth)
    ]
    return float(np.exp(np.nanmedian(np.concatenate(ratios))))


def _depths(
    keyframes: Sequence[Keyframe],
    features: Sequence[Features],
    model: Model,
    chosen: list[int],
    scale: float,
    doubt: float,
) -> dict[int, NDArray[np.float32] | None]:
    """Depth of keyframes moved to the model's points, None where it stays."""
    depths = {}
    for position in chosen:
        keyframe, seen = keyframes[position], model.observations[position]
        pixels = _network_pixels(keyframe, features[position], seen.pixels)
        depths[position] = correct_depth(keyframe.depth, pixels, scale * seen.depth, doubt)
    return depths


def _registered(
    keyframes: Sequence[Keyframe],
    features: Sequence[Features],
    model: Model,
    anchor: int,
    position: int,
    scale: float,
) -> Keyframe:
    """A keyframe with the model's camera, as seen from the anchor."""
    keyframe = keyframes[position]
    poses = model.cameras.poses
    relative = compose_se3(poses[position], invert_se3(poses[anchor]))
    relative[:, 3] *= scale
    return replace(
        keyframe,
        extrinsic=compose_se3(relative, keyframes[anchor].extrinsic).astype(np.float32),
        intrinsic=_intrinsic(keyframe, features[position], model.cameras.focals[position]),
    )


def _joining_pair(
    known: set[int],
    features: Sequence[Features],
    held_out: Matches,
    network: Cameras,
    focals: Floats,
    geometries: Geometries,
) -> Pair | None:
    """The pair with most inliers that joins a frame to a known one, if its matches set apart speak
    for it."""
    joining = [pair for pair in geometries if len(known.intersection(pair)) == 1]
    joining.sort(key=lambda pair: len(geometries[pair].inlier_matches), reverse=True)
    for pair in joining:
        cameras, alone = pair_cameras(pair, geometries[pair], focals), {pair: held_out[pair]}
        score = support(cameras, features, alone)[pair]
        enough = max(MIN_SUPPORT, support(network, features, alone)[pair])
        if geometries[pair].tri_angle >= MIN_PARALLAX and score >= enough:
            return pair
    return None


def _joined(
    refined: Sequence[Keyframe],
    features: Sequence[Features],
    focals: Floats,
    geometry: Any,
    pair: Pair,
    known: int,
) -> Keyframe:
    """The other keyframe of a pair, placed from the known one at the scale of its depth."""
    relative = geometry.cam2_from_cam1.matrix()
    x, y = (
        features[k].rays(float(focals[k]))[geometry.inlier_matches[:, side]]
        for side, k in enumerate(pair)
    )
    depths = ray_depths(x @ relative[:, :3].T, y, relative[:, 3])
    side = pair.index(known)
    pixels = features[known].pixels[geometry.inlier_matches[:, side]]
    ahead = (depths > 0).all(0)
    ratio = _depth_at(refined[known], features[known], pixels[ahead]) / depths[side, ahead]
    relative[:, 3] *= np.nanmedian(ratio)
    if side == 1:
        relative = invert_se3(relative)
    position = pair[1 - side]
    return replace(
        refined[position],
        extrinsic=compose_se3(relative, refined[known].extrinsic).astype(np.float32),
        intrinsic=_intrinsic(refined[position], features[position], focals[position]),
    )


def _nearest(known: set[int], count: int) -> Pair:
    """The known frame and the unknown one that are nearest in order."""
    unknown = [position for position in range(count) if position not in known]
    return min(((k, u) for u in unknown for k in known), key=lambda ku: abs(ku[0] - ku[1]))


def _carried(
    keyframes: Sequence[Keyframe], neighbour: Keyframe, known: int, position: int
) -> Keyframe:
    """A keyframe that follows the move of a known one."""
    relative = compose_se3(keyframes[position].extrinsic, invert_se3(keyframes[known].extrinsic))
    extrinsic = compose_se3(relative, neighbour.extrinsic).astype(np.float32)
    return replace(keyframes[position], extrinsic=extrinsic)


def _with_errors(
    report: FrameReport,
    position: int,
    features: Sequence[Features],
    held_out: Matches,
    network: Cameras,
    final: Cameras,
) -> FrameReport:
    before: list[Floats] = [np.empty(0)]
    after: list[Floats] = [np.empty(0)]
    count = 0
    for pair, matches in held_out.items():
        if position in pair:
            count += len(matches)
            error, in_front = epipolar_errors(final, features, pair, matches)
            explained = in_front & (error < TOLERANCE * features[pair[0]].unit)
            after.append(error[explained])
            before.append(epipolar_errors(network, features, pair, matches)[0][explained])
    errors = [
        float(np.median(e)) if len(e) else np.nan for e in map(np.concatenate, (before, after))
    ]
    return replace(report, held_out=count, error_before=errors[0], error_after=errors[1])


def _intrinsic(keyframe: Keyframe, features: Features, focal: float) -> NDArray[np.float32]:
    intrinsic = keyframe.intrinsic.copy()
    intrinsic[0, 0] = intrinsic[1, 1] = focal * network_scale(keyframe, features)
    return intrinsic


def _network_pixels(keyframe: Keyframe, features: Features, pixels: Floats) -> Floats:
    """Places [N,2] of the features' image in the network's, whose pixel centres are at integers."""
    height, width = keyframe.depth.shape
    full_height, full_width = features.size
    middle = np.array([width / 2, height / 2]) - 0.5
    off = pixels - np.array([full_width / 2, full_height / 2])
    return middle + network_scale(keyframe, features) * off


def _depth_at(keyframe: Keyframe, features: Features, pixels: Floats) -> Floats:
    """Depth [N] at places of the features' image, NaN outside of the network's."""
    return depth_at(keyframe.depth, _network_pixels(keyframe, features, pixels))
