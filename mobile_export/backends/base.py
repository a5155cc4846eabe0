"""What the exporter needs to know of a delegate."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:  # the command line looks at the names of the backends and must start fast
    from executorch.exir._serialize._program import PTEFile

    from mobile_export.gate import Gate
    from mobile_export.graph import DeviceVGGT


class Backend(Protocol):
    """A delegate: how to lower to it, and how to check what was lowered.

    precisions: what it computes, the names of `--precision`. runs_here: whether this machine's
    runtime has it; if not, its programs are checked by their structure and their graph is run
    without it. gpu: see `DeviceVGGT`.
    """

    @property
    def name(self) -> str: ...

    @property
    def precisions(self) -> tuple[str, ...]: ...

    @property
    def runs_here(self) -> bool: ...

    @property
    def gpu(self) -> bool: ...

    def partitioners(self) -> list[Any]: ...

    def gates(self, file: PTEFile, graph: DeviceVGGT) -> Iterator[Gate]:
        """Checks of the delegates in a program that was lowered from `graph`."""
        ...
