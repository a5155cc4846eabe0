"""XNNPACK: the CPU of desktops, Android and iOS."""

from __future__ import annotations

import json
import re
import tempfile
from collections import Counter
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple

import torch
from executorch.backends.xnnpack import serialization
from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
from executorch.backends.xnnpack.serialization.xnnpack_graph_serialize import XNNHeader
from executorch.exir._serialize._flatbuffer import _flatc_decompile
from executorch.exir._serialize._program import PTEFile

from mobile_export.file_gates import (
    IntegerCall,
    constant_hashes,
    integer_calls,
    stored_hashes,
)
from mobile_export.gate import Gate
from mobile_export.graph import DeviceVGGT

DELEGATE = "XnnpackBackend"
# (input, weight) by the bits of the weight: inputs are rounded at run time, tokens or images.
INTEGER_TYPES = {4: ("qdint8", "qbint4"), 8: ("qdint8", "qcint8")}


class Kernel(NamedTuple):
    """A linear or convolution inside a delegate: the delegate's names of the number formats, and
    the names of its constants in the program's data ("" for none)."""

    input_type: str
    weight_type: str
    weight_key: str
    scales_key: str


class XnnpackTarget:
    name = "xnnpack"
    precisions: tuple[str, ...] = ("fp32", "8da4w", "8da8w")
    runs_here = True
    gpu = False

    def partitioners(self) -> list[Any]:
        return [XnnpackPartitioner()]

    def gates(self, file: PTEFile, graph: DeviceVGGT) -> Iterator[Gate]:
        """All delegates are XNNPACK's, and every quantized layer of the graph is in them on
        integers, with its very codes and scales."""
        calls = integer_calls(graph)
        constants = constant_hashes(file)
        for plan in file.program.execution_plan:
            expected = Counter(map(_expected, calls[plan.name]))
            foreign = sorted({d.id for d in plan.delegates} - {DELEGATE})
            yield Gate(
                f"delegate.{plan.name}",
                bool(plan.delegates) and not foreign,
                f"delegates are {[d.id for d in plan.delegates]}, expected {DELEGATE}",
            )
            found: Counter[tuple[str, ...]] = Counter()
            others: Counter[str] = Counter()
            for delegate in plan.delegates:
                data = file.program.backend_delegate_data[delegate.processed.index].data
                for kernel in read_kernels(bytes(data)):
                    types = (kernel.input_type, kernel.weight_type)
                    if types in INTEGER_TYPES.values():
                        keys = constants[kernel.weight_key], constants[kernel.scales_key]
                        found[(*types, *keys)] += 1
                    elif types != ("fp32", "fp32"):
                        others[" x ".join(types)] += 1
            wrong = (expected - found) + (found - expected)
            finding = (
                f"{found.total()} of {expected.total()} quantized layers are integer in the"
                " delegate"
            )
            if wrong:
                finding += f", {wrong.total()} with other codes or scales"
            if others:
                finding += f", others are {dict(others)}"
            yield Gate(f"integers.{plan.name}", not wrong and not others, finding)


def read_kernels(payload: bytes) -> list[Kernel]:
    """Linears and convolutions in a delegate's serialized form, in the order of execution."""
    graph = _read_graph(payload)
    values: dict[int, dict[str, Any]] = {}
    for entry in graph["xvalues"]:
        value = entry["xvalue_union"]
        base = value.get("tensor_value", value)
        values[base["id_out"]] = {**value.get("quant_params", {}), **base}
    constants = graph["constant_data"]
    kernels = []
    for node in graph["xnodes"]:
        if node["xnode_union_type"] not in ("XNNFullyConnected", "XNNConv2d"):
            continue
        linear = node["xnode_union"]
        source, weight = values[linear["input1_id"]], values[linear["filter_id"]]
        scales = weight.get("scale_buffer_idx", 0)
        kernels.append(
            Kernel(
                input_type=_short(source["datatype"]),
                weight_type=_short(weight["datatype"]),
                weight_key=constants[weight["constant_buffer_idx"]]["named_key"],
                scales_key=constants[scales]["named_key"] if scales else "",
            )
        )
    return kernels


def _expected(call: IntegerCall) -> tuple[str, ...]:
    """Formats and SHA-256 of codes and scales of an operation as the program should store them."""
    codes = call.codes if call.codes.dim() == 2 else call.codes.permute(0, 2, 3, 1)
    scales = call.scales.to(torch.bfloat16) if call.bits == 4 else call.scales
    return (*INTEGER_TYPES[call.bits], *stored_hashes(codes, scales, call.bits))


def _short(datatype: str) -> str:
    return datatype.removeprefix("xnn_datatype_")


def _read_graph(payload: bytes) -> dict[str, Any]:
    """The delegate's graph, from flatbuffer by the schema in executorch's own package."""
    header = XNNHeader.from_bytes(payload[: XNNHeader.EXPECTED_LENGTH])
    start = header.flatbuffer_offset
    with tempfile.TemporaryDirectory() as folder:
        schema, binary = Path(folder, "schema.fbs"), Path(folder, "graph.bin")
        schema.write_bytes(resources.files(serialization).joinpath("schema.fbs").read_bytes())
        binary.write_bytes(payload[start : start + header.flatbuffer_size])
        _flatc_decompile(folder, str(schema), str(binary))
        text = binary.with_suffix(".json").read_text()
    # flatc writes infinite bounds as `inf`, which is not JSON.
    graph: dict[str, Any] = json.loads(re.sub(r"(?<=[:\s])(-?)inf\b", r"\1Infinity", text))
    return graph
