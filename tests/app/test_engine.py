"""The engine gives the program's numbers, and a fault of the child is an EngineError."""

import errno
import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest
from numpy.testing import assert_allclose

from app.engine import Engine, EngineError, open_bundle, program

ToyImage = Callable[..., np.ndarray]
quick = pytest.mark.usefixtures("quick_runtime")


@pytest.fixture(scope="module")
def engine(tiny_bundle: Path) -> Iterator[Engine]:
    with Engine(open_bundle(tiny_bundle), threads=1) as running:
        yield running


@pytest.fixture
def images(toy_image: ToyImage) -> np.ndarray:
    return np.stack([toy_image(x, seed) for seed, x in enumerate((1.0, 2.0, 3.0, 0.5))])


def shared_files() -> set[str]:
    folder = Path("/dev/shm")
    return (
        {file.name for file in folder.glob(f"pocket-vggt-{os.getpid()}-*")}
        if folder.exists()
        else set()
    )


@pytest.mark.parametrize("views", [4, 1, 2])
def test_numbers(engine: Engine, images: np.ndarray, views: int) -> None:
    prediction = engine.infer(images[:views])
    scaled = images[:views].astype(np.float32) / 255
    depth = 1 + 2 * scaled[..., 1]
    assert_allclose(prediction.depth, depth / depth.mean(), rtol=1e-5)
    assert_allclose(prediction.confidence, 1 + 5 * scaled[..., 2], rtol=1e-5)
    x = 4 * scaled[:, :14, :14, 0].mean((1, 2))
    assert_allclose(prediction.extrinsic[:, 0, 3], (x[0] - x) / depth.mean(), atol=1e-5)
    assert_allclose(prediction.intrinsic[0, 0, 0], 84 / 2 / np.tan(1.1 / 2), rtol=1e-5)
    assert prediction.seconds > 0
    assert engine.peak_memory >= engine.base_memory > 10e6


def test_shapes_that_the_bundle_does_not_take(engine: Engine, images: np.ndarray) -> None:
    with pytest.raises(ValueError, match="does not take"):
        engine.infer(images[:3])
    with pytest.raises(ValueError, match="does not take"):
        engine.infer(images[:, :28])


def test_killed_child(engine: Engine, images: np.ndarray) -> None:
    engine.wait_until_loaded()
    assert engine.pid
    os.kill(engine.pid, signal.SIGKILL)
    with pytest.raises(EngineError, match="ended unexpectedly"):
        engine.infer(images)
    with pytest.raises(EngineError, match="not running"):
        engine.infer(images)
    assert not shared_files()
    engine.restart()
    assert engine.infer(images).depth.shape == (4, 56, 84)
    assert not shared_files()


def test_hanging_child(engine: Engine, images: np.ndarray) -> None:
    engine.wait_until_loaded()
    engine.timeout = 0.3
    assert engine.pid
    child = psutil.Process(engine.pid)
    child.suspend()
    with pytest.raises(EngineError, match=r"did not answer within 0\.3 seconds"):
        engine.infer(images)
    assert not child.is_running()
    engine.timeout = 60
    engine.restart()
    engine.infer(images)


def test_close_from_another_thread_ends_infer(tiny_bundle: Path, images: np.ndarray) -> None:
    engine = Engine(open_bundle(tiny_bundle), threads=1)
    assert engine.pid
    psutil.Process(engine.pid).suspend()
    closer = threading.Timer(0.2, engine.close)
    closer.start()
    with pytest.raises(EngineError):
        engine.infer(images)
    closer.join()
    assert engine.pid is None
    engine.close()


@quick
def test_program_that_the_runtime_refuses(
    bundle_copy: Path, write_manifest: Callable[..., None]
) -> None:
    program = bundle_copy / "model.pte"
    for data in (program.read_bytes()[:1000], b"", b"no program at all" * 100):
        program.write_bytes(data)
        write_manifest(bundle_copy)
        with pytest.raises(EngineError) as caught, Engine(open_bundle(bundle_copy), threads=1):
            pass
        assert "\n" not in str(caught.value)
    assert not shared_files()


@quick
def test_program_without_the_named_method(
    bundle_copy: Path, write_manifest: Callable[..., None], images: np.ndarray
) -> None:
    write_manifest(bundle_copy, methods={"2": "absent", "4": "forward_s4"})
    with Engine(open_bundle(bundle_copy), threads=1) as engine:
        with pytest.raises(EngineError, match="absent"):
            engine.infer(images[:2])
        engine.restart()
        engine.infer(images)


@quick
def test_backend_that_is_not_there(bundle_copy: Path, write_manifest: Callable[..., None]) -> None:
    write_manifest(bundle_copy, backend="coreml")
    with pytest.raises(EngineError, match="no backend coreml"):
        Engine(open_bundle(bundle_copy), threads=1).wait_until_loaded()


def test_child_ends_with_its_parent(tiny_bundle: Path) -> None:
    code = (
        "import sys, time\n"
        "from app.engine import Engine, open_bundle\n"
        "engine = Engine(open_bundle(sys.argv[1]), threads=1)\n"
        "engine.wait_until_loaded()\n"
        "print(engine.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    command = [sys.executable, "-c", code, str(tiny_bundle)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout
        child = psutil.Process(int(parent.stdout.readline()))
        parent.kill()
    deadline = time.monotonic() + 20
    while child.is_running() and child.status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert not shared_files()


def test_no_room_for_the_shared_memory(tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(size: int) -> str:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("app.engine.process._create_file", fail)
    with pytest.raises(EngineError, match="cannot be started: No space left on device"):
        Engine(open_bundle(tiny_bundle))


def test_a_fault_without_words_has_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*settings: object) -> None:
        raise MemoryError

    monkeypatch.setattr(program, "Program", fail)
    buffer = tmp_path / "buffer"
    buffer.write_bytes(bytes(100))
    settings = {"buffer": str(buffer), "views": 1, "height": 1, "width": 1}
    settings |= {"program": "", "backend": "", "threads": 1}
    answers = io.StringIO()
    program._serve(io.StringIO(json.dumps(settings) + "\n"), answers)
    assert json.loads(answers.getvalue()) == {"error": "MemoryError"}
