"""From a checkpoint to a bundle, and everything that must stop one."""

import copy
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from executorch.exir._serialize._program import deserialize_pte_binary

from fgq.methods import quantize_rtn
from fgq.quant import GRIDS, FakeQuantLinear, load_packed, save_packed
from fgq.vggt import VGGT, save_checkpoint
from mobile_export.backends import make_backend
from mobile_export.bench import format_table, measure
from mobile_export.bundle import BundleError, read_bundle
from mobile_export.cli import main
from mobile_export.graph import DeviceVGGT
from mobile_export.program import ProgramError, RunningProgram
from mobile_export.verify import output_gates, probe_images

SIZE = (28, 42)
XNNPACK = make_backend("xnnpack")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, make_model: Callable[..., VGGT]) -> Path:
    """A folder with the checkpoints `full`, `packed` and `w4a8`."""
    folder = tmp_path_factory.mktemp("export")
    save_checkpoint(make_model(), folder / "full")
    model = make_model()
    quantize_rtn(model)
    save_packed(model, folder / "packed", {"method": "rtn"})
    model = make_model()
    quantize_rtn(model, GRIDS["w4a8"])
    save_packed(model, folder / "w4a8", {"method": "rtn"})
    return folder


@pytest.fixture(scope="module")
def bundle(folder: Path) -> Path:
    """The bundle of `packed` for two views."""
    accuracy = folder / "accuracy.json"
    accuracy.write_text('{"pose": 1.5}')
    assert export(folder, "packed", "bundle", "--accuracy", str(accuracy)) == 0
    accuracy.unlink()
    return folder / "bundle"


def export(folder: Path, checkpoint: str, out: str, *options: str, precision: str = "8da4w") -> int:
    places = [str(folder / checkpoint), "--out", str(folder / out)]
    kind = ["--precision", precision] if precision else []
    return main(["export", *places, *kind, "--views", "2", "--size", "28x42", *options])


@pytest.fixture(scope="module")
def model(folder: Path) -> VGGT:
    return load_packed(folder / "packed")


@pytest.fixture(scope="module")
def graph(model: VGGT) -> DeviceVGGT:
    return DeviceVGGT(model, [2], SIZE, ["camera", "depth"])


def test_manifest_says_what_the_program_is(folder: Path, bundle: Path) -> None:
    manifest = read_bundle(bundle)
    assert manifest["quantization"]["name"] == "8da4w-g32"
    assert manifest["quantization"]["method"] == "rtn"
    assert manifest["methods"] == {"2": "forward_s2"}
    assert manifest["outputs"] == ["pose_enc", "depth", "depth_conf"]
    assert manifest["input"] == {"height": 28, "width": 42, "range": [0, 1]}
    assert manifest["accuracy"] == {"pose": 1.5}
    program = (bundle / "model.pte").read_bytes()
    assert manifest["files"]["model.pte"]["bytes"] == len(program)
    assert manifest["files"]["model.pte"]["sha256"] == hashlib.sha256(program).hexdigest()
    weights = (folder / "packed" / "model.safetensors").read_bytes()
    assert manifest["model"]["weights_sha256"] == hashlib.sha256(weights).hexdigest()
    assert any(name.startswith("output.forward_s2.noise") for name in manifest["verification"])
    assert not [path for path in folder.iterdir() if path.name.startswith(".")]


def test_the_whole_network_is_one_delegate(bundle: Path) -> None:
    file = deserialize_pte_binary((bundle / "model.pte").read_bytes())
    (plan,) = file.program.execution_plan
    assert [delegate.id for delegate in plan.delegates] == ["XnnpackBackend"]
    assert not plan.operators


def test_program_computes_the_quantized_network(bundle: Path, model: VGGT) -> None:
    images = probe_images(2, SIZE)["noise"]
    with RunningProgram(bundle / "model.pte", "forward_s2", threads=1) as program:
        run = program.run(images)
    with torch.no_grad():
        expected = model(torch.from_numpy(images)[None])
    pose, depth, confidence = run.outputs
    assert pose.shape == (2, 9)
    # Rounding may fall to the other side here and there: see verify.py for the exact gate.
    np.testing.assert_allclose(depth, expected["depth"][0, ..., 0], rtol=0.05)
    np.testing.assert_allclose(confidence, expected["depth_conf"][0], rtol=0.05)
    assert run.seconds > 0
    assert run.cpu_seconds > 0


