"""Fisher information against finite differences of the network."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from fisher_network import TINY, VIEWS, make_images, make_model
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from fgq.fisher import TASKS, TOKEN_GROUPS, block_names, predicted_loss
from fgq.fisher_estimate import (
    clip_energies,
    metric_outputs,
    random_signs,
)
from fgq.task_loss import task_losses, task_outputs
from fgq.vggt import VGGT, Predictions

LAST = "aggregator.global_blocks.1"
STEP = 1e-5


@pytest.fixture(scope="module")
def model() -> VGGT:
    return make_model()


@pytest.fixture(scope="module")
def poser() -> VGGT:
    """The same without dense heads: few outputs, and fast."""
    return make_model(replace(TINY, heads=("camera",)))


@pytest.fixture(scope="module")
def images() -> Tensor:
    return make_images()


@contextmanager
def added(model: VGGT, name: str, delta: Tensor) -> Iterator[None]:
    """Add `delta` to the output of the module `name`."""
    hook = model.get_submodule(name).register_forward_hook(lambda _m, _i, out: out + delta)
    try:
        yield
    finally:
        hook.remove()


@torch.no_grad()
def perturbed_losses(
    model: VGGT, images: Tensor, reference: Predictions, name: str, delta: Tensor
) -> dict[str, float]:
    with added(model, name, delta):
        return {k: x.item() for k, x in task_losses(model(images), reference).items()}


@torch.no_grad()
def jacobian(
    model: VGGT, images: Tensor, name: str, channels: Sequence[int]
) -> dict[str, list[tuple[int, int, Tensor]]]:
    """Central differences of the task vectors: per task, for every call, row and channel of the
    module's output, (row, channel, dy/dh [N]); rows of all calls are numbered through."""
    module = model.get_submodule(name)
    reference = model(images)
    rows: list[int] = []
    hook = module.register_forward_hook(lambda _m, _i, out: rows.append(out[..., 0].numel()))
    model(images)
    hook.remove()
    columns: dict[str, list[tuple[int, int, Tensor]]] = {task: [] for task in TASKS}
    for call, count in enumerate(rows):
        for row in range(count):
            for channel in channels:
                sides = []
                for sign in (1, -1):
                    calls = iter(range(len(rows)))

                    def add(_m: nn.Module, _i: object, out: Tensor) -> Tensor | None:
                        if next(calls) != call:  # noqa: B023
                            return None
                        out = out.clone()
                        out.view(-1, out.shape[-1])[row, channel] += sign * STEP  # noqa: B023
                        return out

                    hook = module.register_forward_hook(add)
                    sides.append(task_outputs(model(images), reference))
                    hook.remove()
                for task in sides[0]:
                    slope = (sides[0][task] - sides[1][task])[0] / (2 * STEP)
                    columns[task].append((sum(rows[:call]) + row, channel, slope))
    return columns


def unit_like(y: Tensor, index: int) -> Tensor:
    unit = torch.zeros_like(y)
    unit[0, index] = 1
    return unit


def every_entry(task: str, y: Tensor) -> Iterator[Tensor]:
    return (unit_like(y, index) for index in range(y.numel()))


def group_of(row: int, tokens: int, registers: int) -> int:
    place = row % tokens
    return 0 if place == 0 else 1 if place <= registers else 2


# Module, and the tokens and registers of a view at its output. The class token and the 4 registers
# of the DINOv2 embedder come first there; all of the camera head is camera tokens.
SITES = [
    ("aggregator.frame_blocks.0", 5, 2),
    ("aggregator.global_blocks.0", 5, 2),
    (LAST, 5, 2),
    ("aggregator.frame_blocks.1.attn.qkv", 5, 2),
    ("aggregator.global_blocks.1.mlp.fc1", 5, 2),
    ("aggregator.patch_embed.blocks.0.attn.qkv", 7, 4),
    ("aggregator.patch_embed.blocks.0.mlp.fc2", 7, 4),
    ("camera_head.embed_pose", 1, 0),
    ("camera_head.poseLN_modulation.1", 1, 0),
    ("camera_head.trunk.0.attn.proj", 1, 0),
    ("camera_head.pose_branch.fc2", 1, 0),
]


@pytest.fixture(scope="module")
def exact(model: VGGT, images: Tensor) -> tuple[dict[str, Tensor], dict[str, list[int]]]:
    """Energies along unit vectors, which makes them exact, and which entries of y those pick:
    every one of the camera's, every 19th of the dense maps'."""
    picked: dict[str, list[int]] = {}

    def units(task: str, y: Tensor) -> Iterator[Tensor]:
        picked[task] = list(range(0, y.numel(), 1 if task == "camera" else 19))
        for index in picked[task]:
            yield unit_like(y, index)

    return clip_energies(model, images, metric_outputs, units, recompute=False), picked


@pytest.mark.parametrize(("name", "tokens", "registers"), SITES)
def test_diagonal_gauss_newton_is_that_of_finite_differences(
    model: VGGT,
    images: Tensor,
    exact: tuple[dict[str, Tensor], dict[str, list[int]]],
    name: str,
    tokens: int,
    registers: int,
) -> None:
    energies, picked = exact
    channels = [0, 5]
    columns = jacobian(model, images, name, channels)
    for k, task in enumerate(TASKS):
        expected = torch.zeros(len(TOKEN_GROUPS), energies[name].shape[-1], dtype=torch.float64)
        for row, channel, slope in columns[task]:
            squared = slope[picked[task]].square().sum()
            expected[group_of(row, tokens, registers), channel] += squared
        found = energies[name][k][:, channels]
        torch.testing.assert_close(found, expected[:, channels], rtol=1e-6, atol=1e-12)
    assert energies[name][0].sum() > 1e-6


