"""Runs a bundle in a child process, so that a fault of the runtime never takes the app down."""

import contextlib
import json
import mmap
import os
import queue
import subprocess
import tempfile
import threading
from types import TracebackType
from typing import IO, Any, Self

import numpy as np
from numpy.typing import NDArray

from app.child import KILLED, child_command, child_environment, exit_words
from app.engine.buffer import Buffer
from app.engine.bundle import Bundle
from app.engine.prediction import Prediction
from app.errors import AppError
from app.geometry import decode_pose


class EngineError(AppError):
    """The runtime refused the program, crashed or did not answer in time."""


class Engine:
    """A bundle loaded in a child process; images and outputs pass through shared memory.

    One thread at a time may call `infer`, `wait_until_loaded` or `restart`; `close` may come from
    any thread, ends any of them with EngineError, and is final.
    """

    def __init__(self, bundle: Bundle, threads: int | None = None, timeout: float = 300.0) -> None:
        """Start the child, and return before it has loaded the program.

        threads: of the runtime, by default one a core; timeout: seconds for any one answer, may
        be changed later. Raises EngineError when no process can be started.
        """
        self.bundle = bundle
        self._threads = threads
        self.timeout = timeout
        self._lock = threading.Lock()
        self._closed = False
        self._child: _Child | None = None
        self._base_memory = self._peak_memory = 0
        self.restart()

    def wait_until_loaded(self) -> None:
        """Wait for the child. Raises EngineError when the runtime does not take the program."""
        self._loaded_child()

    def infer(self, images: NDArray[np.uint8]) -> Prediction:
        """Run the network on images uint8 [S,H,W,3] RGB, S one of `bundle.view_counts`.

        Blocks. Raises EngineError when the child fails; `restart` makes the engine usable again.
        """
        views = len(images)
        if images.shape[1:] != (*self.bundle.size, 3) or views not in self.bundle.methods:
            raise ValueError(f"{self.bundle.name} does not take images of shape {images.shape}")
        child = self._loaded_child()
        try:
            child.buffer.images(views)[...] = images
            command = {"method": self.bundle.methods[views], "views": views}
            answer = child.ask(command | {"timeout": self.timeout}, self.timeout)
            outputs = {name: array.copy() for name, array in child.buffer.outputs(views).items()}
        except EngineError:
            self._end_child()
            raise
        self._peak_memory = max(self._peak_memory, answer["memory"])
        if not all(np.isfinite(array).all() for array in outputs.values()):
            raise EngineError(f"{self.bundle.name} returned values that are not finite")
        extrinsic, intrinsic = decode_pose(outputs["pose_enc"], self.bundle.size)
        return Prediction(
            pose_enc=outputs["pose_enc"],
            extrinsic=extrinsic,
            intrinsic=intrinsic,
            depth=outputs["depth"],
            confidence=outputs["depth_conf"],
            seconds=answer["seconds"],
        )

    def restart(self) -> None:
        """End the child, however it is, and start a new one.

        Raises EngineError when no process can be started, and after `close`.
        """
        self._end_child()
        with self._lock:
            if self._closed:
                raise EngineError("the engine was closed")
            self._child = _Child(self.bundle, self._threads)

    @property
    def is_closed(self) -> bool:
        """Whether `close` was called: nothing makes the engine usable again."""
        return self._closed

    @property
    def pid(self) -> int | None:
        """Process id of the child, None when it is not running."""
        return self._child.process.pid if self._child else None

    @property
    def peak_memory(self) -> int:
        """Largest resident size of the child so far, in bytes, Python and torch included."""
        return self._peak_memory

    @property
    def base_memory(self) -> int:
        """The part of `peak_memory` that was there before the model: Python, torch, the runtime."""
        return self._base_memory

    def close(self) -> None:
        """End the child and free the shared memory, for good; may be called twice."""
        self._closed = True
        self._end_child()

    def _end_child(self) -> None:
        with self._lock:
            child, self._child = self._child, None
        if child:
            child.close()

    def _loaded_child(self) -> "_Child":
        child = self._child
        if child is None:
            raise EngineError("the runtime is not running")
        if not child.is_loaded:
            try:
                self._base_memory = child.wait_until_loaded(self.timeout)
            except EngineError:
                self._end_child()
                raise
            self._peak_memory = max(self._peak_memory, self._base_memory)
        return child

    def __enter__(self) -> Self:
        """Raises EngineError as `wait_until_loaded` does."""
        self.wait_until_loaded()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class _Child:
    """One life of the child process."""

    def __init__(self, bundle: Bundle, threads: int | None) -> None:
        self.is_loaded = False
        self._answers: queue.SimpleQueue[str] = queue.SimpleQueue()
        views, (height, width) = max(bundle.methods), bundle.size
        self._file = ""
        try:
            self._file = _create_file(Buffer.bytes_needed(views, height, width))
            with open(self._file, "r+b") as file:
                self.buffer = Buffer(mmap.mmap(file.fileno(), 0), views, height, width)
            # The runtime writes its own account of a fault there: its last line is our message.
            self._log: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115
            self.process = subprocess.Popen(
                child_command("engine-program"),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._log,
                text=True,
                encoding="utf-8",
                env=child_environment(),
            )
        except OSError as error:
            self._unlink()
            raise EngineError(f"the runtime cannot be started: {error.strerror or error}") from None
        self._listener = threading.Thread(target=self._listen, name="runtime", daemon=True)
        self._listener.start()
        self._tell(
            {
                "program": str(bundle.program),
                "backend": str(bundle.manifest.get("backend", "xnnpack")).lower(),
                "outputs": bundle.outputs,
                "threads": threads,
                "buffer": self._file,
                "views": views,
                "height": height,
                "width": width,
            }
        )

    def wait_until_loaded(self, timeout: float) -> int:
        """Resident bytes of the child before the model. Raises EngineError."""
        memory = int(self._hear(timeout)["memory"])
        # Where a file that is mapped keeps its name (Windows), the child could not do it.
        self._unlink()
        self.is_loaded = True
        return memory

    def ask(self, message: dict[str, Any], timeout: float) -> dict[str, Any]:
        """Send a message and wait for its answer, up to `timeout` seconds. Raises EngineError."""
        self._tell(message)
        return self._hear(timeout)

    def close(self) -> None:
        self._unlink()
        self.process.kill()
        self.process.wait()
        self._listener.join(timeout=1)
        for pipe in (self.process.stdin, self._log):
            if pipe:
                with contextlib.suppress(OSError):
                    pipe.close()

    def _unlink(self) -> None:
        with contextlib.suppress(OSError):
            os.unlink(self._file)

    def _tell(self, message: dict[str, Any]) -> None:
        assert self.process.stdin is not None
        # A child that is gone shows up as an end of its answers.
        with contextlib.suppress(OSError, ValueError):
            self.process.stdin.write(json.dumps(message) + "\n")
            self.process.stdin.flush()

    def _hear(self, timeout: float) -> dict[str, Any]:
        try:
            line = self._answers.get(timeout=timeout)
        except queue.Empty:
            raise EngineError(f"the runtime did not answer within {timeout:g} seconds") from None
        if not line:
            raise EngineError(self._last_words())
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise EngineError(f"the runtime failed: {answer['error'].splitlines()[0]}")
        return answer

    def _listen(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as answers:
            for line in answers:
                self._answers.put(line)
        self._answers.put("")

    def _last_words(self) -> str:
        code = self.process.wait()
        text = f"the runtime ended unexpectedly ({exit_words(code)})"
        if code == -KILLED:
            return text
        with contextlib.suppress(OSError, ValueError):
            self._log.seek(0)
            lines = self._log.read().decode("utf-8", "replace").strip().splitlines()
            if lines:
                text += f": {lines[-1].strip()}"
        return text


def _create_file(size: int) -> str:
    """A file of `size` zero bytes, in memory where the system has such a folder."""
    folder = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.NamedTemporaryFile(
        prefix=f"pocket-vggt-{os.getpid()}-", dir=folder, delete=False
    ) as file:
        try:
            # Writing, not truncating: a full disk must show here and not as a signal later.
            file.write(bytes(size))
        except OSError:
            os.unlink(file.name)
            raise
    return file.name
