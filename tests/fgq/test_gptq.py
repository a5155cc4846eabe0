"""GPTQ rounding against least squares by other means."""

import itertools

import pytest
import torch
from torch import Tensor, nn

from fgq.methods import rounding
from fgq.methods.block import BlockData, MethodOptions
from fgq.methods.gptq import quantize_gptq
from fgq.methods.rounding import DAMPING, gptq_round, input_moments
from fgq.quant import DEVICE_GRID, GRIDS, Grid, fake_quantize_tokens, round_to_scales
from fgq.quant.grids import absmax_scales
from fgq.quant.hadamard import hadamard
from fgq.quant.learnable import LearnableLinear, LearnableMatrix, LearnableTransform
from fgq.vggt.attention import Block


def correlated_inputs(tokens: int, width: int, seed: int = 0) -> Tensor:
    """fp64 [T, K]: a few directions and columns have most of the energy."""
    generator = torch.Generator().manual_seed(seed)
    mix = torch.randn(width, width, generator=generator) * torch.logspace(0, -1.5, width)[:, None]
    x = torch.randn(tokens, width, generator=generator) @ mix
    return (x * torch.logspace(0.5, -0.5, width)).double()


def heavy_weight(rows: int, width: int, seed: int = 1) -> Tensor:
    normal = torch.randn(rows, width, generator=torch.Generator().manual_seed(seed))
    return normal * (1 + normal.roll(1).abs() ** 2)


def output_error(weight: Tensor, value: Tensor, x: Tensor) -> Tensor:
    """||X (W - Q)^T||^2 of every output, fp64 [N]."""
    return (x @ (weight.double() - value.double()).mT).square().sum(0)


@pytest.mark.parametrize("name", ["8da4w-g32", "w4a4", "w8a8"])
def test_errors_make_up_for_each_other(name: str) -> None:
    grid, x, weight = GRIDS[name], correlated_inputs(500, 96), heavy_weight(40, 96)
    scales = absmax_scales(weight, grid=grid)
    nearest = round_to_scales(weight, scales, grid)
    rounded = gptq_round(weight, scales, x.mT @ x, grid)
    assert torch.equal(rounded.scales, nearest.scales)
    assert rounded.codes.dtype == torch.int8
    assert grid.code_range[0] <= rounded.codes.min()
    assert rounded.codes.max() <= grid.code_range[1]
    before = output_error(weight, nearest.dequantize(), x)
    after = output_error(weight, rounded.dequantize(), x)
    assert after.sum() < 0.6 * before.sum()
    assert (after < before).float().mean() > 0.9
    # The weight itself gets worse: it is the output that counts.
    assert (rounded.dequantize() - weight).norm() > (nearest.dequantize() - weight).norm()
    # So it does on inputs that were not seen, of the same kind.
    fresh = torch.cat((x[1:], x[:1])) + 0.3 * x.roll(7, 0)
    before = output_error(weight, nearest.dequantize(), fresh)
    assert output_error(weight, rounded.dequantize(), fresh).sum() < before.sum()


@pytest.mark.parametrize("name", ["8da4w-g32", "w4a4"])
def test_independent_inputs_leave_the_nearest_codes(name: str) -> None:
    grid, weight = GRIDS[name], heavy_weight(10, 64)
    scales = absmax_scales(weight, 0.8, grid)
    rounded = gptq_round(weight, scales, torch.eye(64).double() * 37.0, grid)
    assert torch.equal(rounded.codes, round_to_scales(weight, scales, grid).codes)


