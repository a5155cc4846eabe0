"""The network for ONNX Runtime: in full precision, with 8-bit and with 4-bit linears.

It is made from fgq.vggt, whose attention and norms stay whole operators; the device graph would
give the other engines our rewrites, which suit our delegates only. The same linears are rounded
as in our programs; ONNX Runtime has no fast convolution whose inputs are rounded at run time.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import numpy_helper

from fgq.quant import quantized_sites
from fgq.quant.convolution import convolution_sites
from fgq.vggt import VGGT
from mobile_export.rivals.subject import Subject

INPUT = "input"


def write_onnx(subject: Subject, views: int, path: Path) -> None:
    """Full precision, one static shape."""
    example = torch.from_numpy(subject.example(views))
    with torch.no_grad():
        torch.onnx.export(
            subject.network(views),
            (example,),
            path,
            input_names=[INPUT],
            output_names=subject.outputs,
            dynamo=True,
            external_data=False,
            verbose=False,
        )
    model = onnx.load(path)
    _fold_transposes(model)
    onnx.save(model, path)


def write_int8(source: Path, path: Path, model: VGGT) -> None:
    """8-bit weights by output channel, inputs rounded at run time."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    quantize_dynamic(
        source,
        path,
        op_types_to_quantize=["MatMul"],
        per_channel=True,
        weight_type=QuantType.QInt8,
        nodes_to_exclude=_kept_products(source, model),
        extra_options={"MatMulConstBOnly": True},
    )


def write_int4(source: Path, path: Path, model: VGGT) -> None:
    """4-bit weights in groups of 32 with a scale each, and products on integers."""
    from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer

    quantizer = MatMulNBitsQuantizer(
        onnx.load(source),
        block_size=32,
        is_symmetric=True,
        accuracy_level=4,
        nodes_to_exclude=_kept_products(source, model),
    )
    quantizer.process()
    quantizer.model.save_model_to_file(str(path))


def site_digests(model: VGGT, convolutions: bool = False) -> set[str]:
    """Of the linears' weights that our programs round, in both orders of rows and columns, and of
    the convolutions'."""
    linears = [site.weight.detach().numpy() for site in quantized_sites(model).values()]
    found = {digest(x) for weight in linears for x in (weight, weight.T)}
    if convolutions:
        sites = convolution_sites(model).values()
        found |= {digest(site.weight.detach().numpy()) for site in sites}
    return found


def digest(weight: NDArray[np.float32]) -> str:
    return hashlib.sha256(np.ascontiguousarray(weight).tobytes()).hexdigest()


def _fold_transposes(model: onnx.ModelProto) -> None:
    """Make products with a transposed constant products with a constant, in place.

    The exporter leaves those weights alone that are used more than once, and no quantizer knows
    them for weights then.
    """
    constants = {x.name: x for x in model.graph.initializer}
    folded = []
    for node in model.graph.node:
        if node.op_type == "Transpose" and node.input[0] in constants:
            order = next((list(a.ints) for a in node.attribute if a.name == "perm"), None)
            weight = np.transpose(numpy_helper.to_array(constants[node.input[0]]), order)
            result = numpy_helper.from_array(np.ascontiguousarray(weight), node.output[0])
            model.graph.initializer.append(result)
            folded.append(node)
    for node in folded:
        model.graph.node.remove(node)
    used = {name for node in model.graph.node for name in node.input}
    unused = [x for x in model.graph.initializer if x.name not in used]
    for constant in unused:
        model.graph.initializer.remove(constant)


def _kept_products(source: Path, model: VGGT) -> list[str]:
    """Names of the products with a constant that our programs do not round."""
    graph = onnx.load(source).graph
    constants = {x.name: x for x in graph.initializer}
    rounded = site_digests(model)
    return [
        node.name
        for node in graph.node
        if node.op_type == "MatMul"
        and node.input[1] in constants
        and digest(numpy_helper.to_array(constants[node.input[1]])) not in rounded
    ]
