"""Losses of single blocks against networks put together by hand."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from fgq.evaluate.blocks import BlockErrors, block_losses, log_correlation, measure_blocks
from fgq.fisher import Fisher, block_names
from fgq.methods import quantize_rtn
from fgq.quant import GRIDS
from fgq.quant.rotation import residual_rotation, rotate_residual
from fgq.task_loss import task_losses
from fgq.vggt import VGGT, VGGTConfig
from fgq.vggt.attention import Rope

CONFIG = VGGTConfig(
    embed_dim=32,
    depth=2,
    num_heads=2,
    img_size=56,
    init_values=0.3,
    patch_embed_depth=1,
    patch_embed_heads=2,
    num_register_tokens=2,
    camera_trunk_depth=1,
    camera_trunk_heads=2,
    dpt_features=8,
    dpt_out_channels=(4, 4, 4, 4),
    dpt_layers=(0, 0, 1, 1),
)
SPECIAL, PATCHES, VIEWS = 3, 2, 2


def network(config: VGGTConfig = CONFIG) -> VGGT:
    """No gain is one and no bias zero, so that nothing that is left out goes unnoticed."""
    torch.manual_seed(0)
    model = VGGT(config).eval().requires_grad_(False)
    for parameter in model.parameters():
        parameter.add_(0.1 * torch.randn_like(parameter))
    return model


@pytest.fixture(scope="module")
def reference() -> VGGT:
    return network()


@pytest.fixture(scope="module")
def clips() -> list[Tensor]:
    generator = torch.Generator().manual_seed(1)
    return [torch.rand(1, VIEWS, 3, 14, 28, generator=generator) for _ in range(2)]


class Unrotated(nn.Module):
    """A block of a rotated network among blocks of one that is not."""

    def __init__(self, block: nn.Module, rotation: Tensor) -> None:
        super().__init__()
        self.block, self.rotation = block, rotation

    def forward(self, x: Tensor, rope: Rope) -> Tensor:
        return self.block(x @ self.rotation, rope) @ self.rotation.T


@torch.no_grad()
@pytest.mark.parametrize("rotated", [False, True])
def test_single_blocks_are_those_of_a_network_put_together_by_hand(
    reference: VGGT, clips: list[Tensor], rotated: bool
) -> None:
    quantized = copy.deepcopy(reference)
    rotation = residual_rotation(32, seed=3)
    if rotated:
        rotate_residual(quantized, rotation)
    quantize_rtn(quantized, GRIDS["w4a4"], "aggregator")
    found = measure_blocks(reference, quantized, clips)

    names = block_names(2)
    for index, name in enumerate(names):
        mixed = copy.deepcopy(reference)
        block = copy.deepcopy(quantized.get_submodule(name))
        mixed.set_submodule(name, Unrotated(block, rotation.float()) if rotated else block)
        losses, errors = [], []
        for images in clips:
            outputs: list[Tensor] = []
            for model in (reference, mixed):
                keep = lambda _, args, output: outputs.append(output)  # noqa: B023, E731
                hook = model.get_submodule(name).register_forward_hook(keep)
                outputs.append(model(images))  # type: ignore[arg-type]
                hook.remove()
            y0, expected, y, actual = outputs
            losses.append(task_losses(actual, expected))  # type: ignore[arg-type]
            errors.append((y - y0).square().reshape(VIEWS, SPECIAL + PATCHES, 32))
        for row, task in enumerate(("camera", "depth", "points")):
            mean = np.mean([loss[task].item() for loss in losses])
            assert mean > 1e-9
            assert found.measured[row, index].item() == pytest.approx(mean, rel=1e-3)
        error = torch.stack(errors).mean((0, 1))
        for group, tokens in enumerate(([0], [1, 2], [3, 4])):
            torch.testing.assert_close(
                found.error[index, group].float(), error[tokens].mean(0), rtol=1e-3, atol=1e-7
            )
    assert found.tokens.tolist() == [2, 4, 4]
    assert not any("forward" in vars(module) for module in reference.modules())


def test_a_rotated_network_without_rounding_has_no_losses(
    reference: VGGT, clips: list[Tensor]
) -> None:
    rotated = copy.deepcopy(reference)
    rotate_residual(rotated, residual_rotation(32, seed=1))
    found = measure_blocks(reference, rotated, clips[:1])
    assert found.error.max() < 1e-9
    assert found.measured.max() < 1e-9


def test_a_network_without_a_head_has_no_loss_of_its_task(clips: list[Tensor]) -> None:
    reference = network(replace(CONFIG, heads=("camera", "depth"), num_register_tokens=0))
    quantized = copy.deepcopy(reference)
    quantize_rtn(quantized)
    found = measure_blocks(reference, quantized, clips[:1])
    assert not found.measured[2].any()
    assert found.measured[:2].all()
    assert not found.error[:, 1].any()
    assert found.tokens.tolist() == [2, 0, 4]


def test_faults_are_named(reference: VGGT, clips: list[Tensor]) -> None:
    with pytest.raises(ValueError, match="at least one clip"):
        measure_blocks(reference, reference, [])
    with pytest.raises(ValueError, match="full-precision original"):
        measure_blocks(reference, network(replace(CONFIG, depth=3)), clips)
    rotated = copy.deepcopy(reference)
    rotate_residual(rotated, residual_rotation(32))
    with pytest.raises(ValueError, match="full-precision original"):
        measure_blocks(rotated, rotated, clips)
    broken = copy.deepcopy(reference)
    broken.aggregator.global_blocks[0].mlp.fc2.bias[3] = float("nan")  # type: ignore[index]
    with pytest.raises(ValueError, match=r"aggregator\.global_blocks\.0: .* not finite"):
        measure_blocks(reference, broken, clips[:1])


def test_weighted_losses_by_hand() -> None:
    """One block of two channels; the tokens are 1 camera token, 1 register and 2 patches."""
    blocks = torch.tensor([[[6.0, 2.0], [0.0, 0.0], [4.0, 4.0]]])[None].expand(3, 1, 3, 2)
    fisher = Fisher(blocks, {}, torch.ones(1, 3, 1, 3), torch.tensor([1.0, 1.0, 2.0]), {})
    error = torch.tensor([[[1.0, 2.0], [3.0, 5.0], [7.0, 4.0]]]).double()
    measured = torch.full((3, 1), 0.5).double()
    tokens = torch.tensor([1.0, 1.0, 2.0]).double()
    losses = block_losses(BlockErrors(error, measured, tokens), fisher)

    assert losses["mse"] == pytest.approx([(1 + 2 + 3 + 5 + 2 * (7 + 4)) / 8])
    # Channels have Fisher 10 and 6, with mean 8.
    by_channel = 10 / 8 * (1 + 3 + 2 * 7) + 6 / 8 * (2 + 5 + 2 * 4)
    assert losses["channels"] == pytest.approx([by_channel / 8])
    # One token of each group has 6 2, 0 0 and 2 2; over all four tokens the mean is 2.
    by_token = 3 * 1 + 1 * 2 + 0.01 * (3 + 5) + 2 * (7 + 4)
    assert losses["tokens"] == pytest.approx([by_token / 8])
    assert losses["predicted"] == [[pytest.approx((6 * 1 + 2 * 2 + 4 * (7 + 4)) / 2)]] * 3
    assert losses["measured"] == [[0.5]] * 3

    other = replace(fisher, blocks=blocks.repeat(1, 2, 1, 1))
    with pytest.raises(ValueError, match="of another network"):
        block_losses(BlockErrors(error, measured, tokens), other)


def test_correlation_is_of_logarithms_and_of_ranks() -> None:
    rng = np.random.default_rng(0)
    x = 10 ** rng.uniform(-6, 0, 20)
    y = x * 10 ** rng.normal(0, 0.5, 20)
    x[3], y[7] = 0, 0
    found = log_correlation(x.tolist(), y.tolist())
    kept = np.array([i for i in range(20) if i not in (3, 7)])
    log_x, log_y = np.log(x[kept]), np.log(y[kept])
    assert found.pairs == 18
    assert found.pearson == pytest.approx(np.corrcoef(log_x, log_y)[0, 1])
    ranks = [np.argsort(np.argsort(v)) for v in (log_x, log_y)]
    assert found.spearman == pytest.approx(np.corrcoef(*ranks)[0, 1])

    power = log_correlation([1, 2, 3, 4], [1, 8, 27, 64])
    assert power.pearson == pytest.approx(1)
    # Ties share their rank: (1, 2.5, 2.5, 4) against (1, 2, 3, 4).
    assert log_correlation([1, 2, 2, 3], [1, 2, 3, 4]).spearman == pytest.approx(4.5 / 22.5**0.5)
    assert log_correlation([1, 2], [1, 2]) == (None, None, 2)
    assert log_correlation([1, 1, 1], [1, 2, 3]).pearson is None
