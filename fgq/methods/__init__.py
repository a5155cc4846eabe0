"""Quantization methods, one a file; each leaves a network of `FakeQuantLinear` behind."""

from fgq.methods.rtn import quantize_rtn

__all__ = ["quantize_rtn"]
