"""Weights, predicted losses and intervals made of Fisher information."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from fgq.fisher import (
    block_intervals,
    channel_weights,
    predicted_loss,
    share_intervals,
    token_channel_weights,
)

TOKENS = torch.tensor([4.0, 16.0, 768.0])


@pytest.fixture
def blocks() -> Tensor:
    """[3, 4, 3, 16] over many orders of magnitude."""
    generator = torch.Generator().manual_seed(0)
    return torch.exp(3 * torch.randn(3, 4, 3, 16, generator=generator))


def test_channel_weights_by_hand(blocks: Tensor) -> None:
    weights = channel_weights(blocks, floor=0.01)
    summed = blocks.sum(2).double().numpy()
    for block in range(4):
        score = sum(summed[k, block] / summed[k].mean() for k in range(3))
        expected = np.maximum(score / score.mean(), 0.01)
        np.testing.assert_allclose(weights[block].numpy(), expected, rtol=1e-5)
    assert (weights == 0.01).any()


def test_weights_have_mean_one_before_and_a_least_value_after_the_floor(blocks: Tensor) -> None:
    torch.testing.assert_close(channel_weights(blocks, floor=0).mean(1), torch.ones(4))
    per_token = token_channel_weights(blocks, TOKENS, floor=0)
    mean = (per_token * TOKENS[:, None]).sum((1, 2)) / (TOKENS.sum() * 16)
    torch.testing.assert_close(mean, torch.ones(4))
    assert channel_weights(blocks).min() == pytest.approx(0.01)
    assert token_channel_weights(blocks, TOKENS).min() == pytest.approx(0.01)


@pytest.mark.parametrize("task", range(3))
def test_the_unit_of_a_task_does_not_matter(blocks: Tensor, task: int) -> None:
    scaled = blocks.clone()
    scaled[task] *= 1e6
    torch.testing.assert_close(channel_weights(scaled), channel_weights(blocks))
    torch.testing.assert_close(
        token_channel_weights(scaled, TOKENS), token_channel_weights(blocks, TOKENS)
    )


def test_weighted_token_errors_are_the_predicted_loss(blocks: Tensor) -> None:
    """For a single task the weighted sum over tokens is proportional to equation 9."""
    error = torch.rand(4, 3, 16)
    weights = token_channel_weights(blocks[:1], TOKENS, floor=0)
    ratio = (weights * TOKENS[:, None] * error).sum((1, 2)) / predicted_loss(blocks[0], error)
    reference = blocks[0].sum((1, 2)) / (TOKENS.sum() * 16)
    torch.testing.assert_close(ratio * reference, torch.full((4,), 2.0))


def test_weights_of_what_nothing_depends_on(blocks: Tensor) -> None:
    partly = blocks.clone()
    partly[:, 2] = 0
    assert channel_weights(partly)[2].tolist() == [1.0] * 16
    assert token_channel_weights(partly, TOKENS)[2].unique().tolist() == [1.0]
    no_registers = blocks.clone()
    no_registers[:, :, 1] = 0
    weights = token_channel_weights(no_registers, torch.tensor([4.0, 0.0, 768.0]))
    assert weights.isfinite().all()
    with pytest.raises(ValueError, match="zero for every task"):
        channel_weights(torch.zeros_like(blocks))


def test_predicted_loss_by_hand() -> None:
    fisher = torch.rand(3, 5, 3, 2)
    error = torch.rand(5, 3, 2)
    expected = 0
    for group in range(3):
        for channel in range(2):
            expected += fisher[1, 4, group, channel] * error[4, group, channel] / 2
    assert predicted_loss(fisher, error).shape == (3, 5)
    torch.testing.assert_close(predicted_loss(fisher, error)[1, 4], expected)


def test_intervals_cover_the_mean_as_often_as_they_say() -> None:
    """Gaussian energies: the interval is the mean +- 1.96 standard errors, and covers the truth in
    about 95 of 100 repetitions."""
    generator = torch.Generator().manual_seed(0)
    energies = 10 + torch.randn(64, 3, 50, 1, generator=generator) / math.sqrt(3)
    per_clip = energies.expand(-1, -1, -1, 3) / 3
    low, high = block_intervals(per_clip, seed=0)
    assert low.shape == high.shape == (3, 50)
    covered = ((low < 10) & (high > 10)).double().mean().item()
    assert covered == pytest.approx(0.95, abs=0.05)
    error = energies[..., 0].std(0) / 8
    torch.testing.assert_close(
        (high - low).mean(), (2 * 1.96 * error).mean().double(), rtol=0.05, atol=0
    )
    assert torch.equal(block_intervals(per_clip, seed=0)[0], low)
    assert not torch.equal(block_intervals(per_clip, seed=1)[0], low)


def test_shares_do_not_depend_on_how_much_a_clip_weighs() -> None:
    per_clip = torch.rand(1, 3, 4, 3).expand(9, -1, -1, -1) * torch.rand(9, 1, 1, 1)
    low, high = share_intervals(per_clip, seed=0)
    torch.testing.assert_close(low, high)
    torch.testing.assert_close(low.sum(1), torch.ones(3).double())
    assert (block_intervals(per_clip, seed=0)[0] < block_intervals(per_clip, seed=0)[1]).all()