def test_every_linear_and_block_is_measured(
    model: VGGT, exact: tuple[dict[str, Tensor], dict[str, list[int]]]
) -> None:
    linears = {
        name: module.out_features
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear)
    }
    assert {name: x.shape[-1] for name, x in exact[0].items()} == linears | dict.fromkeys(
        block_names(TINY.depth), TINY.embed_dim
    )


def test_random_signs_agree_with_the_exact_diagonal_within_three_sigma(
    poser: VGGT, images: Tensor
) -> None:
    """For random signs v and A = sum over tokens of J J^T, v^T A v has mean tr A and variance
    2 (|A|^2 - |diag A|^2)."""
    name, probes = "aggregator.frame_blocks.1", 400
    signs = partial(random_signs, probes, 7, "clip")
    found = clip_energies(poser, images, metric_outputs, signs, recompute=False)[name][0]
    products: dict[tuple[int, int], Tensor] = {}
    for row, channel, slope in jacobian(poser, images, name, range(TINY.embed_dim))["camera"]:
        place = group_of(row, 5, 2), channel
        products[place] = products.get(place, 0) + torch.outer(slope, slope)
    scores = []
    for place, a in products.items():
        variance = 2 * (a.square().sum() - a.diagonal().square().sum())
        scores.append(((found[place] - a.trace()) / (variance / probes).sqrt()).item())
    assert len(scores) == found.numel()
    assert np.mean(np.abs(scores) < 3) > 0.95
    assert 0.5 < np.mean(np.square(scores)) < 2


def test_losses_along_random_directions_are_those_of_the_full_matrix(
    model: VGGT, images: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """L(h + d) = 1/2 d^T J^T J d for small d, with J d by forward differentiation."""
    name = "aggregator.global_blocks.0"
    unrolled = partial(model.camera_head.forward, detach=False)
    monkeypatch.setattr(model.camera_head, "forward", unrolled)
    with torch.no_grad():
        reference = model(images)

    def outputs(delta: Tensor) -> dict[str, Tensor]:
        with added(model, name, delta):
            return task_outputs(model(images), reference)

    generator = torch.Generator().manual_seed(0)
    for _ in range(3):
        direction = torch.randn(1, VIEWS * 5, TINY.embed_dim, generator=generator).double()
        with sdpa_kernel(SDPBackend.MATH):
            _, slopes = torch.func.jvp(outputs, (torch.zeros_like(direction),), (direction,))
        sides = [
            perturbed_losses(model, images, reference, name, step * direction)
            for step in (1e-4, -1e-4)
        ]
        for task in TASKS:
            expected = 0.5 * 1e-8 * slopes[task].square().sum().item()
            assert (sides[0][task] + sides[1][task]) / 2 == pytest.approx(expected, rel=1e-4)


def test_predicted_loss_is_the_mean_loss_of_random_errors(poser: VGGT, images: Tensor) -> None:
    """Independent errors, equally large in the tokens of a group, as equation 9 takes them."""
    name = "aggregator.frame_blocks.1"
    energies = clip_energies(poser, images, metric_outputs, every_entry)[name][0]
    generator = torch.Generator().manual_seed(0)
    size = 1e-3 * torch.rand(3, TINY.embed_dim, generator=generator).double()
    by_token = size[[group_of(row, 5, 2) for row in range(5)]]
    with torch.no_grad():
        reference = poser(images)
    losses = []
    for _ in range(200):
        noise = by_token * torch.randn(VIEWS, 5, TINY.embed_dim, generator=generator).double()
        losses.append(perturbed_losses(poser, images, reference, name, noise)["camera"])
    predicted = predicted_loss(energies, size.square()).item()
    error = np.std(losses) / len(losses) ** 0.5
    assert error < 0.1 * predicted
    assert np.mean(losses) == pytest.approx(predicted, abs=3 * error)


def test_camera_head_unrolled_has_the_derivative_of_its_outputs(model: VGGT) -> None:
    head = model.camera_head
    generator = torch.Generator().manual_seed(0)
    tokens = torch.randn(1, 3, 4, 2 * TINY.embed_dim, generator=generator).double()
    direction = torch.randn(tokens.shape, generator=generator).double()
    along = torch.randn(1, 3, 9, generator=generator).double()
    with torch.no_grad():
        ahead, behind = (head(tokens + s * 1e-6 * direction)[-1] for s in (1, -1))
        slope = ((ahead - behind) * along).sum() / 2e-6
        plain, unrolled = head(tokens)[-1], head(tokens, detach=False)[-1]
    assert torch.equal(plain, unrolled)
    found = []
    for detach in (False, True):
        entry = tokens.clone().requires_grad_()
        (head(entry, detach=detach)[-1] * along).sum().backward()
        found.append((entry.grad * direction).sum().item())
    assert found[0] == pytest.approx(slope.item(), rel=1e-6)
    assert found[1] != pytest.approx(slope.item(), rel=0.01)


def test_nobody_reads_registers_at_the_last_global_block(
    exact: tuple[dict[str, Tensor], dict[str, list[int]]],
) -> None:
    camera, depth, points = exact[0][LAST].sum(-1)
    assert camera[1:].tolist() == [0, 0]
    assert camera[0] > 0
    for dense in (depth, points):
        assert dense[:2].tolist() == [0, 0]
        assert dense[2] > 0
    assert exact[0][block_names(2)[2]].sum(-1).min() > 0
