"""Gates on what stands in a program's file, whatever delegate it is for."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

import torch
from executorch.exir._serialize._program import PTEFile
from executorch.exir.schema import (
    DelegateCall,
    ExecutionPlan,
    KernelCall,
    ScalarType,
)
from executorch.exir.schema import Tensor as TensorEntry
from torch import nn
from torchao.quantization.quantize_.workflows.intx.intx_unpacked_to_int8_tensor import (
    IntxUnpackedToInt8Tensor,
)

from fgq.quant.packed import pack_codes
from mobile_export.convolutions import DeviceConv2d
from mobile_export.gate import Gate
from mobile_export.graph import DeviceVGGT, method_names

SHORT_FLOATS = (ScalarType.HALF, ScalarType.BFLOAT16)
# What a file may hold beyond its constants: the graphs of a method, and padding of constants.
BYTES_OF_METHOD = 400_000
SHARE_OF_PADDING = 0.02


def weight_gates(graph: nn.Module) -> Iterator[Gate]:
    """Integer weights are of the kind that runtimes compute rightly.

    Zero points other than 0 are ignored without a word, and scales of groups are cut to bfloat16.
    """
    asymmetric, inexact = [], []
    for name, weight in integer_weights(graph).items():
        if weight.zero_point.any():
            asymmetric.append(name)
        if weight_bits(weight) == 4 and not torch.equal(
            weight.scale, weight.scale.bfloat16().float()
        ):
            inexact.append(name)
    yield Gate(
        "weights.zero_points",
        not asymmetric,
        f"zero points, which runtimes ignore, at {', '.join(asymmetric)}"
        if asymmetric
        else "all integer weights are symmetric",
    )
    yield Gate(
        "weights.scales",
        not inexact,
        f"scales that bfloat16 does not hold at {', '.join(inexact)}"
        if inexact
        else "all scales of groups are exact in bfloat16",
    )


def operator_gates(file: PTEFile, known: set[str]) -> Iterator[Gate]:
    """Outside the delegates there is nothing that the runtime lacks or computes wrongly.

    known: names of the runtime's operators.
    """
    for plan in file.program.execution_plan:
        outside = Counter(name for name, _ in _kernel_calls(plan))
        missing = sorted(set(outside) - known)
        yield Gate(
            f"operators.{plan.name}",
            not missing,
            f"the runtime lacks {', '.join(missing)}"
            if missing
            else f"{sum(outside.values())} operators outside {len(plan.delegates)} delegates",
        )
        stray = sorted(name for name in outside if "quant" in name or "choose_qparams" in name)
        yield Gate(
            f"stray.{plan.name}",
            not stray,
            f"quantization outside the delegate: {', '.join(stray)}"
            if stray
            else "no quantization outside the delegate",
        )
        short = [types for name, types in _kernel_calls(plan) if "layer_norm" in name]
        wrong = sum(any(t in SHORT_FLOATS for t in types) for types in short)
        yield Gate(
            f"norms.{plan.name}",
            not wrong,
            f"{wrong} LayerNorms in 16 bit, which the runtime computes wrongly"
            if wrong
            else "no LayerNorm in 16 bit",
        )


def _kernel_calls(plan: ExecutionPlan) -> Iterator[tuple[str, list[ScalarType]]]:
    """Name and types of the tensors of every call outside the delegates."""
    for chain in plan.chains:
        for instruction in chain.instructions:
            call = instruction.instr_args
            if isinstance(call, KernelCall):
                operator = plan.operators[call.op_index]
                values = [plan.values[i].val for i in call.args]
                types = [v.scalar_type for v in values if isinstance(v, TensorEntry)]
                name = f"{operator.name}.{operator.overload}".removesuffix(".")
                yield name, types
            elif not isinstance(call, DelegateCall):
                yield type(call).__name__, []


def size_gates(size: int, graph: nn.Module, methods: int) -> Iterator[Gate]:
    """The file is as large as its numbers in the formats that they should have."""
    integers = integer_weights(graph)
    expected = 0.0
    for weight in integers.values():
        bits = weight_bits(weight)
        scale = 2 if bits == 4 else 4
        expected += weight.qdata.numel() * bits / 8 + weight.scale.numel() * scale
    plain = [*graph.parameters(), *graph.buffers()]
    storages = {
        x.untyped_storage().data_ptr(): x.element_size() * x.numel()
        for x in plain
        if not isinstance(x, IntxUnpackedToInt8Tensor)
    }
    expected += sum(storages.values())
    largest = expected * (1 + SHARE_OF_PADDING) + methods * BYTES_OF_METHOD
    yield Gate(
        "size",
        size <= largest,
        f"{size / 1e6:.2f} MB for {expected / 1e6:.2f} MB of numbers, at most {largest / 1e6:.2f}",
    )


def integer_weights(graph: nn.Module) -> dict[str, IntxUnpackedToInt8Tensor]:
    """The integer weights of a device graph, by the name of their linear."""
    weights = {name: getattr(m, "weight", None) for name, m in graph.named_modules()}
    return {n: w for n, w in weights.items() if isinstance(w, IntxUnpackedToInt8Tensor)}


def weight_bits(weight: IntxUnpackedToInt8Tensor) -> int:
    """4 or 8."""
    return 4 if weight.target_dtype == torch.int4 else 8  # type: ignore[attr-defined]


class IntegerCall(NamedTuple):
    """An operation on integer weights: codes [N, K] of a linear or [N, C, h, w] of a convolution,
    their scales [N, groups], bits of the weight, and whether its input is rounded to 8 bit."""

    codes: torch.Tensor
    scales: torch.Tensor
    bits: int
    rounded: bool


def integer_calls(graph: DeviceVGGT) -> dict[str, list[IntegerCall]]:
    """Every quantized operation of each method, as often as it is called."""
    return {
        method: _calls_of_forward(graph, torch.zeros(views, 3, *graph.size))
        for views, method in method_names(graph.view_counts).items()
    }


def _calls_of_forward(graph: nn.Module, images: torch.Tensor) -> list[IntegerCall]:
    calls: list[IntegerCall] = []

    def note(module: nn.Module, *_: object) -> None:
        if isinstance(module, DeviceConv2d):
            calls.append(IntegerCall(module.codes, module.scales[:, None], 8, True))
        elif isinstance(weight := module.weight, IntxUnpackedToInt8Tensor):
            rounded = weight.activation_quantization is not None
            calls.append(IntegerCall(weight.qdata, weight.scale, weight_bits(weight), rounded))

    kinds = (nn.Linear, DeviceConv2d)
    hooks = [m.register_forward_hook(note) for m in graph.modules() if isinstance(m, kinds)]
    with torch.no_grad():
        graph(images)
    for hook in hooks:
        hook.remove()
    return calls


def stored_hashes(codes: torch.Tensor, scales: torch.Tensor, bits: int) -> tuple[str, str]:
    """SHA-256 of codes and scales as programs store them: codes of 4 bit from 0 to 15, two in a
    byte."""
    codes = pack_codes(codes + 8) if bits == 4 else codes
    parts = (x.contiguous().view(torch.uint8).numpy().tobytes() for x in (codes, scales))
    of_codes, of_scales = (hashlib.sha256(part).hexdigest() for part in parts)
    return of_codes, of_scales


def one_delegate(plan: ExecutionPlan, name: str) -> Gate:
    """A method is one delegate of this name and nothing else."""
    delegates = [delegate.id for delegate in plan.delegates]
    return Gate(
        f"delegate.{plan.name}",
        delegates == [name] and not plan.operators,
        f"{len(delegates)} delegates, {len(plan.operators)} kinds of operators outside",
    )


def constant_hashes(file: PTEFile) -> dict[str, str]:
    """SHA-256 of every named constant of a program."""
    if file.named_data is None:
        return {}
    buffers = file.named_data.buffers
    return {
        key: hashlib.sha256(buffers[entry.buffer_index]).hexdigest()
        for key, entry in file.named_data.pte_data.items()
    }
