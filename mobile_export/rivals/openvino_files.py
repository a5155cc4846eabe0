"""The network for OpenVINO: in full precision, with compressed weights, or calibrated to 8 bit.

All are made from the file for ONNX Runtime. The same linears are rounded as in our programs; the
same convolutions only where that brings products on integers, which is in the calibrated one.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nncf
import numpy as np
import openvino as ov
from numpy.typing import NDArray

from fgq.vggt import VGGT
from mobile_export.rivals.onnx_files import INPUT, digest, site_digests
from mobile_export.rivals.subject import Subject

GROUP = 32


def write_fp32(source: Path, path: Path) -> None:
    _save(ov.convert_model(source), path)


def write_int8_weights(source: Path, path: Path, model: VGGT) -> None:
    """8-bit weights by output channel, inputs as they are or rounded at run time."""
    network = ov.convert_model(source)
    mode = nncf.CompressWeightsMode.INT8_ASYM
    _save(nncf.compress_weights(network, mode=mode, ignored_scope=_kept(network, model)), path)


def write_int4_weights(source: Path, path: Path, model: VGGT) -> None:
    """4-bit weights in groups of 32, inputs as they are or rounded at run time."""
    network = ov.convert_model(source)
    compressed = nncf.compress_weights(
        network,
        mode=nncf.CompressWeightsMode.INT4_SYM,
        ratio=1.0,
        group_size=GROUP,
        all_layers=True,
        ignored_scope=_kept(network, model),
    )
    _save(compressed, path)


def write_int8(source: Path, path: Path, subject: Subject, views: int) -> None:
    """8-bit weights and inputs on fixed scales, calibrated on a few inputs, among them the very
    one that is measured: this row's error is flattered."""
    network = ov.convert_model(source)
    samples = subject.samples(views)
    calibrated = nncf.quantize(
        network,
        nncf.Dataset(samples, lambda sample: {INPUT: sample}),
        model_type=nncf.ModelType.TRANSFORMER,
        subset_size=len(samples),
        ignored_scope=_kept(network, subject.model, convolutions=True),
    )
    _save(calibrated, path)


def _save(network: Any, path: Path) -> None:
    # By default weights would be cut to half precision.
    ov.save_model(network, path, compress_to_fp16=False)


def _kept(network: Any, model: VGGT, convolutions: bool = False) -> nncf.IgnoredScope:
    """The operators that our programs do not round; or no convolution at all."""
    rounded = site_digests(model, convolutions)
    products = ("MatMul", "Convolution", "ConvolutionBackpropData")
    names = []
    for operator in network.get_ordered_ops():
        if operator.get_type_name() in products:
            weight = _constant(operator)
            if weight is None or digest(weight) not in rounded:
                names.append(operator.get_friendly_name())
    return nncf.IgnoredScope(names=names, validate=False)


def _constant(product: Any) -> NDArray[np.float32] | None:
    source = product.input_value(1).get_node()
    if source.get_type_name() != "Constant":
        return None
    weight: NDArray[np.float32] = source.get_data()
    return weight
