"""A bundle run again, here and as 64-bit Arm: what is missing, refused and compared."""

import hashlib
import json
import shutil
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from mobile_export import aarch64
from mobile_export.aarch64 import (
    ToolError,
    arm_runtime,
    fetch_wheel,
    find_tools,
    pack_tensor,
    unpack_outputs,
    unpack_wheel,
)
from mobile_export.bundle import read_bundle
from mobile_export.cli import main
from mobile_export.program import ProgramError
from mobile_export.rerun import ROUNDING, Plan, compare, make_plan, repeatable, slightly_changed
from mobile_export.verify import PROGRAM_TOLERANCE

ROOT = Path(__file__).parents[2]
EMBEDDED = ROOT / "assets/vggt-nano-8da4w"
PLAN = Plan(Path("model.pte"), {1: "forward_s1"}, (28, 42), ["pose_enc", "depth"], False, "1.5.1")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    if not request.node.get_closest_marker("slow"):
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def have(monkeypatch: pytest.MonkeyPatch, *tools: str) -> None:
    """Of all tools only these are found."""
    found = {tool: f"/usr/bin/{tool}" for tool in tools}
    monkeypatch.setattr(aarch64.shutil, "which", found.get)
    monkeypatch.setattr(aarch64, "SYSROOT", ROOT)  # a folder that is there


