"""Weights of errors from Fisher information, on hand-made tables."""

from typing import Any

import pytest
import torch
from torch import Tensor

from fgq.fisher import Fisher, block_names
from fgq.importance import FLOOR, block_weight, check_fisher, token_importance
from fgq.methods.block import LINEARS, MethodOptions
from fgq.vggt import VGGT, VGGTConfig

DEPTH, WIDTH, REGISTERS, PATCHES, VIEWS = 2, 8, 2, 6, 3
TOKENS = 1 + REGISTERS + PATCHES
NAME = "aggregator.global_blocks.0"


def make_fisher(seed: int = 0, **changes: Any) -> Fisher:
    generator = torch.Generator().manual_seed(seed)

    def energies(*shape: int) -> Tensor:
        return torch.rand(shape, generator=generator) ** 4

    names = [
        *block_names(DEPTH),
        "aggregator.patch_embed.blocks.0",
        "camera_head.trunk.0",
    ]
    values = {
        "blocks": energies(3, 2 * DEPTH, 3, WIDTH),
        "linears": {f"{name}.{linear}": energies(3, 3, 12) for name in names for linear in LINEARS},
        "per_clip": energies(4, 3, 2 * DEPTH, 3),
        "tokens": torch.tensor([VIEWS, VIEWS * REGISTERS, VIEWS * PATCHES]).float(),
        "manifest": {},
    }
    return Fisher(**{**values, **changes})


def options(weighting: Any, **changes: Any) -> MethodOptions:
    return MethodOptions(weighting=weighting, **changes)


@pytest.mark.parametrize("weighting", ["channels", "tokens"])
def test_weights_by_hand(weighting: str) -> None:
    fisher, index = make_fisher(), block_names(DEPTH).index(NAME)
    weight = block_weight(fisher, NAME, options(weighting), TOKENS, WIDTH)
    assert weight.shape == ((WIDTH,) if weighting == "channels" else (TOKENS, WIDTH))
    # Equations 12 to 15, entry by entry.
    groups = [0] + [1] * REGISTERS + [2] * PATCHES
    score = torch.zeros(TOKENS, WIDTH, dtype=torch.float64)
    for task in fisher.blocks.double():
        mean = task.sum(1).mean()
        for p, group in enumerate(groups):
            score[p] += task[index, group] / mean / (VIEWS * groups.count(group))
    if weighting == "channels":
        score = score.sum(0)
    expected = (score / score.mean()).clamp(min=FLOOR).float()
    torch.testing.assert_close(weight, expected, rtol=1e-5, atol=1e-7)
    assert weight.min() >= FLOOR
    assert weight.mean() == pytest.approx(1, abs=FLOOR)


def test_small_weights_are_raised() -> None:
    blocks = make_fisher().blocks.clone()
    blocks[:, 1, :, 3] = 0
    for weighting in ("channels", "tokens"):
        weight = block_weight(make_fisher(blocks=blocks), NAME, options(weighting), TOKENS, WIDTH)
        assert (weight[..., 3] == FLOOR).all()


def test_ones_where_nothing_is_known() -> None:
    fisher = make_fisher()
    for given, name, weighting in (
        (None, NAME, "none"),
        (fisher, NAME, "none"),
        (fisher, "camera_head.trunk.0", "tokens"),
        (fisher, "aggregator.patch_embed.blocks.0", "channels"),
    ):
        weight = block_weight(given, name, options(weighting), TOKENS, WIDTH)
        assert torch.equal(weight, torch.ones(WIDTH))


@pytest.mark.parametrize("weighting", ["channels", "tokens"])
def test_permuted_weights_are_the_same_in_another_order(weighting: str) -> None:
    fisher = make_fisher()

    def weight(name: str = NAME, **changes: Any) -> Tensor:
        return block_weight(fisher, name, options(weighting, **changes), TOKENS, WIDTH)

    plain, permuted = weight(), weight(permuted=True)
    assert torch.equal(plain.flatten().sort()[0], permuted.flatten().sort()[0])
    assert not torch.equal(plain, permuted)
    assert torch.equal(permuted, weight(permuted=True))
    assert not torch.equal(permuted, weight(permuted=True, seed=1))


def test_order_is_another_in_every_block() -> None:
    blocks = torch.arange(1.0, WIDTH + 1).expand(3, 2 * DEPTH, 3, WIDTH)
    fisher = make_fisher(blocks=blocks)
    weights = {
        tuple(block_weight(fisher, name, options("channels", permuted=True), 9, WIDTH).tolist())
        for name in block_names(DEPTH)
    }
    assert len(weights) == 2 * DEPTH


