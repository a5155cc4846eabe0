"""The engines of the benchmark: their files, and the processes that run them."""

from __future__ import annotations

import importlib.util
import json
import math
import os
import shutil
import sys
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fgq.quant import quantized_sites
from fgq.vggt import VGGT
from fgq.vggt.checkpoint import WEIGHTS_NAME, save_checkpoint
from mobile_export.program import RunningProcess, RunningProgram
from mobile_export.rivals.executorch_files import METHOD, write_pte
from mobile_export.rivals.subject import Subject

MISSING = "not installed: pip install pocket-vggt[bench]"
NO_COMPILER = "torch.compile needs a C++ compiler: install g++ or name one with CXX"
ONNX = ("onnx", "onnxscript", "onnxruntime")
OPENVINO = ("onnx", "onnxscript", "openvino", "nncf")
BY_TOKEN = "by token"  # stands for the size of a group that is a whole row of inputs


@dataclass(frozen=True)
class Engine:
    """One row of the benchmark.

    `limit` is the number format of most of its products, "default" what OpenVINO takes by itself;
    `file` is what it runs, `options` and `properties` (OpenVINO's) go to its process.
    """

    key: str
    label: str
    library: str
    limit: str
    file: str
    packages: tuple[str, ...] = ()
    options: dict[str, Any] = field(default_factory=dict)


def _openvino(key: str, label: str, limit: str, file: str, **properties: Any) -> Engine:
    return Engine(key, label, "openvino", limit, file, OPENVINO, {"properties": properties})


F32 = {"INFERENCE_PRECISION_HINT": "f32"}
ENGINES = (
    Engine("ours-fp32", "ours FP32", "executorch", "fp32", "fp32.pte"),
    Engine("torch", "torch eager", "torch", "fp32", "torch", options={"compile": False}),
    Engine("torch-compile", "torch.compile", "torch", "fp32", "torch", options={"compile": True}),
    Engine("ort-fp32", "ONNX Runtime FP32", "onnxruntime", "fp32", "fp32.onnx", ONNX),
    _openvino("openvino-fp32", "OpenVINO FP32", "fp32", "fp32.xml", **F32),
    _openvino("openvino-default", "OpenVINO default", "default", "fp32.xml"),
    Engine("ours-8da8w", "ours 8da8w", "executorch", "int8", "8da8w.pte"),
    Engine("ort-int8", "ONNX Runtime int8", "onnxruntime", "int8", "int8.onnx", ONNX),
    _openvino("openvino-int8w-fp32", "OpenVINO int8 w., FP32", "int8", "int8w.xml", **F32),
    _openvino("openvino-int8w", "OpenVINO int8 w., default", "int8", "int8w.xml"),
    _openvino(
        "openvino-int8w-token",
        "OpenVINO int8 w., by token",
        "int8",
        "int8w.xml",
        DYNAMIC_QUANTIZATION_GROUP_SIZE=BY_TOKEN,
    ),
    _openvino("openvino-int8", "OpenVINO int8, calibrated", "int8", "int8.xml"),
    Engine("ours-8da4w", "ours 8da4w", "executorch", "int8", "8da4w.pte"),
    Engine("ort-int4", "ONNX Runtime 4-bit w.", "onnxruntime", "int8", "int4.onnx", ONNX),
    _openvino("openvino-int4w-fp32", "OpenVINO int4 w., FP32", "int8", "int4w.xml", **F32),
    _openvino("openvino-int4w", "OpenVINO int4 w., default", "int8", "int4w.xml"),
)


def chosen_engines(keys: Sequence[str] | None) -> list[Engine]:
    """Those of the given keys, all by default. ValueError for an unknown one."""
    known = [engine.key for engine in ENGINES]
    if unknown := sorted(set(keys or ()) - set(known)):
        raise ValueError(f"no engine {', '.join(unknown)}: there are {', '.join(known)}")
    return [engine for engine in ENGINES if keys is None or engine.key in keys]


def obstacle(engine: Engine) -> str | None:
    """Why an engine cannot take part on this machine: one line."""
    if any(importlib.util.find_spec(package) is None for package in engine.packages):
        return MISSING
    if engine.options.get("compile") and shutil.which(os.environ.get("CXX", "g++")) is None:
        return NO_COMPILER
    return None


