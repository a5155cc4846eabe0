"""Energy that the processor used, where the system tells it: Linux' RAPL counters.

Anywhere else (macOS and Windows tell it only to administrators, phones and most boards not at all)
there is no figure, and none is guessed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

POWERCAP = Path("/sys/class/powercap")


@dataclass(frozen=True)
class _Counter:
    """A counter in microjoules that goes back to zero after `span`."""

    file: Path
    span: int


class EnergyMeter:
    """Counts the energy of all processor packages, the whole machine's work included."""

    def __init__(self, root: Path = POWERCAP) -> None:
        self._counters = _find_counters(root)

    def read(self) -> Sequence[int] | None:
        """The counters as they are now, for `joules`; None where the system does not tell."""
        try:
            return [int(counter.file.read_text()) for counter in self._counters] or None
        except (OSError, ValueError):
            return None

    def joules(self, before: Sequence[int] | None, after: Sequence[int] | None) -> float | None:
        """Energy between two readings, None if either is missing.

        A counter may start over once between them, no more: at 100 W that takes some 40 minutes.
        """
        if before is None or after is None:
            return None
        spans = [counter.span for counter in self._counters]
        used = (
            end - start if end >= start else end - start + span
            for start, end, span in zip(before, after, spans, strict=True)
        )
        return sum(used) / 1e6


def _find_counters(root: Path) -> list[_Counter]:
    """One counter a package; `intel-rapl:0:1`, a part of package 0, would be counted twice."""
    counters = []
    for folder in sorted(root.glob("intel-rapl:*")):
        if folder.name.count(":") != 1 or not _name(folder).startswith("package"):
            continue
        file = folder / "energy_uj"
        try:
            int(file.read_text())
            span = int((folder / "max_energy_range_uj").read_text())
        except (OSError, ValueError):
            # A sum without one of the packages would be wrong: usually only root may read them.
            return []
        counters.append(_Counter(file, span))
    return counters


def _name(folder: Path) -> str:
    try:
        return (folder / "name").read_text().strip()
    except OSError:
        return ""
