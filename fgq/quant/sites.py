"""Which layers of a VGGT are quantized, and which stay in floating point and why."""

from __future__ import annotations

from torch import nn

from fgq.quant.grids import GROUP_SIZE
from fgq.vggt import VGGT

QUANTIZED_PARTS = ("aggregator", "camera_head")


def quantized_sites(model: nn.Module) -> dict[str, nn.Linear]:
    """The linears that go to 4 bit, by module name, in the order of the network.

    Every linear of the patch embedder, the aggregator and the camera head whose input width is a
    multiple of the group size.
    """
    return {
        name: module
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear) and _reason_to_keep(name, module) is None
    }


def kept_layers(model: VGGT) -> dict[str, str]:
    """The linears and convolutions that stay in floating point: {module name: reason}."""
    kinds = (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)
    reasons = {
        name: _reason_to_keep(name, module)
        for name, module in model.named_modules()
        if isinstance(module, kinds)
    }
    return {name: reason for name, reason in reasons.items() if reason is not None}


def _reason_to_keep(name: str, module: nn.Module) -> str | None:
    if name.split(".")[0] not in QUANTIZED_PARTS:
        return "dense head: exponentials of its outputs are the depth and its confidence"
    if not isinstance(module, nn.Linear):
        return "convolution: the 4-bit kernels are for linears"
    if module.in_features % GROUP_SIZE:
        return f"input width {module.in_features} is no multiple of {GROUP_SIZE}"
    return None
