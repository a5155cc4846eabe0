"""Programs for the delegates that do not run here: made, and refused where a device would fail."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from executorch.exir._serialize._program import PTEFile, deserialize_pte_binary
from torch import Tensor, nn

from fgq.methods import quantize_rtn
from fgq.quant import GRIDS, FakeQuantLinear, quantize_weight, save_packed
from fgq.vggt import VGGT, save_checkpoint
from mobile_export.backends import Backend, make_backend
from mobile_export.backends.vulkan import VulkanTarget
from mobile_export.bundle import read_bundle
from mobile_export.cli import main
from mobile_export.linears import device_linear
from mobile_export.lower import lower, write_program


class Linears(nn.Module):
    """As much of a device graph as lowering and the gates need: one int4 linear."""

    view_counts = (1,)
    size = (28, 64)

    def __init__(self, precision: str, leading: tuple[int, ...] = (1,)) -> None:
        super().__init__()
        torch.manual_seed(0)
        grid = GRIDS["8da4w-g32"]
        if precision == "4w":
            grid = replace(grid, activation_bits=None)
        weight = quantize_weight(torch.randn(64, 64), grid)
        self.linear = device_linear(FakeQuantLinear(weight, torch.randn(64), grid)).eval()
        self.leading = leading

    def forward(self, images: Tensor) -> Tensor:
        x: Tensor = self.linear(images.reshape(*self.leading, -1, 64))
        return x


def lowered(graph: Any, backend: Backend, path: Path) -> PTEFile:
    write_program(lower(graph, [1], backend), path / "model.pte")
    return deserialize_pte_binary((path / "model.pte").read_bytes())


def failed(file: PTEFile, graph: Any, backend: Backend) -> set[str]:
    return {gate.name for gate in backend.gates(file, graph) if not gate.passed}


@pytest.mark.parametrize(("precision", "fp16"), [("4w", True), ("8da4w", False)])
def test_vulkan_int4_is_recognised(tmp_path: Path, precision: str, fp16: bool) -> None:
    graph, backend = Linears(precision), make_backend("vulkan", fp16)
    file = lowered(graph, backend, tmp_path)
    assert not failed(file, graph, backend)
    graph.linear.weight.qdata[3, 5] ^= 1
    assert failed(file, graph, backend) == {"integers.forward_s1"}


def test_vulkan_int4_with_a_batch_is_refused(tmp_path: Path) -> None:
    """The kernel computes the first of a batch and is silent about the rest."""
    graph, backend = Linears("4w", leading=(2,)), make_backend("vulkan")
    assert failed(lowered(graph, backend, tmp_path), graph, backend) == {"batches.forward_s1"}


class Large(Linears):
    def forward(self, images: Tensor) -> Tensor:
        x = super().forward(images)
        return torch.bmm(x[:, :3, :1], torch.ones(1, 1, 9000))


def test_vulkan_textures_that_are_too_large_are_refused(tmp_path: Path) -> None:
    graph = Large("4w")
    tolerant, strict = VulkanTarget(), VulkanTarget(small_textures=True)
    file = lowered(graph, tolerant, tmp_path)
    assert not failed(file, graph, tolerant)
    assert failed(file, graph, strict) == {"limits.forward_s1"}


def test_vulkan_operators_outside_are_refused(tmp_path: Path) -> None:
    class Sorted(Linears):
        def forward(self, images: Tensor) -> Tensor:
            return torch.sort(super().forward(images))[0]

    graph, backend = Sorted("4w"), make_backend("vulkan")
    assert "delegate.forward_s1" in failed(lowered(graph, backend, tmp_path), graph, backend)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, make_model: Callable[..., VGGT]) -> Path:
    folder = tmp_path_factory.mktemp("backends")
    save_checkpoint(make_model(), folder / "full")
    model = make_model()
    quantize_rtn(model)
    save_packed(model, folder / "packed", {"method": "rtn"})
    return folder


def export(folder: Path, checkpoint: str, out: Path, *options: str) -> int:
    places = [str(folder / checkpoint), "--out", str(out)]
    return main(["export", *places, "--views", "2", "--size", "28x42", *options])


@pytest.mark.slow
@pytest.mark.parametrize("options", [[], ["--precision", "4w", "--fp16", "--small-textures"]])
def test_vulkan_bundle(folder: Path, tmp_path: Path, options: list[str]) -> None:
    assert export(folder, "packed", tmp_path / "bundle", "--backend", "vulkan", *options) == 0
    manifest = read_bundle(tmp_path / "bundle")
    assert manifest["backend"] == "vulkan"
    assert manifest["verification"]["delegate.forward_s2"].startswith("1 delegates, 0 kinds")
    assert manifest["quantization"]["name"] == ("4w-g32" if options else "8da4w-g32")


@pytest.mark.slow
def test_coreml_bundle(folder: Path, tmp_path: Path) -> None:
    try:
        make_backend("coreml")
    except ValueError as error:
        pytest.skip(str(error))
    options = ["--backend", "coreml", "--precision", "fp32", "--heads", "camera"]
    assert export(folder, "full", tmp_path / "bundle", *options) == 0


def test_portable_bundle_runs(folder: Path, tmp_path: Path) -> None:
    options = ["--backend", "portable", "--precision", "fp32", "--heads", "camera"]
    assert export(folder, "full", tmp_path / "bundle", *options) == 0
    gates = read_bundle(tmp_path / "bundle")["verification"]
    assert "output.forward_s2.noise.pose_enc" in gates


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--backend", "portable"], "portable has no 8da4w linears"),
        (["--precision", "4w"], "xnnpack has no 4w linears"),
        (["--fp16"], "xnnpack has neither"),
    ],
)
def test_what_a_backend_does_not_compute_is_said(
    folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    options: list[str],
    complaint: str,
) -> None:
    assert export(folder, "packed", tmp_path / "bundle", *options) == 2
    error = capsys.readouterr().err
    assert complaint in error
    assert error.count("\n") == 1
    assert not (tmp_path / "bundle").exists()
