"""The gates that every bundle passes before it is written.

ExecuTorch has ways to be wrong without saying so: int4 weights that run unscaled, zero points that
are ignored, operators that the device lacks. So a program is read back from its final bytes and
run, and both must agree with the network.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from mmap import ACCESS_READ, mmap
from pathlib import Path

import numpy as np
import torch
from executorch.exir._serialize._program import deserialize_pte_binary
from executorch.extension.pybindings import _C
from torch import Tensor

from fgq.quant import (
    FakeQuantConv2d,
    FakeQuantLinear,
    fake_quantized,
    quantized_convolutions,
)
from fgq.vggt import VGGT
from mobile_export.backends import Backend
from mobile_export.file_gates import operator_gates, size_gates, weight_gates
from mobile_export.gate import Gate
from mobile_export.graph import DeviceVGGT, method_names
from mobile_export.outputs import output_names
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


def verify(
    program: Path, graph: DeviceVGGT, model: VGGT, view_counts: Sequence[int], backend: Backend
) -> list[Gate]:
    """All gates of a program that was lowered from `graph`, which was made from `model`.

    The model is the folded one: in floating point for an fp32 program, with `FakeQuantLinear` for
    one on integers.
    """
    return [
        *weight_gates(graph),
        *graph_gates(graph, model),
        *stored_gates(program, graph, backend),
        *size_gates(program.stat().st_size, graph, len(view_counts)),
        *(
            output_gates(program, graph, model, view_counts)
            if backend.runs_here
            else eager_gates(graph, model)
        ),
    ]


def stored_gates(program: Path, graph: DeviceVGGT, backend: Backend) -> list[Gate]:
    """What the file holds. Its copy in memory, as large as the network, is gone on return."""
    with program.open("rb") as opened, mmap(opened.fileno(), 0, access=ACCESS_READ) as content:
        file = deserialize_pte_binary(content)
    known = set(_C._get_operator_names())
    return [*operator_gates(file, known), *backend.gates(file, graph)]


def graph_gates(graph: DeviceVGGT, model: VGGT) -> Iterator[Gate]:
    """The rewritten network, without rounding of activations, equals fgq.vggt."""
    views = sorted(graph.view_counts)[:2][-1]  # more than one view where there is a choice
    images = torch.from_numpy(probe_images(views, graph.size)["noise"])
    with _inputs_not_rounded(model), torch.no_grad():
        if fake_quantized(model):
            graph = DeviceVGGT(model, graph.view_counts, graph.size, graph.heads)
        actual = graph(images)
        expected = reference_outputs(model, images, graph.heads)
    for name, tensor, wanted in zip(output_names(graph.heads), actual, expected, strict=True):
        error = relative_error(tensor.numpy(), wanted)
        yield Gate(
            f"graph.{name}",
            error <= GRAPH_TOLERANCE,
            f"the rewritten network is {error:.1e} off fgq.vggt, allowed {GRAPH_TOLERANCE:.0e}",
        )


@contextmanager
def _inputs_not_rounded(model: VGGT) -> Iterator[None]:
    """Inside, the layers of a network take their inputs as they are."""
    sites: list[FakeQuantLinear | FakeQuantConv2d] = list(fake_quantized(model).values())
    sites.extend(quantized_convolutions(model).values())
    grids = [site.grid for site in sites]
    for site in sites:
        site.grid = replace(site.grid, activation_bits=None)
    try:
        yield
    finally:
        for site, grid in zip(sites, grids, strict=True):
            site.grid = grid


def eager_gates(graph: DeviceVGGT, model: VGGT) -> Iterator[Gate]:
    """The graph that was lowered, run without a delegate, equals the eager network."""
    for views in graph.view_counts:
        for kind, probe in probe_images(views, graph.size).items():
            with torch.no_grad():
                actual = [x.numpy() for x in graph(torch.from_numpy(probe))]
            yield from _compared(f"eager.s{views}.{kind}", actual, probe, graph.heads, model)


def output_gates(
    program: Path, graph: DeviceVGGT, model: VGGT, view_counts: Sequence[int]
) -> Iterator[Gate]:
    """The running program equals the eager network, output by output."""
    for views, method in method_names(view_counts).items():
        probes = probe_images(views, graph.size)
        try:
            with RunningProgram(program, method, threads=1) as running:
                results = {kind: running.run(images).outputs for kind, images in probes.items()}
        except ProgramError as failure:
            yield Gate(f"run.{method}", False, str(failure))
            continue
        for kind, actual in results.items():
            name = f"output.{method}.{kind}"
            yield from _compared(name, actual, probes[kind], graph.heads, model)


def _compared(
    name: str, actual: Sequence[np.ndarray], probe: np.ndarray, heads: Sequence[str], model: VGGT
) -> Iterator[Gate]:
    """A gate for each output."""
    images = torch.from_numpy(probe)
    expected = reference_outputs(model, images, heads)
    allowances = _allowances(model, images, expected, heads)
    for output, got, wanted, allowed in zip(
        output_names(heads), actual, expected, allowances, strict=True
    ):
        error = relative_error(got, wanted)
        yield Gate(
            f"{name}.{output}",
            error <= allowed,
            f"{error:.1e} off the eager network, allowed {allowed:.1e}",
        )


def _allowances(
    model: VGGT, images: Tensor, expected: Sequence[np.ndarray], heads: Sequence[str]
) -> list[float]:
    """How far each output of a program may be off."""
    if not fake_quantized(model):
        return [PROGRAM_TOLERANCE] * len(expected)
    largest = [0.0] * len(expected)
    for seed in range(PERTURBED_RUNS):
        noise = 2 * torch.rand(images.shape, generator=torch.Generator().manual_seed(seed)) - 1
        moved = reference_outputs(model, images * (1 + PERTURBATION * noise), heads)
        changes = map(relative_error, moved, expected)
        largest = [max(pair) for pair in zip(largest, changes, strict=True)]
    return [allowance(change) for change in largest]


def allowance(change: float) -> float:
    """How far an output of an integer program may be off, if perturbed images change it so far."""
    return min(max(SENSITIVITY_FACTOR * change, SMALLEST_ALLOWED), LARGEST_ALLOWED)


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
