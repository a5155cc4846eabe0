"""Runs a program in a process of its own: if the runtime dies, the exporter does not."""

from __future__ import annotations

import json
import math
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray


class ProgramError(Exception):
    """The runtime refused or crashed; one line says how."""


@dataclass(frozen=True)
class Run:
    """Outputs of one execution; seconds of wall clock and of processor time; bytes of memory.

    memory is the largest so far above what the process held before it loaded the program;
    loaded_memory what loading alone took (0 where the system does not tell).
    """

    outputs: list[NDArray[np.float32]]
    seconds: float
    cpu_seconds: float
    memory: int
    loaded_memory: int


class RunningProcess:
    """A child process that speaks as `mobile_export.child` does. A context manager.

    `what` names it in errors.
    """

    def __init__(
        self, command: Sequence[str], what: str, environment: Mapping[str, str] | None = None
    ) -> None:
        self._what = what
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env=environment,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()
        self._errors.close()

    def run(self, images: NDArray[np.float32]) -> Run:
        """Execute on images [S, 3, H, W], or whatever the network takes; ProgramError if the child
        process fails."""
        questions, answers = self._process.stdin, self._process.stdout
        assert questions is not None
        assert answers is not None
        try:
            questions.write(json.dumps(images.shape).encode() + b"\n" + images.tobytes())
            questions.flush()
            answer = json.loads(answers.readline())
            outputs = []
            for shape in answer.pop("shapes"):
                data = answers.read(4 * math.prod(shape))
                outputs.append(np.frombuffer(data, np.float32).reshape(shape))
        except (OSError, ValueError) as error:
            status = self._process.wait()
            self._errors.seek(0)
            lines = self._errors.read().decode(errors="replace").strip().splitlines()
            last = lines[-1].strip() if lines else "no message"
            raise ProgramError(f"{self._what}: died with status {status}: {last}") from error
        return Run(outputs=outputs, **answer)


class RunningProgram(RunningProcess):
    """One method of a program, loaded in a child process. A context manager.

    threads are those of the runtime's own pool.
    """

    def __init__(self, program: Path, method: str, threads: int) -> None:
        child = Path(__file__).with_name("child.py")
        # -P: modules beside the script must not shadow the standard library's.
        command = [sys.executable, "-P", str(child), str(program), method, str(threads)]
        super().__init__(command, f"{program}: {method}")
