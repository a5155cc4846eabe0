"""Core ML: GPU and neural engine of Apple devices.

Programs are made here where coremltools converts, and compiled and run on the device only. They
are checked by what stands in them; their graph is run without the delegate.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import coremltools as ct
from executorch.backends.apple.coreml.compiler import CoreMLBackend
from executorch.backends.apple.coreml.partition import CoreMLPartitioner
from executorch.exir._serialize._program import PTEFile

from mobile_export.file_gates import one_delegate
from mobile_export.gate import Gate
from mobile_export.graph import DeviceVGGT

DELEGATE = "CoreMLBackend"


class CoreMLTarget:
    name = "coreml"
    precisions: tuple[str, ...] = ("fp32", "4w")
    runs_here = False
    gpu = True

    def partitioners(self) -> list[Any]:
        # iOS 18 has weights in blocks of 4 bit.
        specs = CoreMLBackend.generate_compile_specs(
            compute_precision=ct.precision.FLOAT32, minimum_deployment_target=ct.target.iOS18
        )
        return [CoreMLPartitioner(compile_specs=specs)]

    def gates(self, file: PTEFile, graph: DeviceVGGT) -> Iterator[Gate]:
        """Each method is one delegate, which holds all its numbers."""
        for plan in file.program.execution_plan:
            yield one_delegate(plan, DELEGATE)
