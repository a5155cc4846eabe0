"""Programs for 64-bit Arm, run on this machine: executorch's own aarch64 libraries under QEMU.

The cross-compiler and the emulator are Debian's; the libraries come out of the wheel on PyPI, which
pip fetches once into the cache, where the runner of `arm/run_program.cpp` is compiled too.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from fgq.files import file_sha256, replacing_folder
from mobile_export.program import ProgramError

# With the matrix extension (SME) on, 8-bit linears (8da8w) of executorch 1.5.1 were seen 3% wrong
# under QEMU 7.2, whether by its fault or the kernel's is open; 4-bit ones are right either way. So
# SME is not covered: `--cpu max` turns it on.
DEFAULT_CPU = "max,sme=off"

SYSROOT = Path("/usr/aarch64-linux-gnu")
COMPILER = "aarch64-linux-gnu-g++"
EMULATORS = ("qemu-aarch64-static", "qemu-aarch64")  # newer Debians have only the second

RUNNER_SOURCE = Path(__file__).with_name("arm") / "run_program.cpp"
# The libraries register kernels and delegates when they are loaded: keep those nobody calls.
LIBRARIES = ("", "_threadpool", "_kernels_optimized", "_kernels_quantized", "_backend_xnnpack")
COMPILER_OPTIONS = ("-std=c++17", "-O2", "-DC10_USING_CUSTOM_GENERATED_MACROS")

# Any Python will do: nothing of it is used. 3.11 is the oldest that the project takes.
PIP_OPTIONS = (
    *("--no-deps", "--only-binary=:all:", "--platform", "manylinux_2_28_aarch64"),
    *("--python-version", "3.11", "--disable-pip-version-check", "--quiet"),
)
WHEEL_RECORD = "wheel.json"


class ToolError(Exception):
    """Something to run Arm programs with is missing; one line says how to get it."""


@dataclass(frozen=True)
class ArmRuns:
    """Outputs of every execution, and seconds (under the emulator) of loading and of each."""

    outputs: list[list[NDArray[np.float32]]]
    loading: float
    seconds: list[float]


@dataclass(frozen=True)
class ArmRuntime:
    """An emulator, the processor that it plays, and the runner for one version of the runtime."""

    emulator: str
    cpu: str
    runner: Path

    def run(self, program: Path, method: str, inputs: Sequence[NDArray[np.float32]]) -> ArmRuns:
        """Load one method and execute it on each of the inputs; ProgramError if that fails."""
        with tempfile.TemporaryDirectory(prefix="pocket-vggt-") as folder:
            given, made = Path(folder, "inputs"), Path(folder, "outputs")
            given.write_bytes(b"".join(map(pack_tensor, inputs)))
            command = [self.emulator, "-L", str(SYSROOT), "-cpu", self.cpu, str(self.runner)]
            done = _run([*command, str(program), method, str(given), str(made)])
            if done.returncode:
                fault = _last_error(done.stderr) or f"died with status {done.returncode}"
                raise ProgramError(f"{program}: {method} on aarch64 ({self.cpu}): {fault}")
            loading, *seconds = map(float, done.stdout.split())
            return ArmRuns(unpack_outputs(made.read_bytes()), loading, seconds)


def arm_runtime(version: str, cpu: str, offline: bool, report: Callable[[str], None]) -> ArmRuntime:
    """Whatever it takes to run programs with this version of executorch's runtime.

    Raises ToolError where something is missing and may not be or cannot be had. `report` is told
    in a line before anything is downloaded.
    """
    if not re.fullmatch(r"[0-9]+(\.[0-9]+)+((a|b|rc|\.post|\.dev)[0-9]+)?", version):
        raise ToolError(f"{version!r} is not a version of executorch that has a wheel")
    emulator = find_tools()
    wheel = fetch_wheel(version, offline, report)
    return ArmRuntime(emulator, cpu, compile_runner(wheel, version))


def find_tools() -> str:
    """The emulator's path; ToolError with the packages to install if a tool is missing."""
    emulator = next(filter(None, map(shutil.which, EMULATORS)), None)
    missing = {} if emulator else {EMULATORS[0]: "qemu-user-static"}
    if shutil.which(COMPILER) is None or not SYSROOT.is_dir():
        missing[COMPILER] = "g++-aarch64-linux-gnu"  # it brings the C library along
    if emulator is None or missing:
        wanted = f"apt-get install {' '.join(missing.values())}"
        raise ToolError(f"{' and '.join(missing)} not found; on Debian or Ubuntu: {wanted}")
    return emulator


def cache_folder() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base, "pocket-vggt", "aarch64").absolute()


