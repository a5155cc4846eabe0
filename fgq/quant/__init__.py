"""The integer grid that devices run, where it applies in a VGGT, and its checkpoint on disk."""

from fgq.quant.grids import FakeQuantLinear, QuantizedWeight, fake_quantize_tokens, quantize_weight
from fgq.quant.packed import (
    is_packed,
    load_packed,
    load_recipe,
    make_recipe,
    save_packed,
    weights_file,
)
from fgq.quant.sites import kept_layers, quantized_sites

__all__ = [
    "FakeQuantLinear",
    "QuantizedWeight",
    "fake_quantize_tokens",
    "is_packed",
    "kept_layers",
    "load_packed",
    "load_recipe",
    "make_recipe",
    "quantize_weight",
    "quantized_sites",
    "save_packed",
    "weights_file",
]
