"""Every quantization method on one block: exact before rounding, better after training, seeded."""

import copy
import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

import fgq.methods
from fgq.methods import METHODS, BlockData, MethodOptions
from fgq.methods.block import LINEARS
from fgq.methods.fgq import make_learnable as make_fgq
from fgq.methods.fgq import start_clips, transform_of
from fgq.methods.flatquant import make_learnable as make_flatquant
from fgq.methods.training import FLOOR, WARMUP_STEPS, learning_rate, train_block
from fgq.quant import DEVICE_GRID, GRIDS, WIDE_GRID, FakeQuantLinear, QuantizedWeight
from fgq.quant.learnable import LearnableLinear
from fgq.quant.rotation import RotatedLayerNorm
from fgq.vggt.attention import Block, rope_2d

WIDTH, VIEWS, TOKENS = 32, 2, 9
LEARNING = ("flatquant", "quantvggt", "fgq-published", "fgq")


def forward(block: nn.Module, x: Tensor) -> Tensor:
    return block(x.flatten(0, 1), rope_2d(2, 2, 16, 5)).view_as(x)


def make_block(seed: int = 0, width: int = WIDTH) -> Block:
    """Heavy-tailed weights, norms that are not the identity, LayerScale folded away."""
    torch.manual_seed(seed)
    heads = width // 16
    block = Block(width, heads, 2.0, 1.0, qk_norm=True).requires_grad_(False)
    for name, parameter in block.named_parameters():
        if name.endswith("gamma"):
            continue
        parameter.copy_(torch.randn(parameter.shape) * 0.3 + ("norm" in name and "weight" in name))
        if parameter.dim() == 2:
            parameter *= parameter.shape[1] ** -0.5 * (1 + torch.randn_like(parameter).square())
    return block


def make_data(block: Block, clips: int = 4, **changes: Any) -> BlockData:
    """Inputs with a channel that sticks out, and tokens of very different size."""
    generator = torch.Generator().manual_seed(5)
    width = block.norm1.weight.shape[0]
    x = torch.randn(clips, VIEWS, TOKENS, width, generator=generator)
    x[..., 3] *= 15
    x[:, :, 0] *= 4
    inputs = list(x)
    with torch.no_grad():
        targets = [forward(block, x[None])[0] for x in inputs]
    data = BlockData("block", inputs, inputs, targets, forward, weight=torch.ones(width))
    return replace(data, **changes)


def options_of(method: str, grid: str = "w4a4", **changes: Any) -> MethodOptions:
    return replace(METHODS[method][1], **{"grid": GRIDS[grid], "epochs": 8, **changes})


def quantized(method: str, options: MethodOptions, data: BlockData, block: Block) -> Block:
    result = copy.deepcopy(block)
    METHODS[method][0](result, data, options)
    return result


def keep_weight(weight: Tensor, *_: Any, **__: Any) -> QuantizedWeight:
    """Rounds nothing: 'codes' in floating point with a scale of one."""
    return QuantizedWeight(weight, weight.new_ones(len(weight), 1))


def randomize(block: Block, *_: Any) -> None:
    """Stands in for training: parameters somewhere else than at their start."""
    generator = torch.Generator().manual_seed(9)
    seen = {id(p): p for p in block.parameters() if p.requires_grad}
    with torch.no_grad():
        for parameter in seen.values():
            parameter += 0.25 * torch.randn(parameter.shape, generator=generator)


FORMS = [(name, None) for name in METHODS] + [("fgq", form) for form in fgq.methods.TRANSFORMS]


