"""The gates that every bundle passes before it is written.

ExecuTorch has ways to be wrong without saying so: int4 weights that run unscaled, zero points that
are ignored, operators that the device lacks. So a program is read back from its final bytes and
run, and both must agree with the network.
"""

from __future__ import annotations

import copy
import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from executorch.exir._serialize._program import PTEFile, deserialize_pte_binary
from executorch.exir.schema import DelegateCall, ExecutionPlan, KernelCall
from torch import Tensor, nn
from torchao.quantization.quantize_.workflows.intx.intx_unpacked_to_int8_tensor import (
    IntxUnpackedToInt8Tensor,
)

from fgq.quant import FakeQuantLinear, QuantizedWeight
from fgq.vggt import VGGT
from mobile_export.backends import Backend
from mobile_export.graph import DeviceVGGT, output_names
from mobile_export.lower import method_names
from mobile_export.program import ProgramError, RunningProgram

# Largest |a - b| / |b| (Euclidean norms over an output) of the rewritten network, without rounding
# of activations, against fgq.vggt. Measured: at most 2e-6.
GRAPH_TOLERANCE = 1e-5
# The same of an fp32 program, its floating-point sums in another order. Measured: at most 5e-6.
PROGRAM_TOLERANCE = 2e-5
# In 8da4w an activation near the middle between two codes may fall to either side, and every
# such step moves others. How far that carries a network is measured on the network itself: how
# much its eager outputs change when the images change by 1e-4 of themselves, in three ways. A
# program may be off by four times as much. Measured: off by 0.5 to 2 times as much, which is
# 0.002 for poses and depth of the trained nano network and up to 0.05 for poses of untrained
# ones, against 1 for wrong scales and 0.4 for ignored zero points. Up to 0.005 is allowed to all:
# a single flip can do 0.002 where none of the changed images happened to cause one. Nothing may be
# off by more than LARGEST_ALLOWED: with such a network the comparison would prove nothing.
PERTURBATION = 1e-4
PERTURBED_RUNS = 3
SENSITIVITY_FACTOR = 4.0
SMALLEST_ALLOWED = 0.005
LARGEST_ALLOWED = 0.2


@dataclass(frozen=True)
class Gate:
    """One check: what was looked at, whether it held, and the finding in one line."""

    name: str
    passed: bool
    finding: str


def verify(
    program: Path, graph: DeviceVGGT, model: VGGT, view_counts: Sequence[int], backend: Backend
) -> list[Gate]:
    """All gates of a program that was lowered from `graph`, which was made from `model`.

    The model is the folded one: in floating point for an fp32 program, with `FakeQuantLinear` for
    a 4-bit one.
    """
    file = deserialize_pte_binary(program.read_bytes())
    return [
        *graph_gates(graph, model),
        *operator_gates(file, backend),
        *kernel_gates(file, graph, backend),
        *output_gates(program, graph, model, view_counts),
    ]


def graph_gates(graph: DeviceVGGT, model: VGGT) -> Iterator[Gate]:
    """The rewritten network, its weights taken as real numbers, equals fgq.vggt."""
    plain = _in_floating_point(model)
    if plain is not model:
        graph = DeviceVGGT(plain, graph.view_counts, graph.size, graph.heads)
    views = sorted(graph.view_counts)[:2][-1]  # more than one view where there is a choice
    images = torch.from_numpy(probe_images(views, graph.size)["noise"])
    with torch.no_grad():
        actual = graph(images)
    for name, tensor, expected in zip(
        output_names(graph.heads),
        actual,
        reference_outputs(plain, images, graph.heads),
        strict=True,
    ):
        error = relative_error(tensor.numpy(), expected)
        yield Gate(
            f"graph.{name}",
            error <= GRAPH_TOLERANCE,
            f"the rewritten network is {error:.1e} off fgq.vggt, allowed {GRAPH_TOLERANCE:.0e}",
        )


