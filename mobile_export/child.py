"""The process that runs a program for `mobile_export.program`; started as a script.

Arguments: program, method, threads. Reads the shape of the images as a JSON line and their float32
bytes from stdin, until it ends; for each writes a JSON line {"shapes", "seconds", "cpu_seconds",
"memory", "loaded_memory"} (bytes of memory above those before the program was loaded) and the
bytes of the outputs to stdout.
"""

from __future__ import annotations

import ctypes
import json
import math
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

# Packed weights are shared as app.engine does it, which has the reasons; neither package may
# import the other.
SET_OPTION = "_ZN10executorch7runtime10set_optionEPKcNS0_4SpanINS0_13BackendOptionEEE"
# Computes outputs from the input.
Answer = Callable[[NDArray[np.float32]], Sequence[NDArray[np.float32]]]


def memory(field: str) -> int:
    """VmRSS or VmHWM (largest ever) of this process in bytes; 0 where /proc does not tell."""
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text().splitlines():
            if line.startswith(field):
                return int(line.split()[1]) * 1024
    return 0


def take_stdout() -> BinaryIO:
    """stdout for answers only: whatever libraries print goes to stderr from now on."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return answers


def serve(compute: Answer, answers: BinaryIO, before: int) -> None:
    """Answer until stdin ends; `before`: bytes that the process held before it loaded anything."""
    loaded = memory("VmRSS") - before
    while line := sys.stdin.buffer.readline():
        shape = json.loads(line)
        data = sys.stdin.buffer.read(4 * math.prod(shape))
        images = np.frombuffer(data, np.float32).reshape(shape).copy()
        start, start_cpu = time.perf_counter(), time.process_time()
        outputs = compute(images)
        seconds, cpu = time.perf_counter() - start, time.process_time() - start_cpu
        answer = {
            "shapes": [list(output.shape) for output in outputs],
            "seconds": seconds,
            "cpu_seconds": cpu,
            "memory": memory("VmHWM") - before,
            "loaded_memory": loaded,
        }
        answers.write(json.dumps(answer).encode() + b"\n")
        for output in outputs:
            answers.write(output.tobytes())
        answers.flush()


class _Option(ctypes.Structure):
    """executorch::runtime::BackendOption: a name, and a variant of bool, int and text."""

    _fields_ = (
        ("key", ctypes.c_char * 64),
        ("value", ctypes.c_char * 256),
        ("kind", ctypes.c_uint8),
        ("padding", ctypes.c_uint8 * 3),
    )


class _Span(ctypes.Structure):
    _fields_ = (("data", ctypes.c_void_p), ("size", ctypes.c_size_t))


def share_packed_weights(libraries: Path) -> bool:
    """Turn the cache on for methods that are loaded from now on; whether this runtime has it.

    libraries: the folder of the runtime's shared libraries, which must be loaded already.
    """
    found = sorted(libraries.glob("libexecutorch.*"))
    if not found:
        return False
    set_option = getattr(ctypes.CDLL(str(found[0])), SET_OPTION, None)
    if set_option is None:
        return False
    set_option.argtypes, set_option.restype = (ctypes.c_char_p, _Span), ctypes.c_uint32
    option = _Option(key=b"weight_cache_enabled", value=b"\x01", kind=0)
    return bool(set_option(b"XnnpackBackend", _Span(ctypes.addressof(option), 1)) == 0)


def main() -> None:
    program_path, method_name, threads = sys.argv[1:]
    answers = take_stdout()
    # torch first: the runtime takes its tensors. `executorch.runtime` would import the exporter.
    import torch
    from executorch.extension.pybindings import _C

    torch.set_num_threads(1)
    share_packed_weights(Path(_C.__file__).parents[2] / "lib")
    _C._unsafe_reset_threadpool(int(threads))  # before loading: a loaded method keeps its pool
    before = memory("VmRSS")
    program = _C._load_program(program_path)
    method = program.load_method(method_name)

    def compute(images: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        return [output.numpy() for output in method([torch.from_numpy(images)])]

    serve(compute, answers, before)


if __name__ == "__main__":
    main()
