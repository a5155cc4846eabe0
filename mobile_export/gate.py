"""One finding of the verification."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Gate:
    """One check: what was looked at, whether it held, and the finding in one line."""

    name: str
    passed: bool
    finding: str
