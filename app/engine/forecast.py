"""What a run will take, before it is started: memory and time by the number of views at a time.

Figures that were measured on this machine are kept in a small file in the user's cache folder and
take the place of estimates.
"""

from __future__ import annotations

import json
import os
import platform
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from app.engine.bundle import Bundle, cache_folder
from app.files import write_file

# Measured with vggt-nano in both precisions at 1 to 8 views: the runtime with Python and torch;
# the program is mapped and then packed; the dense head takes about this much for each pixel of a
# view and each of its feature channels.
_RUNTIME_BYTES = 240_000_000
_COPIES_OF_MODEL = 2
_BYTES_A_FEATURE = 6.2

# Arithmetic of one core in a second, on the cautious side of what was measured.
_OPERATIONS_A_CORE = 25e9

SPARE_MEMORY = 0.1
"""Share of the memory that is left to others when a number of views is proposed."""


@dataclass(frozen=True)
class Machine:
    """cores: that this process may use; memory: total and now available, in bytes."""

    name: str
    cores: int
    memory: int
    available: int

    @property
    def key(self) -> str:
        """The same for every run on this machine."""
        return f"{self.name}, {self.cores} cores, {self.memory / 2**30:.0f} GiB"


@dataclass(frozen=True)
class Forecast:
    """Of windows of so many views.

    memory: of the engine's process at its peak, bytes; seconds: a view, in the network; measured:
    on this machine before, rather than estimated; fits: into what is available now.
    """

    views: int
    memory: int
    seconds: float
    measured: bool
    fits: bool


def this_machine() -> Machine:
    """The machine as it is now."""
    memory = psutil.virtual_memory()
    return Machine(
        name=platform.processor() or platform.machine(),
        cores=usable_cores(),
        memory=memory.total,
        available=memory.available,
    )


def forecast(bundle: Bundle, machine: Machine, runs: Path | None = None) -> list[Forecast]:
    """A forecast for each number of views that the bundle takes, ascending.

    runs: the file of earlier measurements, by default the user's.
    """
    known = _measured(_read_runs(runs or runs_file()), bundle, machine)
    limit = (1 - SPARE_MEMORY) * machine.available
    found = []
    for views in bundle.view_counts:
        earlier = known.get(str(views))
        memory = int(earlier["memory"]) if earlier else _estimated_memory(bundle, views)
        seconds = earlier["seconds"] if earlier else _estimated_seconds(bundle, views, machine)
        found.append(Forecast(views, memory, float(seconds), bool(earlier), memory <= limit))
    return found


def propose_views(forecasts: list[Forecast], wanted: int = 4) -> int | None:
    """The wanted number of views or the largest below it that fits; None where nothing fits.

    Windows need two views; a bundle that only has more than what is wanted gives its fewest.
    """
    fitting = [entry.views for entry in forecasts if entry.fits and entry.views >= 2]
    return max((views for views in fitting if views <= wanted), default=min(fitting, default=None))


def remember_run(
    bundle: Bundle,
    views: int,
    seconds: float,
    memory: int,
    machine: Machine,
    runs: Path | None = None,
) -> None:
    """Keep what a run took: seconds a view in the network, and bytes at the peak.

    The memory of a run that also had larger windows than these belongs to those. A file that
    cannot be written is no fault: the next forecast is an estimate then.
    """
    path = runs or runs_file()
    content = _read_runs(path)
    of_machine = content.setdefault(machine.key, {})
    of_machine.setdefault(bundle.sha256, {})[str(views)] = {
        "seconds": round(seconds, 4),
        "memory": memory,
    }
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_file(path, json.dumps(content, indent=1).encode())
    except OSError:
        pass


def runs_file() -> Path:
    """Where this user's measurements are kept."""
    return cache_folder() / "runs.json"


def _read_runs(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _measured(content: dict[str, Any], bundle: Bundle, machine: Machine) -> dict[str, Any]:
    """Views -> figures, those that are whole."""
    try:
        entries = content[machine.key][bundle.sha256]
        return {
            views: {"seconds": float(entry["seconds"]), "memory": int(entry["memory"])}
            for views, entry in entries.items()
        }
    except (KeyError, TypeError, ValueError, AttributeError):
        return {}


def _estimated_memory(bundle: Bundle, views: int) -> int:
    height, width = bundle.size
    features = _config(bundle, "dpt_features", 32)
    dense = _BYTES_A_FEATURE * features * height * width * views
    # Attention over all tokens holds the scores of one head at a time.
    scores = 4 * (views * _tokens(bundle)) ** 2
    return int(_RUNTIME_BYTES + _COPIES_OF_MODEL * bundle.model_bytes + dense + scores)


def _estimated_seconds(bundle: Bundle, views: int, machine: Machine) -> float:
    tokens = _tokens(bundle)
    bytes_a_weight = 0.55 if "4w" in bundle.precision else 4
    parameters = bundle.manifest["model"].get("parameters") or bundle.model_bytes / bytes_a_weight
    linear = 2 * float(parameters) * tokens
    width, depth = _config(bundle, "embed_dim", 192), _config(bundle, "depth", 5)
    attention = 4 * tokens * (tokens + views * tokens) * width * depth
    return (linear + attention) / (_OPERATIONS_A_CORE * machine.cores)


def _tokens(bundle: Bundle) -> int:
    height, width = bundle.size
    patch = _config(bundle, "patch_size", 14)
    return (height // patch) * (width // patch) + 1 + _config(bundle, "num_register_tokens", 4)


def _config(bundle: Bundle, name: str, otherwise: int) -> int:
    """A figure of the network, or that of the smallest one where the manifest does not tell."""
    config = bundle.manifest["model"].get("config")
    value = config.get(name) if isinstance(config, dict) else None
    return value if isinstance(value, int) and value > 0 else otherwise


def usable_cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
