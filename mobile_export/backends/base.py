"""What the exporter needs to know of a delegate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from fgq.quant import QuantizedWeight


@dataclass(frozen=True)
class Kernel:
    """One matrix product with constant weights inside a delegate.

    weight_type and input_type are the delegate's own names of the number formats; weight_key and
    scales_key name the constants in the program's data ("" for none).
    """

    input_type: str
    weight_type: str
    weight_key: str
    scales_key: str


class Backend(Protocol):
    """A delegate: how to lower to it, and how to read back what was lowered."""

    name: str
    delegate_id: str  # in the program
    int4_types: tuple[str, str]  # (input, weight) formats of a linear on the deployable grid

    def partitioners(self) -> list[Any]: ...

    def kernels(self, payload: bytes) -> list[Kernel]:
        """The linears in a delegate's serialized form, in the order of execution."""
        ...

    def int4_constants(self, weight: QuantizedWeight) -> tuple[bytes, bytes]:
        """Codes and scales in the bytes in which the program stores them."""
        ...
