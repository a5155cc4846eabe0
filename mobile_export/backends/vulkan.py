"""Vulkan: the GPU of Android devices.

No package carries a runtime that executes these programs on a desktop. They are checked by what
stands in them; their graph is run without the delegate.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from executorch.backends.vulkan.partitioner.vulkan_partitioner import VulkanPartitioner
from executorch.backends.vulkan.serialization.vulkan_graph_schema import (
    VkGraph,
    VkMemoryLayout,
    VkStorageType,
    VkTensor,
)
from executorch.backends.vulkan.serialization.vulkan_graph_serialize import (
    VulkanDelegateHeader,
    flatbuffer_to_vk_graph,
)
from executorch.exir._serialize._program import PTEFile

from mobile_export.file_gates import (
    IntegerCall,
    constant_hashes,
    integer_calls,
    one_delegate,
    stored_hashes,
)
from mobile_export.gate import Gate
from mobile_export.graph import DeviceVGGT

DELEGATE = "VulkanBackend"
# The kernel of an int4 linear by whether its input is rounded to 8 bit, and the place of the
# weight and of its scales among the arguments.
KERNELS = {
    True: ("et_vk.linear_dq8ca_q4gsw.default", 3, 5),
    False: ("et_vk.linear_q4gsw.default", 1, 2),
}
# What drivers promise: numbers in a buffer, and the extents of a 3-D texture on most phones and
# on all devices. A texel holds four numbers along one dimension.
BUFFER_LIMIT = 128 * 2**20
TEXTURE_LIMITS = (16384, 16384, 2048)
SMALL_TEXTURE_LIMITS = (2048, 2048, 2048)
PACKED = (
    VkMemoryLayout.TENSOR_WIDTH_PACKED,
    VkMemoryLayout.TENSOR_HEIGHT_PACKED,
    VkMemoryLayout.TENSOR_CHANNELS_PACKED,
)


@dataclass(frozen=True)
class VulkanTarget:
    """fp16: half-precision arithmetic and storage on the device. small_textures: for GPUs that
    have 2048 texels a side only (PowerVR, desktops)."""

    fp16: bool = False
    small_textures: bool = False
    name: str = "vulkan"
    precisions: tuple[str, ...] = ("fp32", "4w", "8da4w")
    runs_here: bool = False
    gpu: bool = True

    def partitioners(self) -> list[Any]:
        options = {"force_fp16": self.fp16, "small_texture_limits": self.small_textures}
        return [VulkanPartitioner(options)]

    def gates(self, file: PTEFile, graph: DeviceVGGT) -> Iterator[Gate]:
        """Each method is one delegate; all int4 linears are in it with their very codes, and see
        one batch only; nothing is larger than a GPU takes."""
        stored = torch.float16 if self.fp16 else torch.float32
        calls = integer_calls(graph)
        constants = constant_hashes(file)
        limits = SMALL_TEXTURE_LIMITS if self.small_textures else TEXTURE_LIMITS
        for plan in file.program.execution_plan:
            expected = Counter(_expected(call, stored) for call in calls[plan.name])
            yield one_delegate(plan, DELEGATE)
            found: Counter[tuple[str, ...]] = Counter()
            batched, oversized = 0, 0
            for delegate in plan.delegates:
                if delegate.id != DELEGATE:
                    continue
                data = bytes(file.program.backend_delegate_data[delegate.processed.index].data)
                device = read_graph(data)
                oversized += sum(_is_too_large(t, limits) for t in _tensors(device))
                for kernel, source, keys in _int4_linears(device):
                    found[(kernel, *(constants[key] for key in keys))] += 1
                    batched += math.prod(source.dims[:-2]) != 1
            wrong = (expected - found) + (found - expected)
            yield Gate(
                f"integers.{plan.name}",
                not wrong,
                f"{found.total()} of {expected.total()} quantized linears are int4 in the delegate"
                + (f", {wrong.total()} with other codes or scales" if wrong else ""),
            )
            yield Gate(
                f"batches.{plan.name}",
                not batched,
                f"{batched} int4 linears with a batch, which the kernel computes wrongly"
                if batched
                else "every int4 linear sees one batch",
            )
            yield Gate(
                f"limits.{plan.name}",
                not oversized,
                f"{oversized} tensors are larger than {BUFFER_LIMIT} numbers or {limits} texels"
                if oversized
                else "every tensor fits the limits of buffers and textures",
            )


def read_graph(payload: bytes) -> VkGraph:
    """The delegate's graph from its serialized form."""
    # Read here, since the package's own reader takes a header of exactly its length.
    header = VulkanDelegateHeader.from_bytes(payload[: VulkanDelegateHeader.EXPECTED_LENGTH])
    start = header.flatbuffer_offset
    return flatbuffer_to_vk_graph(payload[start : start + header.flatbuffer_size])


def _tensors(graph: VkGraph) -> Iterator[VkTensor]:
    return (v.value for v in graph.values if isinstance(v.value, VkTensor))


def _int4_linears(graph: VkGraph) -> Iterator[tuple[str, VkTensor, tuple[str, str]]]:
    """Kernel, input, and the names of codes and scales."""
    places = {kernel: (weight, scales) for kernel, weight, scales in KERNELS.values()}
    for call in graph.chain:
        if call.name in places:
            arguments = [graph.values[i].value for i in call.args]
            weight, scales = (arguments[i] for i in places[call.name])
            keys = (
                graph.constants[weight.constant_id].named_key,
                graph.constants[scales.constant_id].named_key,
            )
            yield call.name, arguments[0], keys


def _expected(call: IntegerCall, stored: torch.dtype) -> tuple[str, ...]:
    """Kernel and SHA-256 of codes and scales of a linear as the program should store them; scales
    in bfloat16 are exact in half precision too, but for those below 6e-5."""
    padding = -len(call.codes) % 4
    scales = F.pad(call.scales.T, (0, padding)).to(stored)
    return KERNELS[call.rounded][0], *stored_hashes(call.codes, scales, call.bits)


def _is_too_large(tensor: VkTensor, limits: tuple[int, int, int]) -> bool:
    if tensor.storage_type == VkStorageType.TEXTURE_3D:
        batch, depth, height, width = ([1] * 4 + list(tensor.dims))[-4:]
        extents = [width, height, depth]
        if tensor.memory_layout in PACKED:
            packed = PACKED.index(tensor.memory_layout)
            extents[packed] = -(-extents[packed] // 4)
        extents[2] *= batch
        return any(extent > limit for extent, limit in zip(extents, limits, strict=True))
    return math.prod(tensor.dims) >= BUFFER_LIMIT
