"""From the device graph to an ExecuTorch program with one method per number of views."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
from executorch.exir import EdgeCompileConfig, EdgeProgramManager, to_edge_transform_and_lower
from torch import Tensor, nn
from torch.fx.traceback import NodeSource

from mobile_export.backends import Backend
from mobile_export.graph import DeviceVGGT, method_names


def lower(
    graph: DeviceVGGT, view_counts: Sequence[int], backend: Backend, record: bool = False
) -> EdgeProgramManager:
    """Trace and lower the graph for each number of views, with everything of a fixed shape.

    `record` keeps what the profiler needs to name the operators.
    """
    inputs = {
        name: torch.zeros(views, 3, *graph.size)
        for views, name in method_names(view_counts).items()
    }
    return lower_methods(graph, inputs, backend, record)


def lower_methods(
    network: nn.Module, inputs: Mapping[str, Tensor], backend: Backend, record: bool = False
) -> EdgeProgramManager:
    """Lower a network of one input: {name of a method: an input of its shape}."""
    with _quick_passes():
        programs = {
            name: torch.export.export(network, (example,)) for name, example in inputs.items()
        }
        return to_edge_transform_and_lower(
            programs,
            partitioner={name: backend.partitioners() for name in programs},
            # Checking the operators after every pass would be a tenth of the time.
            compile_config=EdgeCompileConfig(_check_ir_validity=False),
            generate_etrecord=record,
        )


@contextmanager
def _quick_passes() -> Iterator[None]:
    """Spare the compiler what only costs time.

    Its passes make millions of small objects that stay alive: looking for garbage among them as
    often as usual is a sixth of the time. Every node remembers the nodes that it came from, and
    every pass would copy that whole history, which never changes: another sixth.
    """
    threshold = gc.get_threshold()
    gc.set_threshold(100_000, *threshold[1:])
    setattr(NodeSource, "__deepcopy__", lambda history, _: history)  # noqa: B010
    try:
        yield
    finally:
        delattr(NodeSource, "__deepcopy__")
        gc.set_threshold(*threshold)


def write_program(edge: EdgeProgramManager, path: Path, record: Path | None = None) -> None:
    """Serialize a lowered program to a .pte file, and what `lower` kept for the profiler."""
    program = edge.to_executorch()
    with path.open("wb") as file:
        program.write_to_file(file)
    if record is not None:
        program.get_etrecord().save(str(record))