@pytest.mark.parametrize(
    ("tools", "packages"),
    [
        ([], "qemu-user-static g++-aarch64-linux-gnu"),
        (["qemu-aarch64"], "g++-aarch64-linux-gnu"),
        (["aarch64-linux-gnu-g++"], "qemu-user-static"),
    ],
)
def test_missing_tools_are_one_line(
    tools: list[str],
    packages: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    have(monkeypatch, *tools)
    monkeypatch.setattr(aarch64, "pip", lambda _: pytest.fail("something was fetched"))
    monkeypatch.setattr("mobile_export.rerun.platform.machine", lambda: "x86_64")
    assert main(["verify", str(EMBEDDED), "--arch", "aarch64"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert said.endswith(f"apt-get install {packages}\n")
    assert said.count("\n") == 1


def test_offline_nothing_is_fetched(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    have(monkeypatch, *aarch64.EMULATORS, aarch64.COMPILER)
    monkeypatch.setattr(aarch64, "pip", lambda _: pytest.fail("something was fetched"))
    monkeypatch.setattr("mobile_export.rerun.platform.machine", lambda: "x86_64")
    assert main(["verify", str(EMBEDDED), "--arch", "aarch64", "--offline"]) == 2
    said = capsys.readouterr().err
    assert "run this once without --offline" in said
    assert said.count("\n") == 1


def test_emulator_of_newer_releases_will_do(monkeypatch: pytest.MonkeyPatch) -> None:
    have(monkeypatch, "qemu-aarch64", aarch64.COMPILER)
    assert find_tools() == "/usr/bin/qemu-aarch64"


@pytest.mark.parametrize("version", ["../1.5.1", "1.5.1 --index-url=x", "", "-r file"])
def test_version_of_the_manifest_goes_nowhere_unless_it_is_one(version: str) -> None:
    with pytest.raises(ToolError, match="not a version"):
        arm_runtime(version, "max", offline=False, report=print)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--cpu", "cortex-a72"], "--cpu names the processor of an emulated"),
        (["--views", "3"], "has methods for 1, 2, 4, 8 views only"),
    ],
)
def test_arguments_that_do_not_fit(
    options: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["verify", str(EMBEDDED), *options]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("backend", ["vulkan", "coreml"])
def test_phones_own_backends_are_not_run(
    backend: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = tmp_path / "bundle"
    shutil.copytree(EMBEDDED, bundle)
    manifest = json.loads((bundle / "manifest.json").read_text())
    (bundle / "manifest.json").write_text(json.dumps({**manifest, "backend": backend}))
    assert main(["verify", str(bundle)]) == 2
    assert f"is for {backend}, which no runtime on desktops" in capsys.readouterr().err


def test_x86_is_not_emulated(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("mobile_export.rerun.platform.machine", lambda: "arm64")
    assert main(["verify", str(EMBEDDED), "--arch", "x86_64"]) == 2
    assert "this machine is aarch64" in capsys.readouterr().err


def wheel(path: Path, *names: str) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(zipfile.ZipInfo(name), name)  # of no date: always the same bytes
    return path


@pytest.mark.parametrize("name", ["../evil.so", "executorch/lib/../../../evil.so", "/evil.so"])
def test_wheel_with_an_entry_outside_its_folder_is_refused(tmp_path: Path, name: str) -> None:
    file = wheel(tmp_path / "a.whl", "executorch/lib/libexecutorch.so", name)
    (tmp_path / "in").mkdir()
    with pytest.raises(ToolError, match="outside its folder"):
        unpack_wheel(file, tmp_path / "in")
    assert list((tmp_path / "in").iterdir()) == []


def fake_pip(sha256: str | None) -> Callable[[Sequence[str]], str]:
    """Brings a wheel of one library; says that its SHA-256 is this one, or the true one."""

    def pip(arguments: Sequence[str]) -> str:
        if arguments[0] == "download":
            folder = Path(arguments[arguments.index("--dest") + 1])
            wheel(folder / "executorch.whl", "executorch/lib/libexecutorch.so", "executorch/x.py")
            return ""
        file = wheel(Path("executorch.whl"), "executorch/lib/libexecutorch.so", "executorch/x.py")
        said = sha256 or hashlib.sha256(file.read_bytes()).hexdigest()
        source = {"url": "https://example.org/x.whl", "archive_info": {"hashes": {"sha256": said}}}
        return json.dumps({"install": [{"download_info": source}]})

    return pip


def test_wheel_with_another_hash_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(aarch64, "pip", fake_pip("0" * 64))
    with pytest.raises(ToolError, match="the index says 000"):
        fetch_wheel("1.5.1", offline=False, report=lambda _: None)
    assert list(aarch64.cache_folder().iterdir()) == []


def test_wheel_is_announced_fetched_once_and_only_what_is_needed_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(aarch64, "pip", fake_pip(None))
    said: list[str] = []
    folder = fetch_wheel("1.5.1", offline=False, report=said.append)
    assert len(said) == 1
    assert "executorch 1.5.1" in said[0]
    files = {str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file()}
    assert files == {"wheel.json", "executorch/lib/libexecutorch.so"}
    monkeypatch.setattr(aarch64, "pip", lambda _: pytest.fail("something was fetched"))
    assert fetch_wheel("1.5.1", offline=True, report=said.append) == folder
    assert len(said) == 1


def test_tensors_pass_to_the_runner_and_back() -> None:
    tensors = [np.arange(6, dtype=np.float32).reshape(1, 2, 3), np.float32([7])]
    one = np.int32(2).tobytes() + b"".join(map(pack_tensor, tensors))
    for outputs in unpack_outputs(one + one):
        for tensor, expected in zip(outputs, tensors, strict=True):
            np.testing.assert_array_equal(tensor, expected, strict=True)
    with pytest.raises(ProgramError, match="cut off"):
        unpack_outputs(one[:-1])


def failing(actual: list[np.ndarray], changed: list[list[np.ndarray]]) -> list[str]:
    """Names of the outputs that differ too much from all ones."""
    expected = [np.ones((1, 9), np.float32), np.ones((1, 28, 42), np.float32)]
    gates = compare(PLAN, "forward_s1", "noise", actual, expected, changed)
    return [gate.name.split(".")[-1] for gate in gates if not gate.passed]


def test_an_output_that_differs_fails() -> None:
    pose, depth = np.ones((1, 9), np.float32), np.ones((1, 28, 42), np.float32)
    assert failing([pose, depth], []) == []
    assert failing([pose, depth * (1 + 2 * PROGRAM_TOLERANCE)], []) == ["depth"]
    flips = [[pose * 1.001, depth * 1.002]]
    assert failing([pose, depth * 1.006], flips) == []
    assert failing([pose * 1.006, depth * 1.010], flips) == ["pose_enc", "depth"]
    # However much codes flip, garbage is garbage.
    assert failing([pose, depth * 1.3], [[pose, depth * 1.5]]) == ["depth"]
    assert failing([pose, depth[:, :-1]], flips) == ["depth"]
    assert failing([pose, np.full_like(depth, np.nan)], flips) == ["depth"]
    assert failing([pose], flips) == ["forward_s1"]


def test_outputs_that_change_from_run_to_run_fail() -> None:
    one, other = np.ones((1, 9), np.float32), np.full((1, 9), np.nan, np.float32)
    moved = np.nextafter(one, np.float32(2))
    assert [g.passed for g in repeatable(PLAN, "forward_s1", [one, one], [one, one])] == [True] * 2
    passed = [g.passed for g in repeatable(PLAN, "forward_s1", [one, other], [moved, other])]
    assert passed == [False, False]


def test_images_change_by_no_more_than_rounding() -> None:
    images = np.random.default_rng(0).random((2, 3, 28, 42), dtype=np.float32)
    for changed in slightly_changed(images):
        assert changed.dtype == np.float32
        assert 0 < np.abs(changed / images - 1).max() < 1.2 * ROUNDING


def test_runs_again_on_this_machine(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", str(EMBEDDED), "--views", "1"]) == 0
    assert "run.forward_s1.pose_enc: finite, the same" in capsys.readouterr().out


def test_manifest_without_the_program_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest = json.loads((EMBEDDED / "manifest.json").read_text())
    manifest["files"] = {}
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    assert main(["verify", str(tmp_path)]) == 2
    assert "not complete" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("cpu", ["max,sme=off", "cortex-a72"])
def test_embedded_bundle_on_arm(cpu: str) -> None:
    """The only test that fetches something: the wheel, unless it is in the user's cache."""
    plan = make_plan(EMBEDDED, read_bundle(EMBEDDED), [1])
    try:
        find_tools()
    except ToolError as error:
        pytest.skip(str(error))
    runtime = arm_runtime(plan.runtime, cpu, offline=False, report=print)
    with pytest.raises(ProgramError, match="forward_s3"):
        runtime.run(plan.program, "forward_s3", [])
    assert main(["verify", str(EMBEDDED), "--arch", "aarch64", "--views", "1", "--cpu", cpu]) == 0
