"""How far a network is from the full-precision network it was made of, without any truth.

Quantized networks at times beat their original on some metric by luck; what they do to the
original's outputs shows what they lost.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from fgq.evaluate.pose import relative_poses, rotation_angle
from fgq.fisher import block_names
from fgq.geometry import decode_pose, unproject_depth
from fgq.quant.rotation import rotation_of
from fgq.vggt import VGGT
from fgq.vggt.model import Predictions

PIXEL_CENTRE = 0.5
SQNR_LIMIT_DB = 200.0  # of an exact copy: float32 itself ends near 144 dB, and JSON has no infinity


def sqnr_db(output: Tensor, reference: Tensor) -> float:
    """10 log10 of the energy of reference over that of the difference, at most 200 dB."""
    signal = reference.double().square().sum().item()
    noise = (output.double() - reference.double()).square().sum().item()
    if noise == 0:
        return SQNR_LIMIT_DB
    return min(SQNR_LIMIT_DB, 10 * math.log10(max(signal, 1e-300) / noise))


@contextmanager
def watching_blocks(model: VGGT, see: Callable[[str, Tensor], None]) -> Iterator[None]:
    """Call see(block name, output) for every block of the aggregator, in order of computation.

    A rotated residual stream is given as it was before `rotate_residual`.
    """
    rotation = rotation_of(model)

    def hook_for(name: str) -> Callable[[nn.Module, tuple[Tensor, ...], Tensor], None]:
        def hook(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            see(name, output if rotation is None else output @ rotation.mT)

        return hook

    handles = [
        model.get_submodule(name).register_forward_hook(hook_for(name))
        for name in block_names(model.config.depth)
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def pair_deviations(
    prediction: Predictions, reference: Predictions, size: tuple[int, int]
) -> tuple[Tensor, Tensor]:
    """Deviation of the relative pose of every pair of views i < j of one scene, [S*(S-1)/2].

    Rotation in degrees; translation as a length in units of the reference's median depth (in
    network units where it has no depth). Nothing is aligned: a change of scale counts.
    """
    poses = [decode_pose(p["pose_enc"][0], size)[0] for p in (prediction, reference)]
    (rotation, translation), (true_rotation, true_translation) = map(relative_poses, poses)
    unit = reference["depth"].median().item() if "depth" in reference else 1.0
    return (
        rotation_angle(rotation, true_rotation),
        (translation - true_translation).norm(dim=-1) / unit,
    )


def output_deviations(
    prediction: Predictions, reference: Predictions, size: tuple[int, int]
) -> dict[str, float]:
    """Deviations of one scene's outputs:

        fov_deg                  mean over views and both directions
        log_depth_rmse           and, with the median ratio removed, log_depth_rmse_aligned
        abs_rel                  mean of |depth / reference - 1|
        unprojected_rmse         of points from depth and cameras, each over its distance from the
                                 first camera
        point_head_rmse          the same of the point head

    Depth and points only where both networks have the heads.
    """
    fov = prediction["pose_enc"][..., 7:] - reference["pose_enc"][..., 7:]
    deviations = {"fov_deg": torch.rad2deg(fov.double().abs().mean()).item()}
    if "depth" in reference:
        depth, true_depth = (p["depth"].double().clamp(min=1e-6) for p in (prediction, reference))
        ratio = (depth / true_depth).log()
        deviations["log_depth_rmse"] = _root_mean_square(ratio)
        deviations["log_depth_rmse_aligned"] = _root_mean_square(ratio - ratio.median())
        deviations["abs_rel"] = (depth / true_depth - 1).abs().mean().item()
        deviations["unprojected_rmse"] = _relative_rmse(
            unprojected(prediction, size), unprojected(reference, size)
        )
    if "world_points" in reference:
        deviations["point_head_rmse"] = _relative_rmse(
            prediction["world_points"][0], reference["world_points"][0]
        )
    return deviations


def unprojected(prediction: Predictions, size: tuple[int, int]) -> Tensor:
    """World points [S, H, W, 3] of one scene, in float64, from its depth and cameras."""
    extrinsic, intrinsic = decode_pose(prediction["pose_enc"][0].double(), size)
    depth = prediction["depth"][0, ..., 0].double()
    return unproject_depth(depth, extrinsic, intrinsic, PIXEL_CENTRE)


def _relative_rmse(points: Tensor, reference: Tensor) -> float:
    reference = reference.double()
    distance = reference.norm(dim=-1).clamp(min=1e-6)
    return _root_mean_square((points.double() - reference).norm(dim=-1) / distance)


def _root_mean_square(x: Tensor) -> float:
    return x.square().mean().sqrt().item()
