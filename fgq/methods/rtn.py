"""Round to nearest: every weight by itself, without any data."""

from __future__ import annotations

from fgq.methods.block import BlockData, MethodOptions, block_linears
from fgq.quant import (
    DEVICE_GRID,
    FakeQuantLinear,
    Grid,
    Scope,
    fold_layer_scale,
    quantize_convolutions,
    quantize_weight,
    quantized_sites,
)
from fgq.vggt import VGGT
from fgq.vggt.attention import Block


def quantize_rtn(
    model: VGGT,
    grid: Grid = DEVICE_GRID,
    scope: Scope = "all",
    search_steps: int | None = None,
) -> None:
    """Put every site of a floating-point model on a grid, in place.

    On a grid that devices run and with all linears, the dense heads' convolutions go to 8 bit too.
    `search_steps` as in `quantize_weight`: None as the grid says, 0 takes the absolute maximum of
    each group as it is.
    """
    fold_layer_scale(model)
    for name, linear in quantized_sites(model, grid, scope).items():
        weight = quantize_weight(linear.weight.detach(), grid, search_steps)
        model.set_submodule(name, FakeQuantLinear(weight, linear.bias.detach(), grid))
    if scope == "all" and grid.runs_on_devices:
        quantize_convolutions(model)


def quantize_block_rtn(block: Block, data: BlockData, options: MethodOptions) -> None:
    """The same for one block; no data is used."""
    for name, linear, grid in block_linears(block, data, options):
        weight = quantize_weight(linear.weight.detach(), grid)
        block.set_submodule(name, FakeQuantLinear(weight, linear.bias.detach(), grid))
