"""Round to nearest: every weight by itself, without any data."""

from __future__ import annotations

from fgq.quant.grids import FakeQuantLinear, quantize_weight
from fgq.quant.sites import quantized_sites
from fgq.quant.transforms import fold_layer_scale
from fgq.vggt import VGGT


def quantize_rtn(model: VGGT, search_steps: int = 24) -> None:
    """Put every quantized site of a floating-point model on the deployable grid, in place.

    `search_steps` as in `quantize_weight`; 0 takes the absolute maximum of each group as it is.
    """
    fold_layer_scale(model)
    for name, linear in quantized_sites(model).items():
        weight = quantize_weight(linear.weight.detach(), search_steps)
        model.set_submodule(name, FakeQuantLinear(weight, linear.bias.detach()))
