"""Point clouds after Sim(3) alignment: accuracy, completeness and normal consistency.

As published point-map benchmarks do it: a similarity transform from corresponding pixels, then
point-to-point ICP, then nearest neighbours in both directions. Two departures: the similarity is
re-fitted without its worst pixels, and distances are taken from a fixed number of points of one
cloud to all points of the other, which costs little and does not inflate them.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]

SAMPLES = 5000  # points of each cloud whose nearest neighbours are looked for
ICP_TARGETS = 30_000  # points of the truth that ICP is given, roughly
NORMAL_NEIGHBOURS = 30
LEAST_POINTS = 10
KEPT_SHARE = 0.8
TRIM_STEPS = 10


class Similarity(NamedTuple):
    """x -> scale * rotation @ x + translation."""

    scale: float
    rotation: Points
    translation: Points

    def __call__(self, points: Points) -> Points:
        """points [..., 3]."""
        return np.asarray(self.scale * points @ self.rotation.T + self.translation)


def umeyama(source: Points, target: Points) -> Similarity:
    """Least-squares similarity that takes source [N, 3] to target [N, 3].

    Umeyama, TPAMI 13(4) 1991, equations 40 to 42. ValueError if the source is a single point.
    """
    source_mean, target_mean = source.mean(0), target.mean(0)
    centred = source - source_mean
    variance = (centred**2).sum() / len(source)
    if not variance > 0:
        raise ValueError("all predicted points coincide: they cannot be aligned")
    u, singular, vt = np.linalg.svd((target - target_mean).T @ centred / len(source))
    handed = np.array([1, 1, np.sign(np.linalg.det(u) * np.linalg.det(vt))])
    rotation = (u * handed) @ vt
    scale = float(singular @ handed / variance)
    return Similarity(scale, rotation, target_mean - scale * rotation @ source_mean)


def align_points(source: Points, target: Points) -> Similarity:
    """Similarity of corresponding points [N, 3] that is not led astray by a fifth of outliers.

    Least trimmed squares: re-fit to the 80 % of points that fit best until they stay the same
    (concentration steps of Rousseeuw and Van Driessen 2006).
    """
    kept = np.arange(len(source))
    count = max(3, round(KEPT_SHARE * len(source)))
    for _ in range(TRIM_STEPS):
        fit = umeyama(source[kept], target[kept])
        distance = np.linalg.norm(fit(source) - target, axis=1)
        closest = np.sort(np.argpartition(distance, count - 1)[:count])
        if np.array_equal(closest, kept):
            break
        kept = closest
    return umeyama(source[kept], target[kept])


def point_metrics(
    predicted: Points,
    truth: Points,
    known: NDArray[np.bool_],
    dense: bool,
    icp_threshold: float,
    seed: int,
) -> dict[str, float]:
    """Distances in the unit of truth; normal consistency from 0 to 1.

    predicted, truth: [S, H, W, 3], of the same pixels; known [S, H, W]: where the truth is.
    icp_threshold is the distance beyond which ICP does not match points. The similarity uses
    corresponding pixels; after that only nearest neighbours count:
        accuracy      from the prediction (at known pixels) to the truth, mean and median
        completeness  from the truth to the prediction, mean and median
        normal        |n . n'| of such neighbours, mean of both directions, mean and median
    A sparse truth (dense=False) gives completeness alone, against the prediction at every pixel,
    and no ICP: how far a prediction is from sparse points, and what their normals are, would say
    how sparse they are. Empty if fewer than 10 pixels are known. Everything drawn comes from seed.
    """
    source, target = predicted[known], truth[known]
    if len(source) < LEAST_POINTS:
        return {}
    rng = np.random.default_rng(seed)
    drawn = rng.choice(len(source), min(SAMPLES, len(source)), replace=False)
    fit = align_points(source[drawn], target[drawn])
    if not dense:
        distance, _ = _Cloud(fit(predicted).reshape(-1, 3)).nearest(target[drawn])
        return _mean_median("completeness", distance)
    source = fit(source)
    source = _icp(source[drawn], target, icp_threshold)(source)
    drawn_target = rng.choice(len(target), len(drawn), replace=False)
    clouds = _Cloud(source), _Cloud(target)
    accuracy, match = clouds[1].nearest(source[drawn])
    completeness, match_back = clouds[0].nearest(target[drawn_target])
    normals = (
        _cosines(clouds[0].normals(source[drawn]), clouds[1].normals(target[match])),
        _cosines(clouds[1].normals(target[drawn_target]), clouds[0].normals(source[match_back])),
    )
    return {
        **_mean_median("accuracy", accuracy),
        **_mean_median("completeness", completeness),
        "normal_mean": float(np.mean([cosines.mean() for cosines in normals])),
        "normal_median": float(np.mean([np.median(cosines) for cosines in normals])),
    }


class _Cloud:
    """Nearest neighbours among points [N, 3]."""

    def __init__(self, points: Points) -> None:
        import open3d

        core: Any = open3d.core
        self.points = points
        self._tensor = core.Tensor
        self._index = core.nns.NearestNeighborSearch(self._tensor(points))
        self._index.knn_index()

    def nearest(self, queries: Points) -> tuple[Points, NDArray[np.int64]]:
        """Distance [M] from queries [M, 3] to the nearest point, and its index [M]."""
        index, squared = self._index.knn_search(self._tensor(queries), 1)
        return np.sqrt(squared.numpy()[:, 0]), index.numpy()[:, 0]

    def normals(self, queries: Points) -> Points:
        """Unit normals [M, 3] of the cloud around queries [M, 3], of either sign: the direction
        in which the 30 nearest points vary least."""
        count = min(NORMAL_NEIGHBOURS, len(self.points))
        index, _ = self._index.knn_search(self._tensor(queries), count)
        around = self.points[index.numpy()]
        around -= around.mean(1, keepdims=True)
        return np.asarray(np.linalg.eigh(around.mT @ around).eigenvectors[..., 0])


def _icp(source: Points, target: Points, threshold: float) -> Similarity:
    """Rigid point-to-point ICP from source to target; the identity where nothing is near."""
    import open3d

    target = target[:: max(1, len(target) // ICP_TARGETS)]
    vectors, registration = open3d.utility.Vector3dVector, open3d.pipelines.registration
    clouds = [open3d.geometry.PointCloud(vectors(points)) for points in (source, target)]
    result: Any = registration.registration_icp(
        *clouds, threshold, np.eye(4), registration.TransformationEstimationPointToPoint()
    )
    return Similarity(1.0, result.transformation[:3, :3], result.transformation[:3, 3])


def _cosines(first: Points, second: Points) -> Points:
    return np.asarray(np.abs((first * second).sum(-1)))


def _mean_median(name: str, values: Points) -> dict[str, float]:
    return {f"{name}_mean": float(values.mean()), f"{name}_median": float(np.median(values))}
