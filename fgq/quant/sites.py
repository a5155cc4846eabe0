"""Which layers of a VGGT are quantized, and which stay in floating point and why."""

from __future__ import annotations

from typing import Literal

from torch import nn

from fgq.quant.grids import DEVICE_GRID, Grid
from fgq.quant.linear import FakeQuantLinear
from fgq.vggt import VGGT

Scope = Literal["aggregator", "all"]
BLOCKS = ("aggregator.frame_blocks.", "aggregator.global_blocks.")
EVERY = ("aggregator.", "camera_head.")


def quantized_sites(
    model: nn.Module, grid: Grid = DEVICE_GRID, scope: Scope = "all"
) -> dict[str, nn.Linear]:
    """The linears that go on the grid, by module name, in the order of the network.

    "aggregator": those of its frame and global blocks, as the paper does. "all": every linear of
    the patch embedder, the aggregator and the camera head whose input width fits the grid, but
    for the pose branch: on the embedded network rounding its input alone turned poses by 2.0
    degrees, everything else in the head together by 0.3.
    """
    return {
        name: module
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear) and _reason_to_keep(name, module, grid, scope) is None
    }


def kept_layers(model: VGGT, grid: Grid = DEVICE_GRID, scope: Scope = "all") -> dict[str, str]:
    """The linears and convolutions that stay in floating point: {module name: reason}."""
    kinds = (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)
    reasons = {
        name: _reason_to_keep(name, module, grid, scope)
        for name, module in model.named_modules()
        if isinstance(module, kinds)
    }
    return {name: reason for name, reason in reasons.items() if reason is not None}


def fake_quantized(model: nn.Module) -> dict[str, FakeQuantLinear]:
    """The linears of a network that are on a grid already, by module name."""
    return {n: module for n, module in model.named_modules() if isinstance(module, FakeQuantLinear)}


def _reason_to_keep(name: str, module: nn.Module, grid: Grid, scope: Scope) -> str | None:
    if not name.startswith(EVERY):
        return "dense head: a projection, transposed, or the logarithm of the depth itself"
    if not isinstance(module, nn.Linear):
        return "convolution: the 4-bit kernels are for linears"
    if name.startswith("camera_head.pose_branch."):
        return "pose branch: outliers in its input cost degrees when it is rounded to 8 bits"
    if scope == "aggregator" and not name.startswith(BLOCKS):
        return "outside the frame and global blocks"
    if not grid.fits(module.in_features):
        return f"input width {module.in_features} is no multiple of {grid.width_step}"
    return None
