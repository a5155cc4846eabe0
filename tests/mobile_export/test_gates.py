"""Every silent failure of the runtime that is known, built and refused."""

import copy
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from executorch.exir._serialize._program import PTEFile, deserialize_pte_binary
from executorch.exir.schema import ScalarType
from executorch.exir.schema import Tensor as TensorEntry
from executorch.extension.pybindings import _C
from torch import Tensor, nn
from torchao.quantization import IntxUnpackedToInt8Tensor

from fgq.methods import quantize_rtn
from fgq.quant import GRIDS, FakeQuantLinear, quantize_weight
from fgq.vggt import VGGT
from mobile_export.backends import make_backend
from mobile_export.file_gates import operator_gates, size_gates, weight_gates
from mobile_export.gate import Gate
from mobile_export.graph import DeviceVGGT
from mobile_export.linears import device_linear
from mobile_export.lower import lower, write_program
from mobile_export.verify import eager_gates, graph_gates, relative_error

XNNPACK = make_backend("xnnpack")
KNOWN = set(_C._get_operator_names())


class OneLinear(nn.Module):
    """As much of a device graph as lowering and the gates need."""

    view_counts = (1,)
    size = (28, 32)

    def __init__(self, linear: nn.Module) -> None:
        super().__init__()
        self.linear = linear.eval()

    def forward(self, images: Tensor) -> Tensor:
        return self.linear(images.reshape(1, -1, 32))


def quantized_linear(grid: str) -> FakeQuantLinear:
    torch.manual_seed(0)
    return FakeQuantLinear(quantize_weight(torch.randn(8, 32), GRIDS[grid]), None, GRIDS[grid])


def integer_linear(grid: str = "8da4w-g32") -> nn.Linear:
    linear = device_linear(quantized_linear(grid))
    assert isinstance(linear, nn.Linear)
    return linear


def with_weight(linear: nn.Linear, **changes: Any) -> OneLinear:
    """The linear with parts of its integer weight replaced."""
    old = linear.weight
    assert isinstance(old, IntxUnpackedToInt8Tensor)
    parts = {
        name: changes.get(name, getattr(old, name))
        for name in ("qdata", "scale", "zero_point", "target_dtype", "block_size", "dtype")
    }
    kind = changes.get("activation_quantization", old.activation_quantization)
    weight = IntxUnpackedToInt8Tensor(**parts, activation_quantization=kind)
    linear.weight = nn.Parameter(weight, requires_grad=False)
    return OneLinear(linear)


def lowered(graph: Any, folder: Path) -> PTEFile:
    write_program(lower(graph, [1], XNNPACK), folder / "model.pte")
    return deserialize_pte_binary((folder / "model.pte").read_bytes())


def failed(gates: Iterator[Gate]) -> set[str]:
    return {gate.name for gate in gates if not gate.passed}


@pytest.mark.parametrize("grid", ["8da4w-g32", "8da8w"])
def test_weight_only_integers_are_refused(tmp_path: Path, grid: str) -> None:
    """XNNPACK takes integer weights without integer inputs, and runs them unscaled."""
    good: Any = OneLinear(integer_linear(grid))
    assert not failed(XNNPACK.gates(lowered(good, tmp_path), good))
    bad: Any = with_weight(integer_linear(grid), activation_quantization=None)
    assert failed(XNNPACK.gates(lowered(bad, tmp_path), bad)) == {"integers.forward_s1"}


def test_zero_points_are_refused(tmp_path: Path) -> None:
    """The delegate keeps none: its program is another function than the graph."""
    linear = integer_linear()
    assert not failed(weight_gates(linear))
    weight = linear.weight
    assert isinstance(weight, IntxUnpackedToInt8Tensor)
    bad: Any = with_weight(linear, zero_point=torch.full_like(weight.zero_point, 3))
    assert failed(weight_gates(bad)) == {"weights.zero_points"}

    from mobile_export.program import RunningProgram

    lowered(bad, tmp_path)
    images = torch.rand(1, 3, 28, 32)
    with RunningProgram(tmp_path / "model.pte", "forward_s1", threads=1) as program:
        (output,) = program.run(images.numpy()).outputs
    assert relative_error(output, bad(images).numpy()) > 0.1


def test_scales_that_bfloat16_does_not_hold_are_refused() -> None:
    linear = integer_linear()
    weight = linear.weight
    assert isinstance(weight, IntxUnpackedToInt8Tensor)
    bad = with_weight(linear, scale=weight.scale * 1.001)
    assert failed(weight_gates(bad)) == {"weights.scales"}
    assert not failed(weight_gates(integer_linear("8da8w")))  # their scales stay fp32


class Normalised(OneLinear):
    def forward(self, images: Tensor) -> Tensor:
        return nn.functional.layer_norm(super().forward(images), (8,))


def test_operators_that_the_runtime_lacks_are_refused(tmp_path: Path) -> None:
    file = lowered(Normalised(nn.Linear(32, 8)), tmp_path)
    assert not failed(operator_gates(file, KNOWN))
    for name, failing in (
        ("aten::_upsample_bicubic2d_aa", "operators.forward_s1"),
        ("quantized_decomposed::quantize_per_tensor", "stray.forward_s1"),
    ):
        changed = copy.deepcopy(file)
        changed.program.execution_plan[0].operators[0].name = name
        assert failing in failed(operator_gates(changed, KNOWN))


@pytest.mark.parametrize("kind", [ScalarType.HALF, ScalarType.BFLOAT16])
def test_norms_in_16_bit_are_refused(tmp_path: Path, kind: ScalarType) -> None:
    """The runtime's own LayerNorm is wrong in 16 bit for 256 channels and more."""
    file = lowered(Normalised(nn.Linear(32, 8)), tmp_path)
    for value in file.program.execution_plan[0].values:
        if isinstance(value.val, TensorEntry):
            value.val.scalar_type = kind
    assert failed(operator_gates(file, KNOWN)) == {"norms.forward_s1"}


def test_a_file_larger_than_its_numbers_is_refused() -> None:
    """As where a backend stores int4 in 8 bit."""
    graph = OneLinear(device_linear(nn.Linear(32, 8)))
    linear = nn.Linear(4096, 1024, bias=False)
    grid = GRIDS["8da4w-g32"]
    large = device_linear(FakeQuantLinear(quantize_weight(linear.weight.detach(), grid), None))
    as_int4 = 4096 * 1024 // 2 + 2 * 4096 * 1024 // 32
    assert not failed(size_gates(as_int4 + 100_000, large, methods=1))
    assert failed(size_gates(2 * as_int4, large, methods=1)) == {"size"}
    assert not failed(size_gates(4 * 32 * 8 + 10_000, graph, methods=1))


def test_a_graph_that_computes_something_else_is_found(make_model: Callable[..., VGGT]) -> None:
    model = make_model()
    quantize_rtn(model)
    graph = DeviceVGGT(model, [2], (28, 42), ["camera", "depth"])
    assert not failed(graph_gates(graph, model))
    assert not failed(eager_gates(graph, model))
    changed = copy.deepcopy(model)
    with torch.no_grad():
        changed.camera_head.token_norm.weight.mul_(1.5)
    names = {f"eager.s2.{kind}.pose_enc" for kind in ("pattern", "noise")}
    assert failed(eager_gates(graph, changed)) == names
    # The grids are put back after the weights were looked at without rounding.
    site = model.camera_head.poseLN_modulation[1]
    assert isinstance(site, FakeQuantLinear)
    assert site.grid == GRIDS["8da4w-g32"]
    assert replace(site.grid, activation_bits=None) != site.grid
