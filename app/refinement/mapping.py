"""Cameras from matches alone: COLMAP's incremental mapper, from a chosen pair of frames.

Absolute poses, triangulation and bundle adjustment are pycolmap's; its limits are set for few
views with little overlap, because what comes out is judged by `evidence`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.geometry import Floats, invert_se3
from app.refinement._pycolmap import pycolmap
from app.refinement.evidence import Cameras
from app.refinement.features import Features, Pair
from app.refinement.pairs import MIN_INLIERS, Geometries, camera

# In `Features.unit`: of a feature and the point it shows, of a new frame's points.
_MAX_REPROJECTION, _MAX_RESECTION = 3.0, 6.0
_MIN_POINTS = 8
# All is adjusted again when there are so many times as many frames.
_GROWTH = 1.2
# An adjustment ends when its error falls by less than this share: while frames are added, and then.
_COARSE, _FINE = 1e-3, 1e-5


@dataclass(frozen=True)
class Observations:
    """Triangulated points that a frame sees: numbers of its features [N], their pixels [N,2],
    z-depth [N], reprojection errors [N] in pixels, numbers of frames that see each [N]."""

    features: NDArray[np.uint32]
    pixels: Floats
    depth: Floats
    error: Floats
    track_length: Floats


@dataclass(frozen=True)
class Model:
    """Cameras in a world and scale of their own, and what each frame that has one observes.

    parallax: angle (radians) between the first ray to a point and the one farthest from it, the
    median over all points.
    """

    cameras: Cameras
    observations: dict[int, Observations]
    parallax: float


def grow(
    features: Sequence[Features],
    focals: Floats,
    geometries: Geometries,
    initial: Pair,
    check: Callable[[], None],
) -> Model | None:
    """Cameras of all frames that can be reached from an initial pair; None if that one fails.

    Frames whose images have the same size share a focal length. `check` is called between the
    steps and may raise.
    """
    cache = _cache(features, focals, geometries)
    mapper = pycolmap.IncrementalMapper(cache)
    model = pycolmap.Reconstruction()
    mapper.begin_reconstruction(model)
    options, triangulation = _mapper_options(features[0].unit), _triangulation_options()
    first, second = (k + 1 for k in initial)
    pose = geometries[initial].cam2_from_cam1
    mapper.register_initial_image_pair(options, first, second, pose)
    mapper.triangulate_image(triangulation, first)
    mapper.adjust_global_bundle(options, _adjustment_options(refine_focal=False, tolerance=_COARSE))
    mapper.filter_points(options)
    if model.num_points3D() < _MIN_POINTS:
        return None

    def adjust(rounds: int, tolerance: float) -> None:
        mapper.iterative_global_refinement(
            rounds,
            5e-4,
            options,
            _adjustment_options(refine_focal=True, tolerance=tolerance),
            triangulation,
            normalize_reconstruction=False,
        )

    adjusted = 2
    while _register_next(mapper, options, triangulation):
        check()
        if model.num_reg_images() >= _GROWTH * adjusted:
            adjust(1, _COARSE)
            adjusted = model.num_reg_images()
    check()
    adjust(2, _FINE)
    return _result(model, features)


def _register_next(mapper: Any, options: Any, triangulation: Any) -> bool:
    """Add one more frame, by points that it sees."""
    for image in mapper.find_next_images(options, False):
        if mapper.register_next_image(options, image):
            mapper.triangulate_image(triangulation, image)
            return True
    return False


def _camera_numbers(features: Sequence[Features]) -> list[int]:
    sizes = [view.size for view in features]
    return [sizes.index(size) + 1 for size in sizes]


def _cache(features: Sequence[Features], focals: Floats, geometries: Geometries) -> Any:
    """What the mapper reads from a database, without one."""
    cache = pycolmap.DatabaseCache()
    numbers = _camera_numbers(features)
    for number in sorted(set(numbers)):
        shared = [focal for focal, other in zip(focals, numbers, strict=True) if other == number]
        lens = camera(features[number - 1], float(np.median(shared)), number)
        cache.add_camera(lens)
        rig = pycolmap.Rig(rig_id=number)
        rig.add_ref_sensor(lens.sensor_id)
        cache.add_rig(rig)
    for position, (view, number) in enumerate(zip(features, numbers, strict=True), 1):
        image = pycolmap.Image(
            name=str(position), camera_id=number, image_id=position, keypoints=view.pixels
        )
        image.frame_id = position
        frame = pycolmap.Frame(frame_id=position, rig_id=number)
        frame.add_data_id(image.data_id)
        cache.add_frame(frame)
        cache.add_image(image)
    for (i, j), found in geometries.items():
        cache.correspondence_graph.add_two_view_geometry(i + 1, j + 1, found)
    cache.correspondence_graph.finalize()
    return cache


def _mapper_options(unit: float) -> Any:
    options = pycolmap.IncrementalMapperOptions()
    options.num_threads = 1
    options.random_seed = 0
    options.init_min_num_inliers = MIN_INLIERS
    options.abs_pose_min_num_inliers = MIN_INLIERS
    options.abs_pose_min_inlier_ratio = 0.15
    options.abs_pose_max_error = _MAX_RESECTION * unit
    # One frame alone does not tell the focal length; the adjustment of all does.
    options.abs_pose_refine_focal_length = False
    options.abs_pose_refine_extra_params = False
    options.filter_max_reproj_error = _MAX_REPROJECTION * unit
    options.filter_min_tri_angle = 0.5
    return options


def _triangulation_options() -> Any:
    options = pycolmap.IncrementalTriangulatorOptions()
    options.ignore_two_view_tracks = False
    options.min_angle = 0.5
    options.random_seed = 0
    return options


def _adjustment_options(refine_focal: bool, tolerance: float) -> Any:
    options = pycolmap.BundleAdjustmentOptions()
    options.print_summary = False
    options.refine_focal_length = refine_focal
    options.refine_extra_params = False
    options.ceres.loss_function_type = pycolmap.LossFunctionType.SOFT_L1
    options.ceres.solver_options.num_threads = 1
    options.ceres.solver_options.max_num_iterations = 25
    options.ceres.solver_options.function_tolerance = tolerance
    return options


def _result(model: Any, features: Sequence[Features]) -> Model:
    model.update_point_3d_errors()
    numbers = _camera_numbers(features)
    poses = {}
    refined = np.array([model.camera(number).params[0] for number in numbers], np.float64)
    observations = {}
    for position in range(len(features)):
        if not model.exists_image(position + 1) or not model.image(position + 1).has_pose:
            continue
        image = model.image(position + 1)
        pose = image.cam_from_world().matrix()
        poses[position] = pose
        seen = [
            (point.xy, model.point3D(point.point3D_id))
            for point in image.get_observation_points2D()
        ]
        depth = np.array([pose[2, :3] @ point.xyz + pose[2, 3] for _, point in seen])
        observations[position] = Observations(
            features=np.array(image.get_observation_point2D_idxs(), np.uint32),
            pixels=np.array([xy for xy, _ in seen]).reshape(-1, 2),
            depth=depth,
            error=np.array([point.error for _, point in seen]),
            track_length=np.array([point.track.length() for _, point in seen]),
        )
    return Model(Cameras(poses, refined), observations, _parallax(model, poses))


def _parallax(model: Any, poses: dict[int, Floats]) -> float:
    centers = {position: invert_se3(pose)[:, 3] for position, pose in poses.items()}
    angles = []
    for point in model.points3D.values():
        rays = np.array([point.xyz - centers[e.image_id - 1] for e in point.track.elements])
        rays /= np.linalg.norm(rays, axis=1, keepdims=True)
        # The angle from a chord's length, exact where it is small.
        chord = np.linalg.norm(rays - rays[0], axis=1).max()
        angles.append(2 * np.arcsin(chord / 2))
    return float(np.median(angles)) if angles else 0.0
