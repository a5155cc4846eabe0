"""Our programs of a benchmark's subject, rounded to nearest like those of the rivals."""

from __future__ import annotations

import copy
from pathlib import Path

import torch
from torch import Tensor, nn

from fgq.methods import quantize_rtn
from fgq.quant import fold_layer_scale
from fgq.vggt import VGGT
from mobile_export.backends import make_backend
from mobile_export.export import GRID_OF_PRECISION
from mobile_export.graph import DeviceVGGT
from mobile_export.layers import DeviceBlock, rotary_tables
from mobile_export.lower import lower_methods, write_program
from mobile_export.rivals.networks import block_order
from mobile_export.rivals.subject import Subject

METHOD = "forward"


class DeviceBlockStack(nn.Module):
    """`BlockStack` in the operators of the device; its LayerScales must be folded already."""

    cos: Tensor
    sin: Tensor

    def __init__(self, model: VGGT, views: int, size: tuple[int, int]) -> None:
        super().__init__()
        config = model.config
        self.views = views
        self.blocks = nn.ModuleList(DeviceBlock(b, rotary=True) for b in block_order(model))
        grid = (size[0] // config.patch_size, size[1] // config.patch_size)
        cos, sin = rotary_tables(config, grid)
        self.register_buffer("cos", cos)
        self.register_buffer("sin", sin)
        self.eval().requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        for i, block in enumerate(self.blocks):
            x = block(x, self.views, self.views if i % 2 == 0 else 1, (self.cos, self.sin))
        return x


def write_pte(
    subject: Subject, views: int, precision: str, path: Path, record: Path | None = None
) -> None:
    """A program with one method METHOD for a number of views.

    precision: fp32, 8da4w or 8da8w. `record` is a file for what the profiler needs to name the
    operators.
    """
    with torch.no_grad():
        model = copy.deepcopy(subject.model)
        if precision == "fp32":
            fold_layer_scale(model)
        else:
            quantize_rtn(model, GRID_OF_PRECISION[precision])
        network = (
            DeviceVGGT(model, [views], subject.size, model.config.heads)
            if model.config.heads
            else DeviceBlockStack(model, views, subject.size)
        )
        example = torch.from_numpy(subject.example(views))
        backend = make_backend("xnnpack")
        edge = lower_methods(network, {METHOD: example}, backend, record is not None)
        write_program(edge, path, record)
