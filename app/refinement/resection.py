"""Cameras of frames that the mapper could not reach, from points that others see.

A match that a pair alone cannot verify still says a lot together with a triangulated point: it
fits a wrong camera by chance a hundred times less often than a wrong epipolar line.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from app.geometry import Floats, invert_se3, transform_points
from app.refinement._pycolmap import pycolmap
from app.refinement.features import Features, Matches
from app.refinement.mapping import Model, Observations
from app.refinement.pairs import by_chance, camera

# Of a point, in `Features.unit`.
_MAX_ERROR = 4.0
_MIN_INLIERS = 6
# Log10 of how often chance may make such a camera.
_CHANCE = -3.0


def reach(model: Model, features: list[Features], matches: Matches) -> Model:
    """The model with cameras for more frames, where points that it has leave no doubt of them."""
    for position in range(len(features)):
        if position in model.cameras.poses:
            continue
        numbers, points, length = _points_of(position, model, features, matches)
        focal = float(model.cameras.focals[position])
        pixels = features[position].pixels[numbers]
        found = _resect(features[position], focal, pixels, points)
        if found is None:
            continue
        pose, fitting = found
        # Several frames may tell of one feature.
        inliers = np.flatnonzero(fitting)
        inliers = inliers[np.unique(numbers[inliers], return_index=True)[1]]
        seen = transform_points(pose, points[inliers])
        size = np.array(features[position].size[::-1])
        projected = focal * seen[:, :2] / seen[:, 2:] + size / 2
        observed = Observations(
            features=numbers[inliers],
            pixels=pixels[inliers],
            depth=seen[:, 2],
            error=np.linalg.norm(projected - pixels[inliers], axis=1),
            track_length=length[inliers] + 1,
        )
        poses = {**model.cameras.poses, position: pose}
        model = replace(
            model,
            cameras=replace(model.cameras, poses=poses),
            observations={**model.observations, position: observed},
        )
    return model


def _points_of(
    position: int, model: Model, features: list[Features], matches: Matches
) -> tuple[NDArray[np.uint32], Floats, Floats]:
    """Numbers [N] of a frame's features, the points [N,3] of their matches, track lengths [N]."""
    numbers: list[NDArray[np.uint32]] = [np.empty(0, np.uint32)]
    points: list[Floats] = [np.empty((0, 3))]
    lengths: list[Floats] = [np.empty(0)]
    for pair, pairs in matches.items():
        known = sum(pair) - position
        if position not in pair or known not in model.observations:
            continue
        seen = model.observations[known]
        side = pair.index(position)
        _, match, observed = np.intersect1d(
            pairs[:, 1 - side], seen.features, assume_unique=True, return_indices=True
        )
        rays = features[known].rays(float(model.cameras.focals[known]))[seen.features[observed]]
        in_camera = rays * seen.depth[observed, None]
        numbers.append(pairs[match, side])
        points.append(transform_points(invert_se3(model.cameras.poses[known]), in_camera))
        lengths.append(seen.track_length[observed])
    return np.concatenate(numbers), np.concatenate(points), np.concatenate(lengths)


def _resect(
    features: Features, focal: float, pixels: Floats, points: Floats
) -> tuple[Floats, NDArray[np.bool_]] | None:
    """Camera-from-world [3,4] and which of the points [N] it sees, if that is not mere chance."""
    if len(points) < _MIN_INLIERS:
        return None
    options = pycolmap.AbsolutePoseEstimationOptions()
    options.ransac.max_error = _MAX_ERROR * features.unit
    options.ransac.max_num_trials = 3000
    options.ransac.random_seed = 0
    found = pycolmap.estimate_and_refine_absolute_pose(
        pixels, points, camera(features, focal), options
    )
    if found is None:
        return None
    inliers = found["inlier_mask"]
    # A feature that several frames match is one witness.
    places = np.unique(np.round(pixels), axis=0)
    witnesses = len(np.unique(np.round(pixels[inliers]), axis=0))
    share = np.pi * options.ransac.max_error**2 / np.prod(features.size)
    if witnesses < _MIN_INLIERS or by_chance(witnesses, len(places), 3, share) > _CHANCE:
        return None
    return found["cam_from_world"].matrix(), inliers
