"""The child process that holds the ExecuTorch program; started by `app.engine.process`.

It speaks one JSON object a line: first the settings come in and {"memory"} goes out, then for
each {"method", "views", "timeout"} it reads the images from the shared buffer, writes the outputs
there, and answers {"seconds", "memory"}. Every answer may be {"error"} instead. It ends when its
input does.
"""

import contextlib
import faulthandler
import json
import mmap
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray

from app.engine.buffer import Buffer
from app.engine.weight_cache import share_packed_weights


class Program:
    """An ExecuTorch program with one method loaded at a time."""

    def __init__(self, path: str, backend: str, threads: int | None) -> None:
        # torch must come first: the runtime takes its tensors. The public `executorch.runtime`
        # would import the whole exporter too, at three more seconds and 130 MB.
        import torch
        from executorch.extension.pybindings import _C

        known = [name.lower() for name in _C._get_registered_backend_names()]
        if f"{backend}backend" not in known:
            raise RuntimeError(f"this runtime has no backend {backend}")
        share_packed_weights(Path(_C.__file__).parents[2] / "lib")
        if threads is not None:
            _C._unsafe_reset_threadpool(threads)
        self._to_tensor = torch.from_numpy
        self._program = _C._load_program(
            path, program_verification=_C.Verification.InternalConsistency
        )
        self._loaded: tuple[str, Any] | None = None

    def run(self, method: str, images: NDArray[np.uint8]) -> tuple[list[Any], float]:
        """Outputs of a method for uint8 images [S,H,W,3], and the seconds that it took."""
        if self._loaded is None or self._loaded[0] != method:
            # Packed weights belong to a method: let go of those of the last one first.
            self._loaded = None
            self._loaded = (method, self._program.load_method(method))
        scaled = images.transpose(0, 3, 1, 2).astype(np.float32, order="C") / np.float32(255)
        start = time.perf_counter()
        outputs = self._loaded[1]([self._to_tensor(scaled)], clone_outputs=False)
        return outputs, time.perf_counter() - start


def peak_memory() -> int:
    """Largest resident size of this process so far, in bytes."""
    # On Linux ru_maxrss starts from the size of the parent before exec, so it is no use here.
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    import psutil

    memory = psutil.Process().memory_info()
    return int(getattr(memory, "peak_wset", memory.rss))


def _serve(commands: TextIO, answers: TextIO) -> None:
    def answer(message: dict[str, Any]) -> None:
        answers.write(json.dumps(message) + "\n")
        answers.flush()

    settings = json.loads(commands.readline())
    try:
        with open(settings["buffer"], "r+b") as file:
            memory = mmap.mmap(file.fileno(), 0)
        # Both sides have it mapped by now: without a name nothing is left behind, whoever dies.
        with contextlib.suppress(OSError):
            os.unlink(settings["buffer"])
        buffer = Buffer(memory, settings["views"], settings["height"], settings["width"])
        program = Program(settings["program"], settings["backend"], settings["threads"])
    except Exception as error:
        answer({"error": str(error).strip() or type(error).__name__})
        return
    answer({"memory": peak_memory()})

    for line in commands:
        command = json.loads(line)
        views = command["views"]
        # A thread of the C library, so it also ends a runtime that hangs without a parent.
        faulthandler.dump_traceback_later(command["timeout"] + 1, exit=True)
        try:
            outputs, seconds = program.run(command["method"], buffer.images(views))
            named = dict(zip(settings["outputs"], outputs, strict=True))
            for name, target in buffer.outputs(views).items():
                target[...] = named[name].numpy().reshape(target.shape)
        except Exception as error:
            answer({"error": str(error).strip() or type(error).__name__})
        else:
            answer({"seconds": seconds, "memory": peak_memory()})
        faulthandler.cancel_dump_traceback_later()


def main() -> None:
    """Serve the parent over standard input and output."""
    # Ctrl-C reaches the whole group; the parent decides when this process ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # The runtime may print: only answers may go out over the pipe.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    _serve(sys.stdin, answers)


if __name__ == "__main__":
    main()
