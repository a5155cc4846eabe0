"""Integer grids, where they apply in a VGGT, transformations, and the checkpoint on disk."""

from fgq.quant.convolution import (
    FakeQuantConv2d,
    quantize_convolutions,
    quantized_convolutions,
)
from fgq.quant.grids import (
    DEVICE_GRID,
    GRIDS,
    WIDE_GRID,
    Grid,
    QuantizedWeight,
    fake_quantize_tokens,
    quantize_weight,
    round_to_scales,
)
from fgq.quant.linear import FakeQuantLinear
from fgq.quant.packed import (
    checkpoint_source,
    is_packed,
    load_packed,
    load_recipe,
    make_recipe,
    require_full_precision,
    save_packed,
    weights_file,
)
from fgq.quant.sites import Scope, fake_quantized, kept_layers, quantized_sites
from fgq.quant.transforms import Affine, AffineTransform, fold_layer_scale

__all__ = [
    "DEVICE_GRID",
    "GRIDS",
    "WIDE_GRID",
    "Affine",
    "AffineTransform",
    "FakeQuantConv2d",
    "FakeQuantLinear",
    "Grid",
    "QuantizedWeight",
    "Scope",
    "checkpoint_source",
    "fake_quantize_tokens",
    "fake_quantized",
    "fold_layer_scale",
    "is_packed",
    "kept_layers",
    "load_packed",
    "load_recipe",
    "make_recipe",
    "quantize_convolutions",
    "quantize_weight",
    "quantized_convolutions",
    "quantized_sites",
    "require_full_precision",
    "round_to_scales",
    "save_packed",
    "weights_file",
]