@pytest.mark.parametrize(("method", "form"), FORMS)
@pytest.mark.parametrize("rotated", [False, True])
def test_transformations_leave_the_block_as_it_is(
    method: str, form: Any, rotated: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With rounding taken away, whatever was learned, to 1e-5 in fp32."""
    for module in ("rtn", "quarot"):
        monkeypatch.setattr(f"fgq.methods.{module}.quantize_weight", keep_weight)
    monkeypatch.setattr("fgq.quant.learnable.round_to_scales", keep_weight)
    for module in ("rounding", "compensation"):
        monkeypatch.setattr(f"fgq.methods.{module}.gptq_round", keep_weight)
    for module in ("flatquant", "quantvggt", "fgq"):
        monkeypatch.setattr(f"fgq.methods.{module}.train_block", randomize)
    block = make_block()
    if rotated:  # the norms of a rotated residual stream
        for name, reader in (("norm1", block.attn.qkv), ("norm2", block.mlp.fc1)):
            norm = RotatedLayerNorm(block.get_submodule(name))  # type: ignore[arg-type]
            block.set_submodule(name, norm.requires_grad_(False))
            reader.weight[:, 0] = 0
    data = make_data(block)
    options = replace(METHODS[method][1], grid=GRIDS["w4a16"], transform=form)
    result = quantized(method, options, data, block)
    sites = [module for module in result.modules() if isinstance(module, FakeQuantLinear)]
    assert len(sites) == 4
    for x, target in zip(data.inputs, data.targets, strict=True):
        error = (forward(result, x[None])[0] - target).abs().max()
        assert error <= 1e-5 * target.abs().max()
    changed = method not in ("rtn", "gptq") and form != "none"
    assert changed != torch.equal(result.mlp.fc1.codes.float(), block.mlp.fc1.weight)


class OneDevice(TorchDispatchMode):
    """Fails where tensors of two devices meet, as a GPU would; copies may."""

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        given = (x for x in tree_leaves((args, kwargs or {})) if isinstance(x, Tensor) and x.dim())
        assert len({x.device for x in given}) <= 1 or "copy" in str(func), func
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize(("method", "form"), FORMS)
def test_all_that_is_made_is_where_the_block_is(
    method: str, form: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("methods.rtn", "methods.quarot", "quant.learnable"):
        monkeypatch.setattr(f"fgq.{module}.quantize_weight", keep_weight)
    for module in ("flatquant", "quantvggt", "fgq"):
        monkeypatch.setattr(f"fgq.methods.{module}.train_block", lambda *_: None)
    block = make_block().to("meta")
    x = list(torch.zeros(2, VIEWS, TOKENS, WIDTH, device="meta"))
    weight = torch.ones(WIDTH, device="meta")
    options = options_of(method, transform=form)
    with OneDevice():
        data = BlockData("block", x, x, x, lambda b, x: b(x.flatten(0, 1)).view_as(x), weight)
        result = quantized(method, options, data, block)
        assert data.loss(result, [0, 1]).device.type == "meta"
    assert all(x.device.type == "meta" for x in result.state_dict().values())


@pytest.mark.parametrize("form", ["flatquant", "kronecker", "foldable"])
def test_learned_linears_are_exact_in_double_precision(form: Any) -> None:
    """The whole block, before rounding, to 1e-12."""
    block = make_block()
    data, learned = make_data(block), copy.deepcopy(block)
    options = options_of("flatquant")
    if form == "flatquant":
        make_flatquant(learned, data, options)
    else:
        make_fgq(learned, data, options, form)
    randomize(learned)
    for name in LINEARS:
        linear = learned.get_submodule(name)
        assert isinstance(linear, LearnableLinear)
        assert any(True for _ in linear.parameters())
        learned.set_submodule(name, Exact(linear))
    x = data.inputs[0].double()[None]
    with torch.no_grad():
        expected, actual = (forward(b.double(), x) for b in (block, learned))
    error, size = (actual - expected).abs().max(), expected.abs().max()
    assert error <= 1e-12 * size


class Exact(nn.Module):
    def __init__(self, linear: LearnableLinear) -> None:
        super().__init__()
        self.affine, self.weight, self.bias = linear.transformed(torch.float64)

    def forward(self, x: Tensor) -> Tensor:
        return self.affine.apply(x) @ self.weight.mT + self.bias


@pytest.mark.parametrize("grid", ["w4a4", "8da4w-g32"])
@pytest.mark.parametrize("method", METHODS)
def test_methods_are_seeded_and_finite(method: str, grid: str) -> None:
    block = make_block()
    data = make_data(block)
    results = [quantized(method, options_of(method, grid, seed=s), data, block) for s in (3, 3, 4)]
    for name in LINEARS:
        assert isinstance(results[0].get_submodule(name), FakeQuantLinear), name
    states = [result.state_dict() for result in results]
    assert states[0].keys() == states[1].keys()
    assert all(torch.equal(x, states[1][key]) for key, x in states[0].items())
    assert all(x.isfinite().all() for x in states[0].values())
    seeded = method in ("quarot", "quantvggt", "flatquant", "fgq-published") or (
        method == "fgq" and transform_of(options_of(method, grid)) != "none"
    )
    assert seeded == any(not torch.equal(x, states[2][key]) for key, x in states[0].items())


@pytest.mark.parametrize("grid", ["w4a4", "8da4w-g32"])
@pytest.mark.parametrize("form", ["flatquant", "kronecker", "foldable"])
def test_training_does_not_lose(grid: str, form: Any) -> None:
    block = make_block()
    data, learned = make_data(block), copy.deepcopy(block)
    options = options_of("flatquant", grid, epochs=30)
    if form == "flatquant":
        make_flatquant(learned, data, options)
    else:
        make_fgq(learned, data, options, form)
        start_clips(learned, data)
    start = data.mean_loss(learned)
    told: list[tuple[float, float]] = []
    data = replace(data, progress=lambda done, loss: told.append((done, loss)))
    first, best = train_block(learned, data, options)
    assert first == start
    assert best == data.mean_loss(learned) < first
    done, losses = zip(*told, strict=True)
    assert list(done) == sorted(set(done))
    assert done[0] > 0
    assert done[-1] < 1  # rounding is left
    assert list(losses) == sorted(losses, reverse=True)
    assert losses[-1] == best
    for linear in learned.modules():
        if isinstance(linear, LearnableLinear):
            for clip in map(torch.sigmoid, linear.clips()):
                assert 0.5 < clip.min() <= clip.max() <= 1
            if linear.transform is not None:
                check_inverse(linear)


def check_inverse(linear: LearnableLinear) -> None:
    there, back = linear.transform.affines(torch.float64)  # type: ignore[union-attr]
    for matrix in (there.left, there.right):
        if matrix is not None:
            assert torch.linalg.cond(matrix) <= 1000
    identity = torch.eye(linear.weight.shape[1], dtype=torch.float64)
    product = there.apply(identity) @ back.apply(identity).mT
    torch.testing.assert_close(product, identity, rtol=0, atol=1e-10)
    single, back = (affine.to(torch.float32) for affine in (there, back))
    product = single.apply(identity.float()) @ back.apply(identity.float()).mT
    torch.testing.assert_close(product, identity.float(), rtol=0, atol=1e-5)


def test_what_makes_things_worse_is_thrown_away() -> None:
    block = make_block()
    data, learned = make_data(block), copy.deepcopy(block)
    options = options_of("flatquant", lr=50.0, clip_lr=50.0)
    make_flatquant(learned, data, options)
    before = copy.deepcopy(learned.state_dict())
    first, best = train_block(learned, data, options)
    assert first == best
    assert all(torch.equal(x, before[key]) for key, x in learned.state_dict().items())


@pytest.mark.parametrize("constant", [0.25, 2.0**20])
def test_a_constant_importance_does_not_change_the_result(constant: float) -> None:
    """A power of two, so that no rounding differs: the losses are scaled, nothing else is."""
    block = make_block()
    options = options_of("fgq", weighting="channels")
    weight = torch.rand(TOKENS, WIDTH, generator=torch.Generator().manual_seed(0)) + 0.1
    results = [
        quantized("fgq", options, make_data(block, weight=w), block)
        for w in (weight, constant * weight, weight.flip(1))
    ]
    same, other = results[1].state_dict(), results[2].state_dict()
    state = results[0].state_dict()
    assert all(torch.equal(x, same[key]) for key, x in state.items())
    assert any(not torch.equal(x, other[key]) for key, x in state.items())


def test_the_loss_is_that_of_the_unrotated_weighted_tokens() -> None:
    block = make_block()
    weight = torch.rand(TOKENS, WIDTH) * 2
    q = torch.linalg.qr(torch.randn(WIDTH, WIDTH))[0]
    data = make_data(block, weight=weight)
    other = make_block(1)
    expected = []
    for clip in range(4):
        error = forward(other, data.inputs[clip][None])[0] - data.targets[clip]
        expected.append(
            sum(
                weight[p, c] * error[s, p, c] ** 2
                for s in range(VIEWS)
                for p in range(TOKENS)
                for c in range(WIDTH)
            )
            / error.numel()
        )
    losses = torch.stack(expected)
    torch.testing.assert_close(data.loss(other, [1]), losses[1], rtol=1e-5, atol=0)
    torch.testing.assert_close(data.loss(other, [0, 3]), losses[[0, 3]].mean(), rtol=1e-5, atol=0)
    assert data.mean_loss(other) == pytest.approx(float(losses.mean()), rel=1e-5)

    def turned(module: nn.Module, x: Tensor) -> Tensor:
        return forward(module, x @ q.mT) @ q

    rotated = replace(
        data,
        inputs=[x @ q for x in data.inputs],
        targets=[x @ q for x in data.targets],
        forward=turned,
        rotation=q,
    )
    assert rotated.mean_loss(other) == pytest.approx(data.mean_loss(other), rel=1e-4)


@pytest.mark.parametrize("method", METHODS)
def test_more_bits_lose_less(method: str) -> None:
    block = make_block()
    data = make_data(block)
    losses = [
        data.mean_loss(quantized(method, options_of(method, grid), data, block))
        for grid in ("w4a4", "w4a8", "w8a8")
    ]
    assert losses == sorted(losses, reverse=True)
    assert 0 < losses[2] < 0.05 * losses[0]


def test_methods_improve_on_rounding_to_nearest() -> None:
    block = make_block()
    data = make_data(block)
    loss = {
        method: data.mean_loss(quantized(method, options_of(method), data, block))
        for method in METHODS
    }
    assert loss["quarot"] < loss["rtn"]
    assert loss["gptq"] < loss["rtn"]
    assert max(loss["flatquant"], loss["fgq"]) < 0.8 * loss["rtn"]


def test_device_transformations_leave_nothing_at_run_time() -> None:
    block = make_block()
    data = make_data(block)
    for form, free in (("foldable", True), ("none", True), ("kronecker", False)):
        options = options_of("fgq", "8da4w-g32", transform=form)
        result = quantized("fgq", options, data, block)
        sites = [m for m in result.modules() if isinstance(m, FakeQuantLinear)]
        assert free == all(site.transform is None for site in sites)
        assert all(site.activation_clip is None for site in sites)
    assert transform_of(options_of("fgq", "8da4w-g32")) == "none"
    assert transform_of(options_of("fgq", "w4a4")) == "kronecker"


PLANS = [
    {"attn.qkv": 16},
    {"attn.proj": 16, "mlp.fc2": 8},
    {"attn.qkv": 8, "mlp.fc1": 16},
    dict.fromkeys(LINEARS, 16),
]


@pytest.mark.parametrize("plan", PLANS, ids=str)
@pytest.mark.parametrize("method", METHODS)
def test_plans_are_followed(method: str, plan: dict[str, int]) -> None:
    block = make_block()
    data = make_data(block)
    places = {f"block.{name}": bits for name, bits in plan.items()}
    options = options_of(method, "8da4w-g32", plan=places)
    result = quantized(method, options, data, block)
    for name in LINEARS:
        linear, bits = result.get_submodule(name), plan.get(name, 4)
        if bits == 16:
            assert isinstance(linear, nn.Linear)
        else:
            assert isinstance(linear, FakeQuantLinear)
            assert linear.grid == {4: DEVICE_GRID, 8: WIDE_GRID}[bits]
    loss = data.mean_loss(result)
    assert math.isfinite(loss)
    if len(plan) == 4:
        exact = sum(float(target.square().mean()) for target in data.targets)
        assert loss < 1e-10 * exact


def test_a_plan_means_bits_whatever_the_grid() -> None:
    options = options_of("rtn", "w8a8", plan={"a": 4, "b": 8, "c": 16})
    grids = [options.grid_of(name) for name in "abcd"]
    assert grids == [DEVICE_GRID, GRIDS["w8a8"], None, GRIDS["w8a8"]]


@pytest.mark.parametrize("method", METHODS)
def test_linears_that_do_not_fit_stay_as_they_are(method: str) -> None:
    """Width 48 has no groups of 32, the hidden width 96 has."""
    block = make_block(width=48)
    data = make_data(block)
    result = quantized(method, options_of(method, "8da4w-g32"), data, block)
    kinds = [type(result.get_submodule(name)) for name in LINEARS]
    assert kinds == [nn.Linear, nn.Linear, nn.Linear, FakeQuantLinear]


@pytest.mark.parametrize("method", LEARNING)
def test_a_block_that_loses_nothing_is_no_trouble(method: str) -> None:
    """All zero: the loss is zero from the start."""
    block = make_block()
    for name in LINEARS:
        block.get_submodule(name).weight.zero_()  # type: ignore[operator]
    data = make_data(block)
    result = quantized(method, options_of(method), data, block)
    assert data.mean_loss(result) == 0


def test_a_loss_that_is_not_finite_is_refused() -> None:
    block = make_block()
    data = make_data(block)
    data.inputs[1][0, 0, 0] = float("inf")
    learned = copy.deepcopy(block)
    make_flatquant(learned, make_data(block), options_of("flatquant"))
    with pytest.raises(ValueError, match="block: the calibration loss is not finite"):
        train_block(learned, data, options_of("flatquant"))


def test_options_that_cannot_be_are_refused() -> None:
    for message, wrong in (
        ("one clip at least", {"batch": 0}),
        ("one clip at least", {"epochs": -1}),
        ("negative", {"lr": -0.1}),
        ("negative", {"clip_lr": float("inf")}),
    ):
        with pytest.raises(ValueError, match=message):
            MethodOptions(**wrong)  # type: ignore[arg-type]


def test_learning_rate_warms_up_and_falls() -> None:
    rates = [learning_rate(step, 480) for step in range(480)]
    top = rates.index(max(rates))
    assert 0 < rates[0] < 0.011
    assert top == WARMUP_STEPS
    assert rates[:top] == sorted(rates[:top])
    assert rates[top:] == sorted(rates[top:], reverse=True)
    assert FLOOR <= rates[-1] < 2 * FLOOR
    assert rates[240] == pytest.approx(0.5, abs=0.01)


def test_a_grid_without_clips_of_inputs() -> None:
    """Only weights are clipped on the device's grid: nothing else may be at the rate of clips."""
    block = make_block()
    make_flatquant(block, make_data(block), options_of("flatquant", "8da4w-g32"))
    for linear in block.modules():
        if isinstance(linear, LearnableLinear):
            assert [id(p) for p in linear.clips()] == [id(linear.weight_clip)]