def greedy(weight: Tensor, scales: Tensor, moments: Tensor, grid: Grid) -> list[int]:
    """Codes of one row: each column to the nearest, then all that are left to their least squares,
    found by solving anew each time."""
    width = len(weight)
    moments = moments + DAMPING * moments.diagonal().mean() * torch.eye(width)
    current, codes = weight.double().clone(), [0] * width
    order = moments.diagonal().argsort(descending=True).tolist()
    low, high = grid.code_range
    for position, column in enumerate(order):
        step = float(scales.reshape(-1)[column * scales.numel() // width])
        codes[column] = max(low, min(high, round(float(current[column]) / step)))
        current[column] = codes[column] * step
        rest = order[position + 1 :]
        if rest:
            done = order[: position + 1]
            error = (current - weight.double())[done]
            change = torch.linalg.solve(moments[rest][:, rest], moments[rest][:, done] @ error)
            current[rest] = weight.double()[rest] - change
    return codes


@pytest.mark.parametrize("seed", range(5))
def test_small_problems_step_by_step(seed: int) -> None:
    x, grid = correlated_inputs(50, 3, seed), Grid("three", 3, None, None)
    x[:, 1] += 0.9 * x[:, 0]
    weight = torch.randn(20, 3, generator=torch.Generator().manual_seed(seed))
    scales, moments = absmax_scales(weight, grid=grid), x.mT @ x
    rounded = gptq_round(weight, scales, moments, grid)
    expected = [greedy(w, s, moments, grid) for w, s in zip(weight, scales, strict=True)]
    assert rounded.codes.tolist() == expected


@pytest.mark.parametrize("seed", range(3))
def test_the_last_column_is_the_best_of_all_codes(seed: int) -> None:
    """Of two columns the first is rounded to the nearest; then every code of the other is tried."""
    x, grid = correlated_inputs(50, 2, seed), Grid("one", 4, None, None)
    x[:, 1] += 2 * x[:, 0]
    weight = torch.randn(30, 2, generator=torch.Generator().manual_seed(seed)).double()
    scales, moments = absmax_scales(weight, grid=grid), x.mT @ x
    damped = moments + DAMPING * moments.diagonal().mean() * torch.eye(2)
    rounded = gptq_round(weight, scales, moments, grid)
    first = int(moments.diagonal().argmax())
    for row, step, codes in zip(weight, scales.double(), rounded.codes, strict=True):
        assert codes[first] == round(float(row[first] / step))
        errors = {}
        for code in range(-8, 8):
            candidate = codes.double()
            candidate[1 - first] = code
            error = candidate * step - row
            errors[code] = float(error @ damped @ error)
        assert min(errors, key=lambda code: errors[code]) == codes[1 - first]


def test_it_is_near_the_best_of_all_roundings() -> None:
    """Over all 8^3 codes of a row: never better, and on average far nearer than the nearest."""
    grid, lost = Grid("three", 3, None, None), torch.zeros(3)
    for seed in range(6):
        x = correlated_inputs(40, 3, seed)
        x[:, 2] += x[:, 1]
        weight = torch.randn(4, 3, generator=torch.Generator().manual_seed(seed)).double()
        scales, moments = absmax_scales(weight, grid=grid), x.mT @ x
        every = torch.tensor(list(itertools.product(range(-4, 4), repeat=3))).double()
        damped = moments + DAMPING * moments.diagonal().mean() * torch.eye(3)

        def loss(value: Tensor, weight: Tensor = weight, damped: Tensor = damped) -> Tensor:
            error = value.double() - weight
            return torch.einsum("...i,ij,...j->...", error, damped, error)

        best = loss(every[:, None] * scales.double()).amin(0)
        ours = loss(gptq_round(weight, scales, moments, grid).dequantize(torch.float64))
        nearest = loss(round_to_scales(weight, scales, grid).dequantize(torch.float64))
        assert (ours >= best - 1e-9).all()
        lost += torch.stack((best.sum(), ours.sum(), nearest.sum())).float()
    assert lost[1] < 0.5 * (lost[0] + lost[2])


def test_panels_are_only_a_matter_of_speed(monkeypatch: pytest.MonkeyPatch) -> None:
    x, weight = correlated_inputs(300, 64), heavy_weight(10, 64)
    scales = absmax_scales(weight)
    whole = gptq_round(weight, scales, x.mT @ x, DEVICE_GRID)
    for panel in (1, 7, 64):
        monkeypatch.setattr(rounding, "PANEL", panel)
        assert torch.equal(gptq_round(weight, scales, x.mT @ x, DEVICE_GRID).codes, whole.codes)


def test_columns_without_input_do_no_harm() -> None:
    x, weight = correlated_inputs(300, 64), heavy_weight(10, 64)
    x[:, 5:9] = 0
    scales = absmax_scales(weight)
    rounded = gptq_round(weight, scales, x.mT @ x, DEVICE_GRID)
    nearest = round_to_scales(weight, scales)
    assert torch.equal(rounded.codes[:, 5:9], nearest.codes[:, 5:9])
    before = output_error(weight, nearest.dequantize(), x).sum()
    assert output_error(weight, rounded.dequantize(), x).sum() < before
    zero = gptq_round(weight, scales, torch.zeros(64, 64).double(), DEVICE_GRID)
    assert torch.equal(zero.codes, nearest.codes)


def test_more_bits_lose_less() -> None:
    x, weight = correlated_inputs(300, 64), heavy_weight(10, 64)
    errors = []
    for bits in range(2, 9):
        grid = Grid("some", bits, 32, None)
        rounded = gptq_round(weight, absmax_scales(weight, grid=grid), x.mT @ x, grid)
        errors.append(float(output_error(weight, rounded.dequantize(), x).sum()))
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 1e-3 * errors[0]


@pytest.fixture
def data() -> BlockData:
    torch.manual_seed(0)
    inputs = list(torch.randn(3, 2, 5, 16))
    return BlockData(
        "block",
        inputs,
        full_inputs=inputs,
        targets=inputs,
        forward=lambda block, x: block(x.flatten(0, 1)).view_as(x),
        weight=torch.ones(16),
    )


@pytest.mark.parametrize("weighted", [False, True])
def test_moments_are_of_what_the_weight_is_multiplied_with(data: BlockData, weighted: bool) -> None:
    torch.manual_seed(1)
    block = Block(16, 2, 2.0, 0.5).requires_grad_(False)
    grid = GRIDS["w4a4"]
    matrix = LearnableMatrix(hadamard(4), torch.Generator().manual_seed(0), mixing=0.3)
    transform = LearnableTransform(torch.rand(16) + 0.5, matrix, matrix)
    block.set_submodule("attn.qkv", LearnableLinear(block.attn.qkv, grid, transform))
    importance = torch.tensor([3.0, 0.5, 0.5, 0.5, 0.5])
    if weighted:
        data.token_importance["attn.qkv"] = importance
    found = input_moments(block, data)
    assert set(found) == {"attn.qkv"}  # the others stay in floating point
    seen = torch.cat([block.norm1(x) for x in data.inputs])
    affine, _ = transform.affines()
    dense = affine.diagonal.diag() @ torch.kron(affine.left, affine.right)  # type: ignore
    clip = torch.sigmoid(block.attn.qkv.activation_clip)
    rows = fake_quantize_tokens(seen @ dense, grid, clip).double()
    counts = importance if weighted else torch.ones(5)
    expected = torch.einsum("spk,spl,p->kl", rows, rows, counts.double())
    torch.testing.assert_close(found["attn.qkv"], expected, rtol=1e-5, atol=1e-5)


def test_important_tokens_are_rounded_for(data: BlockData) -> None:
    """Per linear the error on the token that counts is less, that on the others more."""
    torch.manual_seed(1)
    plain = Block(16, 2, 2.0, 0.5).requires_grad_(False)
    options = MethodOptions(grid=Grid("three", 3, None, None), rounding="gptq")
    errors = {}
    for kind, importance in (("even", None), ("first", torch.tensor([50.0, 0.1, 0.1, 0.1, 0.1]))):
        block = Block(16, 2, 2.0, 0.5).requires_grad_(False)
        block.load_state_dict(plain.state_dict())
        if importance is not None:
            data.token_importance.update(dict.fromkeys(("attn.qkv", "mlp.fc1"), importance))
        quantize_gptq(block, data, options)
        x = torch.cat([plain.norm1(x) for x in data.inputs])
        error = (block.attn.qkv(x) - plain.attn.qkv(x)).square().mean((0, 2))
        errors[kind] = error[0], error[1:].mean()
    assert errors["first"][0] < 0.8 * errors["even"][0]
    assert errors["first"][1] > errors["even"][1]


def test_nothing_is_clipped_or_transformed(data: BlockData) -> None:
    block = Block(16, 2, 2.0, 0.5).requires_grad_(False)
    norm = block.norm1.weight.clone()
    quantize_gptq(block, data, MethodOptions(grid=GRIDS["w4a4"], rounding="gptq"))
    for linear in (block.attn.qkv, block.attn.proj, block.mlp.fc1, block.mlp.fc2):
        assert not isinstance(linear, nn.Linear | LearnableLinear)
        assert linear.transform is None
        assert linear.activation_clip is None
    assert torch.equal(block.norm1.weight, norm)