def test_how_much_a_task_or_a_block_counts_in_all_is_of_no_account() -> None:
    """A task's units cancel; with one task, so does how sensitive a block is."""
    fisher = make_fisher()
    for weighting in ("channels", "tokens"):
        plain = block_weight(fisher, NAME, options(weighting), TOKENS, WIDTH)
        units = torch.tensor([1e3, 1.0, 1e-4]).view(3, 1, 1, 1)
        scaled = make_fisher(blocks=fisher.blocks * units)
        same = block_weight(scaled, NAME, options(weighting), TOKENS, WIDTH)
        torch.testing.assert_close(same, plain, rtol=1e-5, atol=0)

        single = fisher.blocks * torch.tensor([0.0, 1.0, 0.0]).view(3, 1, 1, 1)
        louder = single.clone()
        louder[:, 1] *= 64
        one, other = (
            block_weight(make_fisher(blocks=b), NAME, options(weighting), TOKENS, WIDTH)
            for b in (single, louder)
        )
        torch.testing.assert_close(one, other, rtol=1e-5, atol=0)


def test_importance_of_tokens_by_hand() -> None:
    fisher = make_fisher()
    found = token_importance(fisher, NAME, options("tokens"), TOKENS)
    assert set(found) == set(LINEARS)
    task_means = [float(task.sum(1).mean()) for task in fisher.blocks]
    for linear, importance in found.items():
        energy = fisher.linears[f"{NAME}.{linear}"]
        groups = [
            sum(float(energy[k, g].sum()) / task_means[k] for k in range(3)) / (VIEWS * count)
            for g, count in enumerate((1, REGISTERS, PATCHES))
        ]
        expected = torch.tensor([groups[0]] + [groups[1]] * REGISTERS + [groups[2]] * PATCHES)
        torch.testing.assert_close(importance, expected / expected.mean(), rtol=1e-5, atol=0)


def test_tokens_of_another_image_size() -> None:
    """Each patch counts as it did, however many there are."""
    fisher = make_fisher()
    few = token_importance(fisher, NAME, options("tokens"), TOKENS)["mlp.fc1"]
    many = token_importance(fisher, NAME, options("tokens"), TOKENS + 20)["mlp.fc1"]
    torch.testing.assert_close(many[0] / many[-1], few[0] / few[-1])
    assert (many[1 + REGISTERS :] == many[-1]).all()
    assert many.mean() == pytest.approx(1, abs=1e-5)


def test_importance_of_tokens_only_where_it_is_asked_for_and_known() -> None:
    fisher = make_fisher()
    assert token_importance(fisher, NAME, options("channels"), TOKENS) == {}
    assert token_importance(None, NAME, options("none"), TOKENS) == {}
    # Every row of the camera head is the token of a view: none is more important.
    assert token_importance(fisher, "camera_head.trunk.0", options("tokens"), VIEWS) == {}
    embedder = "aggregator.patch_embed.blocks.0"
    assert set(token_importance(fisher, embedder, options("tokens"), TOKENS)) == set(LINEARS)
    silent = {name: torch.zeros_like(x) for name, x in fisher.linears.items()}
    assert token_importance(make_fisher(linears=silent), NAME, options("tokens"), TOKENS) == {}


def test_importance_of_tokens_is_permuted_with_the_rest() -> None:
    fisher = make_fisher()
    plain = token_importance(fisher, NAME, options("tokens"), TOKENS)
    permuted = token_importance(fisher, NAME, options("tokens", permuted=True), TOKENS)
    for linear in LINEARS:
        assert torch.equal(plain[linear].sort()[0], permuted[linear].sort()[0])
    assert any(not torch.equal(plain[linear], permuted[linear]) for linear in LINEARS)


@pytest.fixture(scope="module")
def model() -> VGGT:
    config = VGGTConfig(
        embed_dim=WIDTH,
        depth=DEPTH,
        num_heads=2,
        patch_embed="conv",
        patch_embed_heads=2,
        num_register_tokens=REGISTERS,
        camera_trunk_depth=1,
        camera_trunk_heads=2,
        dpt_features=8,
        dpt_out_channels=(4, 4, 4, 4),
        dpt_layers=(0, 0, 1, 1),
    )
    return VGGT(config)


def test_fisher_of_another_network_is_refused(model: VGGT) -> None:
    fitting = {
        name: torch.zeros(3, 3, module.out_features)
        for name, module in model.named_modules()
        if isinstance(module, torch.nn.Linear)
    }
    fitting["aggregator.elsewhere"] = torch.zeros(3, 3, 5)
    check_fisher(make_fisher(linears=fitting), model)
    # Means over clips need not be whole numbers.
    uneven = torch.tensor([3.5, 3.5 * REGISTERS, 21])
    check_fisher(make_fisher(linears=fitting, tokens=uneven), model)
    blocks = make_fisher().blocks
    wrong = {
        "2 blocks, this one has 4": {"blocks": blocks[:, :2]},
        "4 channels, this one has 8": {"blocks": blocks[..., :4]},
        "4 registers": {"tokens": torch.tensor([2.0, 8, 20])},
        "12 outputs at aggregator.frame_blocks.0.attn.qkv, this one has 24": {
            "linears": {"aggregator.frame_blocks.0.attn.qkv": torch.zeros(3, 3, 12)}
        },
    }
    for message, changes in wrong.items():
        with pytest.raises(ValueError, match=message) as error:
            check_fisher(make_fisher(**{"linears": fitting, **changes}), model)
        assert "another network" in str(error.value)
