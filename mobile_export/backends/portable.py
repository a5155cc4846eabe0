"""No delegate: every operator by the runtime's own kernels. Slow; for finding out what a delegate
does wrong."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from executorch.exir._serialize._program import PTEFile

from mobile_export.gate import Gate
from mobile_export.graph import DeviceVGGT


class PortableTarget:
    name = "portable"
    precisions: tuple[str, ...] = ("fp32",)
    runs_here = True
    gpu = False

    def partitioners(self) -> list[Any]:
        return []

    def gates(self, file: PTEFile, graph: DeviceVGGT) -> Iterator[Gate]:
        for plan in file.program.execution_plan:
            yield Gate(
                f"delegate.{plan.name}",
                not plan.delegates,
                f"{len(plan.delegates)} delegates",
            )