def operator_gates(file: PTEFile, backend: Backend) -> Iterator[Gate]:
    """Outside the delegates there is nothing that the runtime lacks, and no quantization."""
    from executorch.extension.pybindings import _C

    known = set(_C._get_operator_names())
    for plan in file.program.execution_plan:
        outside = Counter(_kernel_names(plan))
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
        foreign = sorted({d.id for d in plan.delegates} - {backend.delegate_id})
        yield Gate(
            f"delegate.{plan.name}",
            bool(plan.delegates) and not foreign,
            f"delegates are {[d.id for d in plan.delegates]}, expected {backend.delegate_id}",
        )


def _kernel_names(plan: ExecutionPlan) -> Iterator[str]:
    for chain in plan.chains:
        for instruction in chain.instructions:
            call = instruction.instr_args
            if isinstance(call, KernelCall):
                operator = plan.operators[call.op_index]
                yield f"{operator.name}.{operator.overload}" if operator.overload else operator.name
            elif not isinstance(call, DelegateCall):
                yield type(call).__name__


def kernel_gates(file: PTEFile, graph: DeviceVGGT, backend: Backend) -> Iterator[Gate]:
    """Every quantized linear of the graph is in the delegates: int4, with its very codes."""
    expected = Counter(
        tuple(hashlib.sha256(part).hexdigest() for part in backend.int4_constants(weight))
        for weight in _quantized_calls(graph)
    )
    constants = _constants(file)
    for plan in file.program.execution_plan:
        int4: Counter[tuple[str, ...]] = Counter()
        others: Counter[str] = Counter()
        for delegate in plan.delegates:
            data = file.program.backend_delegate_data[delegate.processed.index].data
            for kernel in backend.kernels(bytes(data)):
                types = (kernel.input_type, kernel.weight_type)
                if types == backend.int4_types:
                    int4[constants[kernel.weight_key], constants[kernel.scales_key]] += 1
                elif types != ("fp32", "fp32"):
                    others[" x ".join(types)] += 1
        wrong = (expected - int4) + (int4 - expected)
        finding = f"{int4.total()} of {expected.total()} quantized linears are int4 in the delegate"
        if wrong:
            finding += f", {wrong.total()} with other codes or scales"
        if others:
            finding += f", others are {dict(others)}"
        yield Gate(f"int4.{plan.name}", not wrong and not others, finding)


def _constants(file: PTEFile) -> dict[str, str]:
    """SHA-256 of every named constant of the program."""
    if file.named_data is None:
        return {}
    buffers = file.named_data.buffers
    return {
        key: hashlib.sha256(buffers[entry.buffer_index]).hexdigest()
        for key, entry in file.named_data.pte_data.items()
    }


def _quantized_calls(graph: DeviceVGGT) -> list[QuantizedWeight]:
    """The weight of every quantized linear, once for each time that one forward calls it."""
    calls: list[QuantizedWeight] = []

    def note(linear: nn.Module, *_: object) -> None:
        weight = linear.weight
        if isinstance(weight, IntxUnpackedToInt8Tensor):
            calls.append(QuantizedWeight(weight.qdata, weight.scale.to(torch.bfloat16)))

    hooks = [m.register_forward_hook(note) for m in graph.modules() if isinstance(m, nn.Linear)]
    with torch.no_grad():
        graph(torch.zeros(graph.view_counts[0], 3, *graph.size))
    for hook in hooks:
        hook.remove()
    return calls


