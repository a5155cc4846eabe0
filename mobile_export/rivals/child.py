"""The process that runs one engine of the benchmark; started as a script.

Its argument is what `engines.start_child` makes, in JSON. It reads and writes as
`mobile_export.child` does. Only the engine's own library is loaded, before memory is counted.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mobile_export.child import Answer, memory, serve, take_stdout

LIMIT_SIZE = 2048
LIMITS = ("fp32", "bf16", "int8")


def main() -> None:
    job: dict[str, Any] = json.loads(sys.argv[1])
    answers = take_stdout()
    load = ENGINES[job["library"]](job)
    before = memory("VmRSS")
    serve(load(), answers, before)


def prepare_torch(job: dict[str, Any]) -> Callable[[], Answer]:
    """`compile`: torch.compile in its default mode, done by the first run."""
    import torch

    from mobile_export.rivals.networks import load_network

    torch.set_num_threads(job["threads"])

    def load() -> Answer:
        network = load_network(Path(job["path"]), job["views"], tuple(job["size"]))
        run = torch.compile(network) if job["options"]["compile"] else network

        def compute(x: NDArray[np.float32]) -> list[NDArray[np.float32]]:
            with torch.no_grad():
                result = run(torch.from_numpy(x))
            return [y.numpy() for y in (result if isinstance(result, tuple) else (result,))]

        return compute

    return load


def prepare_onnxruntime(job: dict[str, Any]) -> Callable[[], Answer]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = job["threads"], 1

    def load() -> Answer:
        session = onnxruntime.InferenceSession(
            job["path"], options, providers=["CPUExecutionProvider"]
        )
        (name,) = (entry.name for entry in session.get_inputs())
        return lambda x: session.run(None, {name: x})

    return load


def prepare_openvino(job: dict[str, Any]) -> Callable[[], Answer]:
    """`properties`: those of the CPU plugin beyond threads."""
    import openvino

    core = openvino.Core()
    properties = {
        "INFERENCE_NUM_THREADS": job["threads"],
        "NUM_STREAMS": 1,
        **job["options"]["properties"],
    }

    def load() -> Answer:
        compiled = core.compile_model(job["path"], "CPU", properties)
        return lambda x: list(compiled(x).values())

    return load


def prepare_limits(job: dict[str, Any]) -> Callable[[], Answer]:
    """Whatever it is asked, it answers the rates of the fastest products of large matrices, in
    billions of operations a second, in the order of LIMITS; 0 for those not in `kinds`."""
    import torch
    import torch.nn.functional as F

    torch.set_num_threads(job["threads"])
    size = job["options"]["size"]
    a, b = torch.randn(size, size), torch.randn(size, size)
    a16, b16 = a.bfloat16(), b.bfloat16()
    a8, b8 = ((127 * x.clamp(-1, 1)).to(torch.int8) for x in (a, b))
    products: dict[str, list[Callable[[], object]]] = {
        "fp32": [lambda: torch.mm(a, b), lambda: F.linear(a, b)],
        "bf16": [lambda: F.linear(a16, b16)],
        "int8": [lambda: torch._int_mm(a8, b8), lambda: torch._int_mm(a8, b8.t())],
    }
    # oneDNN's own product, which eager mode does not choose: on some processors it is faster.
    one_dnn = getattr(torch.ops.mkldnn, "_linear_pointwise", None)
    if one_dnn is not None and torch.backends.mkldnn.is_available():
        products["fp32"].append(lambda: one_dnn(a, b, None, "none", [], ""))

    def rate(product: Callable[[], object]) -> float:
        start = time.perf_counter()
        product()
        return 2 * size**3 / (time.perf_counter() - start) / 1e9

    def compute(_: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        kinds = job["options"]["kinds"]
        rates = [max(map(rate, products[k])) if k in kinds else 0.0 for k in LIMITS]
        return [np.array(rates, np.float32)]

    return lambda: compute


ENGINES = {
    "torch": prepare_torch,
    "onnxruntime": prepare_onnxruntime,
    "openvino": prepare_openvino,
    "limits": prepare_limits,
}

if __name__ == "__main__":
    main()
