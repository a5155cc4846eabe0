"""Everything that is measured of a network on one clip, as plain numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from tqdm import tqdm

from fgq.evaluate.clips import ClipSet, EvaluationClip, Unit
from fgq.evaluate.depth import depth_metrics
from fgq.evaluate.fidelity import (
    PIXEL_CENTRE,
    output_deviations,
    pair_deviations,
    sqnr_db,
    unprojected,
    watching_blocks,
)
from fgq.evaluate.points import point_metrics
from fgq.evaluate.pose import relative_pose_errors
from fgq.geometry import decode_pose, unproject_depth
from fgq.quant import is_packed, load_packed
from fgq.vggt import VGGT, load_checkpoint
from fgq.vggt.model import Predictions

# One clip's results: floats by metric, lists of floats by `pair_...` for its pairs of views.
ClipResult = dict[str, Any]

ICP_THRESHOLD: dict[Unit, float] = {"m": 0.1, "median depth": 0.05}
SEED = 0


def load_network(path: Path) -> VGGT:
    """The network of a full-precision or packed checkpoint. Raises CheckpointError, and
    ValueError if it has no camera head."""
    model = load_packed(path) if is_packed(path) else load_checkpoint(path)
    if "camera" not in model.config.heads:
        raise ValueError(f"{path} has no camera head: there are no poses to evaluate")
    return model


def measure_set(
    model: VGGT, clips: ClipSet, reference: VGGT | None = None, points: bool = True
) -> list[ClipResult]:
    """`measure_clip` of every clip of a set, each with its name as "clip". ValueError names the
    clip on which a network's output is not finite."""
    results = []
    label = f"{clips.name} {clips.views} views"
    for index in tqdm(range(clips.count), desc=label, leave=False):
        clip = clips.load(index)
        try:
            measured = measure_clip(model, clip, reference, ICP_THRESHOLD[clips.unit], points)
        except ValueError as error:
            raise ValueError(f"{label}, clip {clip.name}: {error}") from error
        results.append({"clip": clip.name, **measured})
    return results


def measure_clip(
    model: VGGT,
    clip: EvaluationClip,
    reference: VGGT | None = None,
    icp_threshold: float = ICP_THRESHOLD["m"],
    points: bool = True,
) -> ClipResult:
    """Metrics against the truth and, with a reference network, against that:

        pair_rotation_deg, pair_direction_deg   errors of all pairs of views i < j
        pair_motion_deg                         true rotation: the error of answering "no motion"
        abs_rel, rmse, log_rmse, delta1         depth, one scale a clip; image_...: one an image
        unprojected_..., point_head_...         `point_metrics` of depth with predicted cameras
                                                and of the point head
        pair_fidelity_..., fidelity_...         `pair_deviations`, `output_deviations`
        sqnr_db/BLOCK                           at the output of every block of the aggregator

    What the clip has no truth for, or the network no head, is left out.
    """
    blocks: dict[str, float] = {}
    if reference is None:
        prediction = _predict(model, clip)
    else:
        outputs: dict[str, Tensor] = {}
        with watching_blocks(reference, outputs.__setitem__):
            expected = _predict(reference, clip)

        def compare(name: str, output: Tensor) -> None:
            blocks[f"sqnr_db/{name}"] = sqnr_db(output, outputs.pop(name))

        with watching_blocks(model, compare):
            prediction = _predict(model, clip)
    result: ClipResult = {**_pose(prediction, clip), **_depth(prediction, clip)}
    if points:
        result |= _points(prediction, clip, icp_threshold)
    if reference is not None:
        rotation, translation = pair_deviations(prediction, expected, clip.size)
        result["pair_fidelity_rotation_deg"] = rotation.tolist()
        result["pair_fidelity_translation"] = translation.tolist()
        deviations = output_deviations(prediction, expected, clip.size)
        result |= {f"fidelity_{name}": value for name, value in deviations.items()}
    return result | blocks


def _predict(model: VGGT, clip: EvaluationClip) -> Predictions:
    with torch.inference_mode():
        prediction = model(clip.images, views_per_chunk=1)
    for name in ("pose_enc", "depth", "world_points"):
        if name in prediction and not prediction[name].isfinite().all():
            raise ValueError(f"the network's output {name} is not finite")
    return prediction


def _pose(prediction: Predictions, clip: EvaluationClip) -> ClipResult:
    extrinsic, _ = decode_pose(prediction["pose_enc"][0], clip.size)
    rotation, direction = relative_pose_errors(extrinsic, clip.extrinsic)
    still = torch.eye(3, 4).expand_as(clip.extrinsic)
    motion, _ = relative_pose_errors(still, clip.extrinsic)
    return {
        "pair_rotation_deg": rotation.tolist(),
        "pair_direction_deg": direction.tolist(),
        "pair_motion_deg": motion.tolist(),
    }


def _depth(prediction: Predictions, clip: EvaluationClip) -> ClipResult:
    if "depth" not in prediction or clip.depth is None or not (clip.depth > 0).any():
        return {}
    depth = prediction["depth"][0, ..., 0]
    per_image = depth_metrics(depth, clip.depth, per_image=True)
    return depth_metrics(depth, clip.depth) | {f"image_{k}": v for k, v in per_image.items()}


def _points(prediction: Predictions, clip: EvaluationClip, icp_threshold: float) -> ClipResult:
    if clip.depth is None:
        return {}
    known = (clip.depth > 0).numpy()
    truth = unproject_depth(clip.depth, clip.extrinsic, clip.intrinsic, PIXEL_CENTRE).numpy()
    clouds = {}
    if "depth" in prediction:
        clouds["unprojected"] = unprojected(prediction, clip.size)
    if "world_points" in prediction:
        clouds["point_head"] = prediction["world_points"][0].double()
    result: ClipResult = {}
    for source, cloud in clouds.items():
        metrics = point_metrics(cloud.numpy(), truth, known, clip.dense, icp_threshold, SEED)
        result |= {f"{source}_{name}": value for name, value in metrics.items()}
    return result