def test_a_single_wrong_code_is_found(bundle: Path, model: VGGT) -> None:
    changed = copy.deepcopy(model)
    site = changed.camera_head.poseLN_modulation[1]
    assert isinstance(site, FakeQuantLinear)
    site.codes[3, 5] = site.codes[3, 5] - 1 if site.codes[3, 5] > 0 else site.codes[3, 5] + 1
    file = deserialize_pte_binary((bundle / "model.pte").read_bytes())
    same, other = (
        list(XNNPACK.gates(file, DeviceVGGT(m, [2], SIZE, ["camera", "depth"])))
        for m in (model, changed)
    )
    assert [gate.passed for gate in same] == [True, True]
    assert [gate.passed for gate in other] == [True, False]
    assert "other codes" in other[1].finding


def test_wrong_outputs_are_found(bundle: Path, model: VGGT, graph: DeviceVGGT) -> None:
    changed = copy.deepcopy(model)
    with torch.no_grad():
        changed.camera_head.token_norm.weight.mul_(1.5)
    gates = list(output_gates(bundle / "model.pte", graph, changed, [2]))
    failed = {gate.name for gate in gates if not gate.passed}
    assert failed == {f"output.forward_s2.{kind}.pose_enc" for kind in ("pattern", "noise")}


def test_failed_gates_leave_no_bundle(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from mobile_export import export as module
    from mobile_export.gate import Gate

    class Nothing:
        def to_executorch(self) -> "Nothing":
            return self

        def write_to_file(self, file: Any) -> None:
            file.write(b"nothing")

    monkeypatch.setattr(module, "lower", lambda *_: Nothing())
    gates = [Gate("one", False, "is wrong"), Gate("two", True, "is right")]
    monkeypatch.setattr(module, "verify", lambda *_: gates)
    assert export(folder, "packed", "refused") == 2
    errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error")]
    assert errors == ["error: gate one: is wrong"]
    assert not list(folder.glob("*refused*"))
    assert not list(folder.glob(".*"))


@pytest.mark.parametrize(
    ("checkpoint", "precision", "options", "complaint"),
    [
        ("nowhere", "fp32", [], "no such file"),
        ("packed", "fp32", [], "cannot be exported as fp32"),
        ("packed", "8da8w", [], "is in 8da4w"),
        ("full", "", [], "give --precision"),
        ("w4a8", "", [], "no kernel"),
        ("packed", "8da4w", ["--accuracy", "nowhere.json"], "nowhere.json"),
    ],
)
def test_bad_input_is_one_line(
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    checkpoint: str,
    precision: str,
    options: list[str],
    complaint: str,
) -> None:
    assert export(folder, checkpoint, "bad", *options, precision=precision) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert complaint in error
    assert not (folder / "bad").exists()


def test_a_crash_of_the_runtime_is_an_exception(bundle: Path, tmp_path: Path) -> None:
    program = tmp_path / "model.pte"
    program.write_bytes((bundle / "model.pte").read_bytes()[:5000])
    images = probe_images(2, SIZE)["noise"]
    with (
        RunningProgram(program, "forward_s2", threads=1) as running,
        pytest.raises(ProgramError, match=r"model\.pte"),
    ):
        running.run(images)


def test_bench_compares_bundles(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (result,) = measure([bundle], None, threads=1, repeats=2)
    assert result.views == 2
    assert result.seconds > 0
    table = format_table([result, result]).splitlines()
    assert len(table) == 3
    assert " 1.00 " in table[2]
    with pytest.raises(BundleError, match=r"\[2\]"):
        measure([bundle], [3], threads=1, repeats=1)
    assert main(["inspect", str(bundle)]) == 0
    assert "8da4w-g32" in capsys.readouterr().out


def test_inspect_tells_the_accuracy_in_a_line_a_set(capsys: pytest.CaptureFixture[str]) -> None:
    bundle = Path(__file__).parents[2] / "assets/vggt-nano-8da4w"
    accuracy = json.loads((bundle / "manifest.json").read_text())["accuracy"]
    assert main(["inspect", str(bundle)]) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if "accuracy: set" in line]
    assert len(lines) == len(accuracy["rows"]) > 1


def test_a_flipped_byte_is_found(
    bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("manifest.json", "model.pte"):
        (tmp_path / name).write_bytes((bundle / name).read_bytes())
    data = bytearray((tmp_path / "model.pte").read_bytes())
    data[len(data) // 2] ^= 1
    (tmp_path / "model.pte").write_bytes(data)
    assert main(["inspect", str(tmp_path)]) == 2
    assert "does not match its hash" in capsys.readouterr().err


@pytest.mark.slow
def test_same_command_same_bytes(folder: Path) -> None:
    for precision in ("8da4w", "fp32"):
        hashes = set()
        for out in ("first", "second"):
            assert export(folder, "full", out, "--heads", "camera", precision=precision) == 0
            manifest = json.loads((folder / out / "manifest.json").read_text())
            hashes.add(manifest["files"]["model.pte"]["sha256"])
        assert len(hashes) == 1