def output_gates(
    program: Path, graph: DeviceVGGT, model: VGGT, view_counts: Sequence[int]
) -> Iterator[Gate]:
    """The running program equals the eager network, output by output."""
    names = output_names(graph.heads)
    for views, method in method_names(view_counts).items():
        probes = probe_images(views, graph.size)
        try:
            with RunningProgram(program, method, threads=1) as running:
                results = {kind: running.run(images).outputs for kind, images in probes.items()}
        except ProgramError as failure:
            yield Gate(f"run.{method}", False, str(failure))
            continue
        for kind, actual in results.items():
            images = torch.from_numpy(probes[kind])
            expected = reference_outputs(model, images, graph.heads)
            allowances = _allowances(model, images, expected, graph.heads)
            for name, got, wanted, allowed in zip(names, actual, expected, allowances, strict=True):
                error = relative_error(got, wanted)
                yield Gate(
                    f"output.{method}.{kind}.{name}",
                    error <= allowed,
                    f"{error:.1e} off the eager network, allowed {allowed:.1e}",
                )


def _allowances(
    model: VGGT, images: Tensor, expected: Sequence[np.ndarray], heads: Sequence[str]
) -> list[float]:
    """How far each output of a program may be off."""
    if not _quantized_sites(model):
        return [PROGRAM_TOLERANCE] * len(expected)
    largest = [0.0] * len(expected)
    for seed in range(PERTURBED_RUNS):
        noise = 2 * torch.rand(images.shape, generator=torch.Generator().manual_seed(seed)) - 1
        moved = reference_outputs(model, images * (1 + PERTURBATION * noise), heads)
        changes = map(relative_error, moved, expected)
        largest = [max(pair) for pair in zip(largest, changes, strict=True)]
    return [
        min(max(SENSITIVITY_FACTOR * change, SMALLEST_ALLOWED), LARGEST_ALLOWED)
        for change in largest
    ]


def reference_outputs(model: VGGT, images: Tensor, heads: Sequence[str]) -> list[np.ndarray]:
    """What fgq.vggt computes for one scene [S, 3, H, W], in the shapes of the program's outputs."""
    with torch.no_grad():
        result = model(images[None], views_per_chunk=1)
    outputs = {name: result[name][0] for name in output_names(heads)}
    if "depth" in outputs:
        outputs["depth"] = outputs["depth"][..., 0]
    return [tensor.numpy() for tensor in outputs.values()]


def relative_error(actual: np.ndarray, expected: np.ndarray) -> float:
    """Euclidean norm of the difference over that of the expected values; infinite if not finite."""
    if actual.shape != expected.shape or not np.isfinite(actual).all():
        return float("inf")
    return float(np.linalg.norm(actual - expected) / np.linalg.norm(expected))


def probe_images(views: int, size: tuple[int, int]) -> dict[str, np.ndarray]:
    """Images [S, 3, H, W] in [0, 1]: a smooth pattern that moves from view to view, and noise."""
    y, x = np.mgrid[: size[0], : size[1]].astype(np.float32)
    waves = [
        [np.sin(x / (9 + 4 * c) + 0.3 * s) * np.cos(y / (13 - 2 * c) - 0.2 * s) for c in range(3)]
        for s in range(views)
    ]
    noise = np.random.default_rng(0).random((views, 3, *size), dtype=np.float32)
    return {"pattern": (0.5 + 0.5 * np.array(waves)).astype(np.float32), "noise": noise}


def _in_floating_point(model: VGGT) -> VGGT:
    """The same weights without rounding of activations; the model itself if there is none."""
    sites = [n for n, module in model.named_modules() if isinstance(module, FakeQuantLinear)]
    if not sites:
        return model
    plain = copy.deepcopy(model)
    for name in sites:
        quantized = plain.get_submodule(name)
        assert isinstance(quantized, FakeQuantLinear)
        linear = nn.Linear(
            quantized.in_features, quantized.out_features, quantized.bias is not None
        )
        linear.weight = nn.Parameter(quantized.quantized_weight.dequantize())
        if quantized.bias is not None:
            linear.bias = quantized.bias
        plain.set_submodule(name, linear)
    return plain.requires_grad_(False)


def _quantized_sites(model: VGGT) -> dict[str, FakeQuantLinear]:
    return {n: module for n, module in model.named_modules() if isinstance(module, FakeQuantLinear)}
