"""XNNPACK: the CPU of desktops, Android and iOS."""

from __future__ import annotations

import json
import re
import tempfile
from importlib import resources
from pathlib import Path
from typing import Any

import torch
from executorch.backends.xnnpack import serialization
from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
from executorch.backends.xnnpack.serialization.xnnpack_graph_serialize import XNNHeader
from executorch.exir._serialize._flatbuffer import _flatc_decompile

from fgq.quant import QuantizedWeight
from mobile_export.backends.base import Kernel


class XnnpackTarget:
    name = "xnnpack"
    delegate_id = "XnnpackBackend"
    int4_types = ("qdint8", "qbint4")

    def partitioners(self) -> list[Any]:
        return [XnnpackPartitioner()]

    def kernels(self, payload: bytes) -> list[Kernel]:
        graph = _read_graph(payload)
        values: dict[int, dict[str, Any]] = {}
        for entry in graph["xvalues"]:
            value = entry["xvalue_union"]
            base = value.get("tensor_value", value)
            values[base["id_out"]] = {**value.get("quant_params", {}), **base}
        constants = graph["constant_data"]
        kernels = []
        for node in graph["xnodes"]:
            if node["xnode_union_type"] != "XNNFullyConnected":
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

    def int4_constants(self, weight: QuantizedWeight) -> tuple[bytes, bytes]:
        nibbles = (weight.codes + 8).to(torch.uint8)
        packed = nibbles[:, ::2] | (nibbles[:, 1::2] << 4)
        scales = weight.scales.contiguous().view(torch.uint8)
        return packed.numpy().tobytes(), scales.numpy().tobytes()


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
