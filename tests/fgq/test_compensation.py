"""Rounding that makes up for the drift of its inputs."""

import copy
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from fgq.methods import METHODS, BlockData, MethodOptions
from fgq.methods.block import LINEARS
from fgq.methods.compensation import drift_statistics, freeze_compensated
from fgq.methods.rounding import freeze_block
from fgq.methods.training import learn_linears
from fgq.quant import DEVICE_GRID, FakeQuantLinear, Grid
from fgq.vggt.attention import Block

WIDTH, VIEWS, TOKENS, CLIPS = 32, 2, 9, 24
FINE = Grid("fine", 8, 32, None)
IMPORTANCE = torch.tensor([4.0, 2.0, *[0.5] * 7])


@pytest.fixture
def block() -> Block:
    torch.manual_seed(0)
    block = Block(WIDTH, 2, 2.0, 1.0).requires_grad_(False)
    for parameter in block.parameters():
        if parameter.dim() == 2:
            parameter.mul_(2)
    return block


@pytest.fixture
def data(block: Block) -> BlockData:
    """Clips whose tokens have drifted: turned a little, moved all the same way, and noise."""
    generator = torch.Generator().manual_seed(1)

    def normal(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator)

    full = normal(CLIPS, VIEWS, TOKENS, WIDTH)
    drifted = full @ (torch.eye(WIDTH) + 0.03 * normal(WIDTH, WIDTH)) + 0.1 * normal(WIDTH)
    drifted += 0.02 * normal(*full.shape)

    def forward(block: nn.Module, x: Tensor) -> Tensor:
        return block(x.flatten(0, 1)).view_as(x)

    targets = [forward(block, x[None])[0] for x in full]
    return BlockData(
        "block",
        list(drifted),
        list(full),
        targets,
        forward,
        weight=IMPORTANCE[:, None].expand(-1, WIDTH),
        token_importance=dict.fromkeys(LINEARS, IMPORTANCE),
    )


def learnable(block: Block, data: BlockData, grid: Grid = DEVICE_GRID) -> Block:
    result = copy.deepcopy(block)
    options = MethodOptions(grid=grid, rounding="gptq")
    learn_linears(result, data, options, lambda name, linear: None, clip_inputs=False)
    return result


def compensated(block: Block, data: BlockData, grid: Grid = DEVICE_GRID) -> Block:
    result = learnable(block, data, grid)
    freeze_compensated(result, block, data)
    return result


def test_statistics_are_weighted_means_and_covariances(block: Block, data: BlockData) -> None:
    learned = learnable(block, data, FINE)
    drifted, full = torch.stack(data.inputs), torch.stack(data.full_inputs)
    found = drift_statistics(learned, block, data, "attn.qkv")
    rows = torch.cat([block.norm1(x).reshape(-1, WIDTH) for x in (drifted, full)], 1).double()
    counts = IMPORTANCE.double().repeat(CLIPS * VIEWS)
    mean = (rows * counts[:, None]).sum(0) / counts.sum()
    covariance = ((rows - mean) * counts[:, None]).mT @ (rows - mean) / counts.sum()
    close = {"rtol": 1e-4, "atol": 1e-6}
    torch.testing.assert_close(torch.cat((found.x, found.z)), mean, **close)
    torch.testing.assert_close(found.xx, covariance[:WIDTH, :WIDTH], **close)
    torch.testing.assert_close(found.zx, covariance[WIDTH:, :WIDTH], **close)
    assert not found.r.any()
    assert not found.rx.any()
    # What is added to the stream is to bring what the stream lacks.
    found = drift_statistics(learned, block, data, "attn.proj")
    lack = ((full - drifted).flatten(0, 2).double() * counts[:, None]).sum(0) / counts.sum()
    torch.testing.assert_close(found.r, lack, **close)
    assert found.rx.any()


@pytest.mark.parametrize("grid", [DEVICE_GRID, FINE], ids=lambda grid: grid.name)
def test_drift_is_made_up_for(block: Block, data: BlockData, grid: Grid) -> None:
    """Also on clips that were not seen, and for the mean of the block's output most of all."""
    seen = {"inputs": data.inputs[::2], "full_inputs": data.full_inputs[::2]}
    half = replace(data, **seen, targets=data.targets[::2])
    fresh = replace(data, inputs=data.inputs[1::2], targets=data.targets[1::2])
    plain = learnable(block, half, grid)
    freeze_block(plain, half, MethodOptions(grid=grid, rounding="gptq"))
    ours = compensated(block, half, grid)
    assert fresh.mean_loss(ours) < 0.6 * fresh.mean_loss(plain)

    def mean_error(candidate: Block) -> Tensor:
        pairs = zip(half.inputs, half.targets, strict=True)
        errors = torch.stack([half.forward(candidate, x[None])[0] - y for x, y in pairs])
        return (errors * IMPORTANCE[:, None]).mean((0, 1, 2)).norm()

    assert mean_error(ours) < 1e-5 < 1e-2 < mean_error(plain)


def test_nothing_changes_where_nothing_is_lost(block: Block, data: BlockData) -> None:
    """Without drift, weights of few bits that are on the grid already stay as they are."""
    for name in LINEARS:
        weight = block.get_submodule(name).weight
        assert isinstance(weight, Tensor)
        codes = torch.randint(-7, 8, weight.shape, generator=torch.Generator().manual_seed(2))
        codes[:, ::32] = 7
        weight.copy_(codes / 64)
    grid = replace(DEVICE_GRID, activation_bits=None)
    result = compensated(block, replace(data, inputs=data.full_inputs), grid)
    for name in LINEARS:
        before, after = block.get_submodule(name), result.get_submodule(name)
        assert isinstance(after, FakeQuantLinear)
        torch.testing.assert_close(after.quantized_weight.dequantize(), before.weight)
        torch.testing.assert_close(after.bias, before.bias, rtol=0, atol=1e-5)


@pytest.mark.parametrize(("changes", "expected"), [({}, True), ({"rounding": "nearest"}, False)])
def test_fgq_compensates_where_nothing_is_learned(
    changes: dict[str, str], expected: bool, block: Block, data: BlockData
) -> None:
    quantize, defaults = METHODS["fgq"]
    result = copy.deepcopy(block)
    quantize(result, data, replace(defaults, grid=DEVICE_GRID, **changes))  # type: ignore[arg-type]
    direct = compensated(block, data).state_dict()
    same = all(torch.equal(x, direct[name]) for name, x in result.state_dict().items())
    assert same == expected


def test_linears_that_stay_in_floating_point_are_left_alone(block: Block, data: BlockData) -> None:
    learned = learnable(block, data)
    learned.attn.proj = copy.deepcopy(block.attn.proj)
    freeze_compensated(learned, block, data)
    assert isinstance(learned.attn.proj, nn.Linear)
    assert torch.equal(learned.attn.proj.weight, block.attn.proj.weight)
    assert isinstance(learned.mlp.fc2, FakeQuantLinear)
