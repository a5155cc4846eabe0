"""Nothing opens a socket to a network: the whole path runs under guards that would tell.

Three guards, as far as the system has them: an audit hook in every Python process, the child of
the engine too, that records and refuses sockets; strace, which sees those of native libraries as
well; and a network namespace without any interface but its own loopback. Sockets that cannot leave
the machine are allowed: AF_UNIX (a display, a sound or message bus) and AF_NETLINK (the kernel).
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from app.assets import assets_folder, demo_clip
from app.capture import open_source
from app.capture._cv2 import cv2

ROOT = Path(__file__).parents[2]
BUNDLE = assets_folder() / "vggt-nano-8da4w"

GUARD = """
import os, sys

def note(text):
    with open(os.environ["SOCKET_LOG"], "a") as log:
        log.write(text + "\\n")

def refuse(event, args):
    if event == "socket.__new__" and args[1] not in (1, 16):  # AF_UNIX, AF_NETLINK
        what = f"family {args[1]}"
    elif event in ("socket.getaddrinfo", "socket.gethostbyname"):
        what = repr(args[0])
    else:
        return
    note(f"{event} {what}")
    raise OSError("sockets are not allowed here")

sys.addaudithook(refuse)
note("watching " + " ".join(sys.orig_argv))
"""


@dataclass(frozen=True)
class Watched:
    """What the guards saw of a run; system_calls is None without strace."""

    status: int
    output: str
    processes: list[str]
    refused: list[str]
    system_calls: list[str] | None
    has_network: bool


@cache
def _works(*command: str) -> bool:
    return (
        bool(shutil.which(command[0]))
        and not subprocess.run(command, capture_output=True).returncode
    )


def _strace(log: Path) -> list[str]:
    command = ["strace", "-f", "--seccomp-bpf", "-qq", "-e", "trace=socket,execve", "-o"]
    return [*command, str(log)] if _works(*command, os.devnull, "true") else []


def _namespace() -> list[str]:
    command = ["unshare", "--map-root-user", "--net"]
    return command if _works(*command, "true") else []


def watch(folder: Path, arguments: Sequence[str]) -> Watched:
    """Run Python with these arguments under every guard that there is."""
    folder.mkdir(exist_ok=True)
    (folder / "sitecustomize.py").write_text(GUARD)
    log, calls = folder / "sockets.txt", folder / "calls.txt"
    paths = os.pathsep.join([str(folder), str(ROOT)])
    environment = {k: v for k, v in os.environ.items() if k != "QT_QPA_PLATFORM"}
    namespace, strace = _namespace(), _strace(calls)
    result = subprocess.run(
        [*namespace, *strace, sys.executable, *arguments],
        cwd=folder,
        env=environment | {"PYTHONPATH": paths, "SOCKET_LOG": str(log)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
    )
    lines = log.read_text().splitlines()
    return Watched(
        status=result.returncode,
        output=result.stdout,
        processes=[line for line in lines if line.startswith("watching")],
        refused=[line for line in lines if not line.startswith("watching")],
        system_calls=calls.read_text().splitlines() if strace else None,
        has_network=not namespace,
    )


@pytest.fixture(scope="module", params=["reconstruct", "window"])
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Watched:
    """A few keyframes of the demo clip, by the command and by the window."""
    folder = tmp_path_factory.mktemp(request.param)
    bundle = ["--bundle", str(BUNDLE)]
    if request.param == "reconstruct":
        arguments = [
            "reconstruct",
            str(demo_clip()),
            *bundle,
            "--out",
            "out",
            "--max-keyframes",
            "4",
        ]
        written = folder / "out/cloud.ply"
    else:
        images = folder / "images"
        images.mkdir()
        for frame in open_source(str(demo_clip()), print):
            if frame.index % 15 == 0:
                cv2.imwrite(str(images / f"{frame.index:03}.png"), frame.image[..., ::-1])
            if frame.index == 45:
                break
        arguments = ["--source", str(images), *bundle, "--screenshot", "window.png"]
        written = folder / "window.png"
    watched = watch(folder, ["-P", "-m", "app", *arguments])
    assert watched.status == 0, watched.output
    assert request.param == "reconstruct" or not watched.output, "a picture is made in silence"
    assert written.stat().st_size > 10_000
    return watched


def test_the_guards_see_a_socket(tmp_path: Path) -> None:
    watched = watch(tmp_path, ["-c", "import socket; socket.socket()"])
    assert watched.status != 0
    assert watched.refused == ["socket.__new__ family 2"]
    # ctypes goes past Python's audit, as a native library does.
    native = "import ctypes; ctypes.CDLL(None).socket(2, 1, 0)"
    calls = watch(tmp_path, ["-c", native]).system_calls
    assert calls is None or any("socket(AF_INET," in call for call in calls)


def test_no_python_process_makes_a_socket(run: Watched) -> None:
    assert len(run.processes) >= 2, "the engine's process was not watched"
    assert any("engine-program" in process for process in run.processes)
    assert run.refused == []


def test_no_native_library_makes_a_socket(run: Watched) -> None:
    if run.system_calls is None:
        pytest.skip("strace is not installed or not permitted here")
    assert any("engine-program" in call for call in run.system_calls)
    families = {
        found[1] for call in run.system_calls if (found := re.search(r"socket\((\w+)", call))
    }
    assert families <= {"AF_UNIX", "AF_NETLINK"}, families


def test_everything_works_where_there_is_no_network(run: Watched) -> None:
    if run.has_network:
        pytest.skip("unshare is not installed or not permitted here")
    assert run.status == 0