def fetch_wheel(version: str, offline: bool, report: Callable[[str], None]) -> Path:
    """The folder of the unpacked aarch64 wheel: from the cache, or else by pip from its index."""
    folder = cache_folder() / f"executorch-{version}"
    if (folder / WHEEL_RECORD).is_file():
        return folder
    if offline:
        raise ToolError(
            f"the aarch64 wheel of executorch {version} is not in {folder}:"
            " run this once without --offline"
        )
    report(f"fetching the aarch64 wheel of executorch {version} (18 MB) by pip into {folder}")
    wanted = f"executorch=={version}"
    with replacing_folder(folder, WHEEL_RECORD) as part:
        # What the index says of the file, and then the file: pip has no command for both.
        place = ["--target", str(part / "none"), "--dry-run", "--ignore-installed"]
        said = json.loads(pip(["install", *PIP_OPTIONS, *place, "--report", "-", wanted]))
        source = said["install"][0]["download_info"]  # a URL of a wheel, with its hashes
        pip(["download", *PIP_OPTIONS, "--dest", str(part), wanted])
        wheels = list(part.glob("*.whl"))
        if len(wheels) != 1:
            raise ToolError(f"pip brought {len(wheels)} wheels for {wanted}")
        require_hash(wheels[0], source["archive_info"]["hashes"]["sha256"])
        unpack_wheel(wheels[0], part)
        wheels[0].unlink()
        record = {"url": source["url"], **source["archive_info"]["hashes"]}
        (part / WHEEL_RECORD).write_text(json.dumps(record, indent=2) + "\n")
    return folder


def pip(arguments: Sequence[str]) -> str:
    """What pip prints on stdout; ToolError with its last error if it fails."""
    done = _run([sys.executable, "-m", "pip", *arguments])
    if done.returncode:
        raise ToolError(f"pip {arguments[0]}: {_last_error(done.stderr)}")
    return done.stdout


def require_hash(file: Path, sha256: str) -> None:
    """ToolError unless a file has this SHA-256."""
    found = file_sha256(file)
    if found != sha256:
        raise ToolError(f"{file.name}: SHA-256 is {found}, the index says {sha256}")


def unpack_wheel(wheel: Path, folder: Path) -> None:
    """Unpack headers and libraries; ToolError if any entry of the wheel lies outside its folder."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            names = archive.namelist()
            for name in names:
                path = PurePosixPath(name)
                if path.is_absolute() or ".." in path.parts or "\\" in name or ":" in name:
                    raise ToolError(f"{wheel.name}: entry {name!r} lies outside its folder")
            wanted = ("executorch/include/", "executorch/lib/")
            archive.extractall(folder, [name for name in names if name.startswith(wanted)])
    except zipfile.BadZipFile as error:
        raise ToolError(f"{wheel.name}: {error}") from error


def compile_runner(wheel: Path, version: str) -> Path:
    """The runner for the libraries of an unpacked wheel, compiled unless the cache has it."""
    include, libraries = wheel / "executorch/include", wheel / "executorch/lib"
    options = [
        *COMPILER_OPTIONS,
        *("-isystem", str(include)),
        *("-isystem", str(include / "executorch/runtime/core/portable_type/c10")),
        str(RUNNER_SOURCE),
        *(f"-L{libraries}", f"-Wl,-rpath,{libraries}", "-Wl,--no-as-needed"),
        *(f"-lexecutorch{name}" for name in LIBRARIES),
    ]
    key = hashlib.sha256(RUNNER_SOURCE.read_bytes() + shlex.join(options).encode()).hexdigest()
    runner = cache_folder() / f"run_program-{version}-{key[:16]}"
    if runner.is_file():
        return runner
    part = runner.with_name(f".{runner.name}.{os.getpid()}.part")
    try:
        done = _run([COMPILER, *options, "-o", str(part)])
        if done.returncode:
            raise ToolError(f"compiling {RUNNER_SOURCE}: {_last_error(done.stderr)}")
        part.replace(runner)
    finally:
        part.unlink(missing_ok=True)
    return runner


def pack_tensor(tensor: NDArray[np.float32]) -> bytes:
    """A tensor in the form that the runner reads."""
    return np.array([tensor.ndim, *tensor.shape], "<i4").tobytes() + tensor.astype("<f4").tobytes()


def unpack_outputs(data: bytes) -> list[list[NDArray[np.float32]]]:
    """The outputs of every execution, from what the runner wrote; ProgramError if it is cut off."""
    place = 0

    def take(count: int, kind: str) -> NDArray[np.generic]:
        nonlocal place
        if count < 0 or place + 4 * count > len(data):
            raise ProgramError("the outputs of the runner are cut off")
        place += 4 * count
        return np.frombuffer(data, kind, count, place - 4 * count)

    executions = []
    while place < len(data):
        outputs = []
        for _ in range(int(take(1, "<i4")[0])):
            shape = take(int(take(1, "<i4")[0]), "<i4").tolist()
            outputs.append(take(math.prod(shape), "<f4").reshape(shape).astype(np.float32))
        executions.append(outputs)
    return executions


def _run(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)


def _last_error(text: str) -> str:
    """The last line that calls itself an error, or else the last line."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if "error:" in line.lower()]
    return (errors or lines or [""])[-1].removeprefix("error: ").removeprefix("ERROR: ")
