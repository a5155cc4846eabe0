"""Quantization methods, one a file.

A method is a function of one block, its calibration data and options that leaves `FakeQuantLinear`s
behind; METHODS has each with its default options.
"""

from collections.abc import Callable
from typing import get_args

from fgq.methods.block import BlockData, MethodOptions, Transform
from fgq.methods.fgq import DEFAULTS as FGQ_DEFAULTS
from fgq.methods.fgq import PUBLISHED as FGQ_PUBLISHED
from fgq.methods.fgq import quantize_fgq
from fgq.methods.flatquant import DEFAULTS as FLATQUANT_DEFAULTS
from fgq.methods.flatquant import quantize_flatquant
from fgq.methods.gptq import DEFAULTS as GPTQ_DEFAULTS
from fgq.methods.gptq import quantize_gptq
from fgq.methods.quantvggt import DEFAULTS as QUANTVGGT_DEFAULTS
from fgq.methods.quantvggt import quantize_quantvggt
from fgq.methods.quarot import quantize_quarot
from fgq.methods.rtn import quantize_block_rtn, quantize_rtn
from fgq.methods.smoothquant import quantize_smoothquant
from fgq.vggt.attention import Block

TRANSFORMS = get_args(Transform)
Method = Callable[[Block, BlockData, MethodOptions], None]
METHODS: dict[str, tuple[Method, MethodOptions]] = {
    "rtn": (quantize_block_rtn, MethodOptions()),
    "smoothquant": (quantize_smoothquant, MethodOptions()),
    "quarot": (quantize_quarot, MethodOptions()),
    "gptq": (quantize_gptq, GPTQ_DEFAULTS),
    "flatquant": (quantize_flatquant, FLATQUANT_DEFAULTS),
    "quantvggt": (quantize_quantvggt, QUANTVGGT_DEFAULTS),
    "fgq-published": (quantize_flatquant, FGQ_PUBLISHED),
    "fgq": (quantize_fgq, FGQ_DEFAULTS),
}

__all__ = ["METHODS", "TRANSFORMS", "BlockData", "MethodOptions", "quantize_rtn"]