def default_precision() -> str:
    """What OpenVINO computes in by itself on this processor: "fp32", "bf16" or "fp16"."""
    import openvino

    found = openvino.Core().get_property("CPU", "INFERENCE_PRECISION_HINT").to_string()
    return {"f32": "fp32", "f16": "fp16"}.get(found, str(found))


def write_files(
    engine: Engine, subject: Subject, views: int, folder: Path, record: Path | None = None
) -> Path:
    """What the engine runs, in a folder where files of other engines are; none is made twice.

    `record` as for `write_pte`.
    """
    path = folder / engine.file
    if engine.library == "executorch":
        _once(path, lambda p: write_pte(subject, views, p.stem, p, record))
    elif engine.library == "torch":
        _once(path, lambda p: save_checkpoint(subject.model, p))
    else:
        with redirect_stdout(sys.stderr):  # their progress bars
            _write_portable(path, subject, views)
    return path


def _write_portable(path: Path, subject: Subject, views: int) -> None:
    """Files for ONNX Runtime and, made of those, for OpenVINO."""
    from mobile_export.rivals import onnx_files

    model = subject.model
    source = path.with_name("fp32.onnx")
    _once(source, lambda p: onnx_files.write_onnx(subject, views, p))
    if path.name == "int8.onnx":
        _once(path, lambda p: onnx_files.write_int8(source, p, model))
    elif path.name == "int4.onnx":
        _once(path, lambda p: onnx_files.write_int4(source, p, model))
    elif path.suffix == ".xml":
        from mobile_export.rivals import openvino_files

        writers: dict[str, Callable[[Path], None]] = {
            "fp32.xml": lambda p: openvino_files.write_fp32(source, p),
            "int8w.xml": lambda p: openvino_files.write_int8_weights(source, p, model),
            "int4w.xml": lambda p: openvino_files.write_int4_weights(source, p, model),
            "int8.xml": lambda p: openvino_files.write_int8(source, p, subject, views),
        }
        _once(path, writers[path.name])


def _once(path: Path, write: Callable[[Path], None]) -> None:
    if path.exists():
        return
    try:
        write(path)
    except BaseException:
        if path.is_file():
            path.unlink()
        raise


def file_bytes(path: Path) -> int:
    """Size of what an engine runs, in bytes; torch and OpenVINO have more than one file."""
    if path.is_dir():
        return (path / WEIGHTS_NAME).stat().st_size
    weights = path.with_suffix(".bin")
    extra = weights.stat().st_size if path.suffix == ".xml" and weights.exists() else 0
    return path.stat().st_size + extra


def start(engine: Engine, path: Path, subject: Subject, views: int, threads: int) -> RunningProcess:
    """The process that runs the files of an engine."""
    if engine.library == "executorch":
        return RunningProgram(path, METHOD, threads)
    options = dict(engine.options)
    if properties := options.get("properties"):
        row = group_of_a_row(subject.model)
        options["properties"] = {k: row if v == BY_TOKEN else v for k, v in properties.items()}
    return start_child(
        engine.library,
        threads,
        options,
        engine.label,
        path=path,
        views=views,
        size=subject.size,
    )


def start_child(
    library: str,
    threads: int,
    options: dict[str, Any],
    what: str,
    path: Path = Path(),
    views: int = 1,
    size: tuple[int, int] = (0, 0),
) -> RunningProcess:
    """A process of `rivals.child`. Its threads wait as each library has it by itself."""
    environment = {k: v for k, v in os.environ.items() if k != "OMP_WAIT_POLICY"}
    root = str(Path(__file__).parents[2])
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))
    environment["OMP_NUM_THREADS"] = str(threads)
    # Beside the files of the run: what an earlier run compiled would make this one's memory less.
    environment["TORCHINDUCTOR_CACHE_DIR"] = str(path.parent / "inductor")
    job = {
        "library": library,
        "path": str(path),
        "views": views,
        "size": size,
        "threads": threads,
        "options": options,
    }
    child = Path(__file__).with_name("child.py")
    return RunningProcess(
        [sys.executable, "-P", str(child), json.dumps(job)], what, environment=environment
    )


def group_of_a_row(model: VGGT) -> int:
    """The largest group that divides the inputs of all linears that are rounded."""
    return math.gcd(*(linear.in_features for linear in quantized_sites(model).values()))
