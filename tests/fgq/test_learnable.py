"""Learned transformations: exact before rounding, always invertible, frozen as trained."""

import pytest
import torch
from torch import Tensor, nn

from fgq.quant import GRIDS, Affine
from fgq.quant.hadamard import hadamard, orthogonal_with_mean
from fgq.quant.learnable import LearnableLinear, LearnableMatrix, LearnableTransform, cayley

HEADS, HEAD, WIDTH = 4, 3, 12


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def randomize(module: nn.Module, spread: float, seed: int = 1) -> None:
    """Parameters as training might leave them."""
    random = generator(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter += spread * torch.randn(parameter.shape, generator=random)


@pytest.mark.parametrize("n", [1, 2, 5, 12])
def test_cayley_gives_rotations(n: int) -> None:
    raw = 3 * torch.randn(2, n, n, dtype=torch.float64, generator=generator())
    turned = cayley(raw)
    identity = torch.eye(n, dtype=torch.float64).expand(2, n, n)
    torch.testing.assert_close(turned @ turned.mT, identity, rtol=0, atol=1e-13)
    torch.testing.assert_close(torch.linalg.det(turned), torch.ones(2).double())
    # The upper triangle is without effect, and no parameters are no rotation.
    assert torch.equal(cayley(raw.tril(-1)), turned)
    torch.testing.assert_close(cayley(torch.zeros(n, n)), torch.eye(n))


def test_cayley_in_the_plane() -> None:
    """(I + A)^-1 (I - A) with A = [[0, -t], [t, 0]] turns by twice the arc tangent of t."""
    t = torch.tensor(0.7, dtype=torch.float64)
    turned = cayley(torch.tensor([[0.0, 0.0], [0.7, 0.0]], dtype=torch.float64))
    cos, sin = torch.cos(2 * torch.atan(t)), torch.sin(2 * torch.atan(t))
    torch.testing.assert_close(turned, torch.stack((cos, sin, -sin, cos)).view(2, 2))


@pytest.mark.parametrize("spread", [0.3, 30.0, 1e4])
@pytest.mark.parametrize("n", [4, 6, 12])
def test_matrices_are_well_conditioned_whatever_is_learned(n: int, spread: float) -> None:
    base = hadamard(n) if n != 6 else orthogonal_with_mean(n, seed=0)
    matrix = LearnableMatrix(base.repeat(3, 1, 1), generator())
    randomize(matrix, spread)
    there, back = matrix.matrices(torch.float64)
    identity = torch.eye(n, dtype=torch.float64).expand(3, n, n)
    torch.testing.assert_close(there @ back.mT, identity, rtol=0, atol=1e-8)
    condition = torch.linalg.cond(there)
    assert (condition <= 1000 * (1 + 1e-6)).all()
    assert (condition > 1.1).all()
    if spread < 1:
        torch.testing.assert_close(there @ back.mT, identity, rtol=0, atol=1e-13)
        there, back = matrix.matrices()
        torch.testing.assert_close(there @ back.mT, identity.float(), rtol=0, atol=1e-5)


def test_matrices_start_where_they_should() -> None:
    base = hadamard(12)
    there, back = LearnableMatrix(base, generator()).matrices(torch.float64)
    torch.testing.assert_close(there, base, rtol=0, atol=1e-15)
    torch.testing.assert_close(back, base, rtol=0, atol=1e-15)
    mixed = LearnableMatrix(torch.eye(12), generator(), mixing=0.5)
    there, _ = mixed.matrices(torch.float64)
    torch.testing.assert_close(there @ there.mT, torch.eye(12).double(), rtol=0, atol=1e-13)
    assert (there - torch.eye(12)).abs().max() > 0.3
    again = LearnableMatrix(torch.eye(12), generator(), mixing=0.5).matrices(torch.float64)[0]
    other = LearnableMatrix(torch.eye(12), generator(1), mixing=0.5).matrices(torch.float64)[0]
    assert torch.equal(there, again)
    assert not torch.equal(there, other)
    rotation = LearnableMatrix(base, generator(), mixing=0.5, scaled=False)
    there, back = rotation.matrices(torch.float64)
    assert torch.equal(there, back)
    torch.testing.assert_close(there @ there.mT, torch.eye(12).double(), rtol=0, atol=1e-13)


def full_transform(width: int = WIDTH) -> LearnableTransform:
    left = LearnableMatrix(torch.eye(width // 4), generator(2), mixing=0.3)
    right = LearnableMatrix(hadamard(4), generator(3))
    diagonal = torch.rand(width, generator=generator(4)) + 0.2
    return LearnableTransform(diagonal, left, right, scale=1 / diagonal)


def test_transform_and_its_inverse() -> None:
    transform = full_transform()
    randomize(transform, 0.4)
    there, back = transform.affines(torch.float64)
    identity = torch.eye(WIDTH, dtype=torch.float64)
    product = there.apply(identity) @ back.apply(identity).mT
    torch.testing.assert_close(product, identity, rtol=0, atol=1e-12)
    assert all(part is not None for part in there)
    turn = Affine(diagonal=torch.ones(WIDTH), left=torch.randn(3, 3), right=torch.randn(4, 4))
    within = LearnableTransform(scale=torch.rand(WIDTH) + 0.5, fixed=turn)
    randomize(within, 0.4)
    there, back = within.affines(torch.float64)
    assert there.left is not None
    assert torch.equal(there.left, turn.left.double())  # type: ignore[union-attr]
    product = there.apply(identity) @ back.apply(identity).mT
    torch.testing.assert_close(product, identity, rtol=0, atol=1e-10)
    assert {name for name, _ in within.named_parameters()} == {"log_scale"}


@pytest.mark.parametrize("shared", [False, True], ids=["a matrix a head", "one matrix"])
def test_transformed_weights_are_the_same_function(shared: bool) -> None:
    """y(x) of a linear, and of two linears around a mixing of tokens with values turned between."""
    torch.manual_seed(0)
    first, second = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, 7)
    base = torch.eye(HEAD) if shared else torch.eye(HEAD).repeat(HEADS, 1, 1)
    values = LearnableMatrix(base, generator(), mixing=0.2)
    mixing = LearnableTransform(left=LearnableMatrix(hadamard(HEADS), generator()))
    grid = GRIDS["w4a4"]
    qkv = LearnableLinear(first, grid, full_transform(), values_out=values)
    proj = LearnableLinear(second, grid, mixing, values_in=values)
    for module, seed in ((qkv, 1), (mixing, 2)):
        randomize(module, 0.4, seed)
    x = torch.randn(9, WIDTH, dtype=torch.float64)
    heads = torch.rand(HEADS, 9, 9, dtype=torch.float64).softmax(-1)  # of attention, any will do

    def attended(rows: Tensor) -> Tensor:
        v = rows[:, 2 * WIDTH :].unflatten(1, (HEADS, HEAD)).transpose(0, 1)
        return (heads @ v).transpose(0, 1).flatten(1)

    def exact(linear: LearnableLinear, x: Tensor) -> Tensor:
        affine, weight, bias = linear.transformed(torch.float64)
        return affine.apply(x) @ weight.mT + bias

    plain = x @ first.weight.double().mT + first.bias.double()
    turned = exact(qkv, x)
    torch.testing.assert_close(turned[:, : 2 * WIDTH], plain[:, : 2 * WIDTH], rtol=0, atol=1e-12)
    matrix = values.matrices(torch.float64)[0]
    expected = plain[:, 2 * WIDTH :].unflatten(1, (HEADS, HEAD))[:, :, None] @ matrix
    torch.testing.assert_close(
        turned[:, 2 * WIDTH :], expected.squeeze(2).flatten(1), rtol=0, atol=1e-12
    )
    assert (turned - plain).abs().max() > 0.1
    target = attended(plain) @ second.weight.double().mT + second.bias.double()
    torch.testing.assert_close(exact(proj, attended(turned)), target, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", GRIDS)
def test_frozen_is_what_was_trained(name: str) -> None:
    torch.manual_seed(0)
    grid = GRIDS[name]
    width = 64 if grid.group_size else WIDTH
    linear = LearnableLinear(nn.Linear(width, 20), grid, full_transform(width))
    randomize(linear, 0.3)
    x = torch.randn(30, width)
    frozen = linear.freeze(None, keep_diagonal=True)
    assert (frozen.activation_clip is not None) == (
        grid.clipped and grid.activation_bits is not None
    )
    with torch.no_grad():
        trained, actual = linear(x), frozen(x)
        # In fp64 a code may be another where fp32 was between two: a step of one weight.
        scale = float(trained.abs().max())
        torch.testing.assert_close(actual, trained, rtol=1e-5, atol=2e-5 * scale)
        diagonal = linear.transform.affines()[0].diagonal  # type: ignore[union-attr]
        assert diagonal is not None
        without = linear.freeze(None, keep_diagonal=False)
        torch.testing.assert_close(without(x * diagonal), actual, rtol=1e-5, atol=2e-5 * scale)
        torch.testing.assert_close(
            linear.quantized_input(x),
            _seen_by_weight(frozen, x),
            rtol=1e-5,
            atol=1e-5 * float(x.abs().max()),
        )


def _seen_by_weight(frozen: nn.Module, x: Tensor) -> Tensor:
    """The input of the product, by making the weight the identity."""
    width = x.shape[1]
    frozen.codes, frozen.scales, frozen.bias = (  # type: ignore[assignment]
        torch.eye(width, dtype=torch.int8),
        torch.ones(width, 1),
        None,
    )
    return frozen(x)  # type: ignore[no-any-return]


@pytest.mark.parametrize("name", ["w4a4", "8da4w-g32"])
def test_searched_clips_lose_less(name: str) -> None:
    torch.manual_seed(0)
    heavy = nn.Linear(64, 30).requires_grad_(False)
    with torch.no_grad():
        heavy.weight.copy_(torch.randn(30, 64) * (1 + torch.randn(30, 64).abs() ** 3))
        heavy.weight[3] = 0  # a dead output
    linear = LearnableLinear(heavy, GRIDS[name])
    importance = torch.logspace(-1, 1, 64)

    def loss() -> float:
        value = linear.freeze(None, keep_diagonal=True).quantized_weight.dequantize()
        return float(((value - heavy.weight).square() * importance).sum())

    before = loss()
    linear.search_clip(importance)
    assert loss() < 0.95 * before
    assert linear.weight_clip.isfinite().all()
    share = torch.sigmoid(linear.weight_clip)
    assert share.min() > 0.49
    assert share.max() < 1


def test_clips_are_told_apart_from_transformations() -> None:
    linear = LearnableLinear(nn.Linear(WIDTH, 4), GRIDS["w4a4"], full_transform())
    clips = {id(p) for p in linear.clips()}
    names = {n for n, p in linear.named_parameters() if id(p) in clips}
    assert names == {"weight_clip", "activation_clip"}
    device = LearnableLinear(nn.Linear(32, 4), GRIDS["8da4w-g32"])
    assert device.activation_clip is None
    assert len(device.clips()) == 1
    unclipped = LearnableLinear(nn.Linear(WIDTH, 4), GRIDS["w4a4"], clip_inputs=False)
    assert unclipped.activation_clip is None


def test_gradients_reach_every_parameter() -> None:
    values = LearnableMatrix(torch.eye(HEAD).repeat(HEADS, 1, 1), generator(), mixing=0.1)
    linear = LearnableLinear(
        nn.Linear(WIDTH, 3 * WIDTH), GRIDS["w4a4"], full_transform(), values_out=values
    )
    linear(torch.randn(20, WIDTH)).square().mean().backward()
    for name, parameter in linear.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.any(), name
