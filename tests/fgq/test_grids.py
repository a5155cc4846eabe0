"""Integer grids: weights, tokens, their gradients, and the arithmetic that a device does."""

import itertools

import pytest
import torch
from torch import Tensor

from fgq.quant import (
    DEVICE_GRID,
    GRIDS,
    Affine,
    AffineTransform,
    FakeQuantLinear,
    Grid,
    QuantizedWeight,
    fake_quantize_tokens,
    quantize_weight,
    round_to_scales,
)
from fgq.quant.grids import absmax_scales, fake_quantize_weight

TOKEN_GRIDS = [name for name, grid in GRIDS.items() if grid.activation_bits is not None]


@pytest.fixture
def weight() -> Tensor:
    """Rows and columns of very different size, with outliers."""
    generator = torch.Generator().manual_seed(0)
    normal = torch.randn(24, 96, generator=generator)
    return normal * torch.logspace(-2, 1, 24)[:, None] * (1 + normal.roll(7).abs() ** 3)


def tokens(*shape: int, seed: int = 1) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(shape, generator=generator)
    return x * torch.logspace(-3, 3, shape[-2])[:, None] + 0.3 * torch.randn(
        (*shape[:-1], 1), generator=generator
    )


def steps(quantized: QuantizedWeight) -> Tensor:
    """The scale of every weight [N, K]."""
    count = quantized.codes.shape[1] // quantized.scales.shape[1]
    return quantized.scales.float().repeat_interleave(count, dim=1)


@pytest.mark.parametrize("name", GRIDS)
def test_weights_are_rounded_to_the_nearest_code(weight: Tensor, name: str) -> None:
    grid = GRIDS[name]
    low, high = grid.code_range
    assert (low, high) == ((-8, 7) if grid.weight_bits == 4 else (-128, 127))
    for search_steps in (0, 8):
        quantized = quantize_weight(weight, grid, search_steps)
        assert quantized.scales.dtype == grid.scale_type
        assert (quantized.scales > 0).all()
        assert low <= quantized.codes.min() < quantized.codes.max() <= high
        value, step = quantized.dequantize(), steps(quantized)
        again = round_to_scales(value, quantized.scales, grid)
        assert torch.equal(again.codes, quantized.codes)
        inside = (weight >= low * step) & (weight <= high * step)
        assert inside.float().mean() > 0.9
        error = (value - weight).abs()
        assert (error <= step * 0.500001)[inside].all()
        beyond = torch.where(weight > 0, high * step, low * step)
        assert torch.equal(value[~inside], beyond[~inside])


def test_scales_are_bfloat16_before_codes_are_rounded(weight: Tensor) -> None:
    quantized = quantize_weight(weight)
    assert quantized.scales.dtype == torch.bfloat16
    # Of all codes, each is the nearest for the scale that is stored.
    candidates = torch.arange(-8, 8)[:, None, None] * steps(quantized)
    nearest = (candidates - weight).abs().argmin(0) - 8
    assert torch.equal(nearest.to(torch.int8), quantized.codes)


def test_absmax_scales_cover_the_range(weight: Tensor) -> None:
    # bfloat16 may shorten a scale by 1/256, which clips up to 7/256 of a step.
    quantized = round_to_scales(weight, absmax_scales(weight))
    step = steps(quantized)
    assert ((quantized.dequantize() - weight).abs() <= step * (0.5 + 7 / 256)).all()


@pytest.mark.parametrize("name", ["8da4w-g32", "w4a4"])
def test_search_never_makes_a_group_worse(weight: Tensor, name: str) -> None:
    grid = GRIDS[name]

    def group_error(search_steps: int, importance: Tensor | None = None) -> Tensor:
        quantized = quantize_weight(weight, grid, search_steps, importance)
        square = (quantized.dequantize() - weight).square()
        square = square if importance is None else square * importance
        return square.unflatten(1, (-1, grid.group_size or 96)).sum(-1)

    plain, searched = group_error(0), group_error(24)
    assert (searched <= plain).all()
    assert searched.sum() < 0.95 * plain.sum()
    # What is searched for is the weighted error, so that it is no larger than that of the others.
    importance = torch.logspace(-2, 2, 96)[torch.arange(96) * 7 % 96]
    other = (quantize_weight(weight, grid, 24).dequantize() - weight).square() * importance
    other = other.unflatten(1, (-1, grid.group_size or 96)).sum(-1)
    weighted = group_error(24, importance)
    assert (weighted <= other * (1 + 1e-6)).all()
    assert weighted.sum() < other.sum()


@pytest.mark.parametrize("name", GRIDS)
def test_zero_groups_keep_a_usable_scale(name: str) -> None:
    quantized = quantize_weight(torch.zeros(2, 64), GRIDS[name])
    assert (quantized.scales > 0).all()
    assert not quantized.codes.any()


@pytest.mark.parametrize("bad", [torch.zeros(4, 33), torch.full((4, 32), float("nan"))])
def test_weights_without_groups_or_not_finite_are_refused(bad: Tensor) -> None:
    with pytest.raises(ValueError, match=r"groups|finite"):
        quantize_weight(bad)


@pytest.mark.parametrize("name", TOKEN_GRIDS)
def test_tokens_are_rounded_each_on_its_own_grid(name: str) -> None:
    grid = GRIDS[name]
    bits = grid.activation_bits
    assert bits is not None
    x = tokens(5, 7, 40)
    rounded = fake_quantize_tokens(x, grid)
    low, high = x.amin(-1, keepdim=True).clamp(max=0), x.amax(-1, keepdim=True).clamp(min=0)
    if grid.symmetric:
        step = torch.maximum(-low, high) / (2 ** (bits - 1) - 1)
    else:
        step = (high - low) / (2**bits - 1)
    assert ((rounded - x).abs() <= 0.50001 * step).all()
    assert all(len(token.unique()) <= 2**bits for token in rounded.flatten(0, 1))
    codes = rounded / step
    torch.testing.assert_close(codes, codes.round(), rtol=0, atol=2e-4)
    assert (codes.round().amax(-1) - codes.round().amin(-1) <= 2**bits - 1).all()
    torch.testing.assert_close(fake_quantize_tokens(rounded, grid), rounded, rtol=2e-6, atol=0)
    alone = fake_quantize_tokens(x[2, 3], grid)
    assert torch.equal(alone, rounded[2, 3])
    assert not fake_quantize_tokens(torch.zeros(2, 32), grid).any()


@pytest.mark.parametrize("name", TOKEN_GRIDS)
def test_clipped_tokens_stop_at_the_end_of_their_range(name: str) -> None:
    grid, clip = GRIDS[name], torch.tensor([0.5, 0.8])
    x = tokens(50, 40)
    rounded = fake_quantize_tokens(x, grid, clip)
    low = x.amin(-1, keepdim=True).clamp(max=0) * clip[0]
    high = x.amax(-1, keepdim=True).clamp(min=0) * clip[1]
    if grid.symmetric:
        step = torch.maximum(-low, high) / (2 ** (grid.activation_bits - 1) - 1)  # type: ignore[operator]
        low, high = -torch.maximum(-low, high) - step, torch.maximum(-low, high)
    else:
        step = (high - low) / (2**grid.activation_bits - 1)  # type: ignore[operator]
    assert ((rounded - x.clamp(low, high)).abs() <= 0.50001 * step).all()
    assert not torch.equal(rounded, fake_quantize_tokens(x, grid))


def test_tokens_without_bits_stay_as_they_are() -> None:
    x = tokens(3, 8)
    assert fake_quantize_tokens(x, GRIDS["w4a16"]) is x


def test_tokens_are_rounded_as_torchao_does() -> None:
    """The export emits torchao's operators: both must be the same grid."""
    module = pytest.importorskip(
        "torchao.quantization.quantize_.workflows.intx.intx_unpacked_to_int8_tensor"
    )
    torch.manual_seed(1)
    x = torch.randn(200, 96) * torch.rand(200, 1) + torch.randn(200, 1)
    reference = module._apply_int8_act_asym_per_token_quant_dequant(x)
    torch.testing.assert_close(fake_quantize_tokens(x), reference, rtol=0, atol=0)


def integer_linear(
    x: Tensor, weight: QuantizedWeight, bias: Tensor, grid: Grid, clip: Tensor | None
) -> Tensor:
    """What a device computes: sums of products of integers, then scales; fp64 [T, N]."""
    groups = weight.scales.shape[1]
    ints = weight.codes.to(torch.int64).unflatten(1, (groups, -1))
    if grid.activation_bits is None:
        real = x.double().unflatten(1, (groups, -1))
        sums, scale = torch.einsum("tgk,ngk->tng", real, ints.double()), torch.ones(())
    else:
        top = 2 ** (grid.activation_bits - 1) - 1
        low, high = x.amin(-1, keepdim=True).clamp(max=0), x.amax(-1, keepdim=True).clamp(min=0)
        if clip is not None:
            low, high = low * clip[0], high * clip[1]
        if grid.symmetric:
            scale, zero = torch.maximum(-low, high) / top, torch.zeros(())
        else:
            scale = (high - low) / (2 * top + 1)
            zero = torch.round(-top - 1 - low / scale)
        codes = (torch.round(x / scale) + zero).clamp(-top - 1, top) - zero
        codes = codes.to(torch.int64).unflatten(1, (groups, -1))
        sums = torch.einsum("tgk,ngk->tng", codes, ints).double()
    return (sums * weight.scales.double()).sum(-1) * scale.double() + bias


@pytest.mark.parametrize(
    ("name", "transformed", "clipped"),
    [
        (name, transformed, clipped)
        for name, transformed, clipped in itertools.product(GRIDS, (False, True), (False, True))
        if not clipped or GRIDS[name].clipped
    ],
)
def test_fake_quant_equals_integer_arithmetic(
    weight: Tensor, name: str, transformed: bool, clipped: bool
) -> None:
    torch.manual_seed(2)
    grid, x, bias = GRIDS[name], tokens(11, 96), torch.randn(24)
    transform = dense = None
    if transformed:
        parts = (torch.rand(96) + 0.5, torch.randn(8, 8), torch.randn(12, 12), torch.rand(96))
        transform = AffineTransform(Affine(*parts))
        dense = parts[0].diag() @ torch.kron(parts[1], parts[2]) @ parts[3].diag()
    clip = torch.tensor([0.6, 0.9]) if clipped else None
    quantized = quantize_weight(weight, grid)
    linear = FakeQuantLinear(quantized, bias, grid, transform, clip)
    # The integers are those of the transformed input as floating point gives it, or a rounding
    # error would now and then decide about a code; that it is the right input is asserted, too.
    seen = x if transform is None else transform(x)
    if dense is not None:
        torch.testing.assert_close(seen, x @ dense, rtol=1e-4, atol=1e-4 * float(seen.abs().max()))
    expected = integer_linear(seen, quantized, bias, grid, clip)
    tolerance = 1e-5 * expected.abs().amax(1, keepdim=True)
    assert ((linear(x).double() - expected).abs() <= tolerance).all()


def ste(x: Tensor) -> Tensor:
    """Rounding whose gradient is the identity's."""
    return x + (x.round() - x).detach()


def reference_tokens(x: Tensor, grid: Grid, clip: Tensor | None) -> Tensor:
    """`fake_quantize_tokens` in plain operations."""
    assert grid.activation_bits is not None
    top = 2 ** (grid.activation_bits - 1) - 1
    low, high = x.amin(-1, keepdim=True).clamp(max=0), x.amax(-1, keepdim=True).clamp(min=0)
    if clip is not None:
        low, high = low * clip[0], high * clip[1]
    if grid.symmetric:
        scale = torch.maximum(-low, high) / top
        return ste(x / scale).clamp(-top - 1, top) * scale
    scale = (high - low) / (2 * top + 1)
    zero = torch.round(-top - 1 - low / scale).detach()
    return ((ste(x / scale) + zero).clamp(-top - 1, top) - zero) * scale


@pytest.mark.parametrize("clipped", [False, True])
@pytest.mark.parametrize("name", TOKEN_GRIDS)
def test_gradient_of_tokens(name: str, clipped: bool) -> None:
    torch.manual_seed(3)
    # All signs: tokens on both sides of zero, above it only, below it only.
    x = torch.randn(4, 30, 20, dtype=torch.float64)
    x = torch.cat((x, x.abs(), -x.abs())).requires_grad_()
    clip = torch.tensor([0.55, 0.8], dtype=torch.float64, requires_grad=True) if clipped else None
    upstream = torch.randn(x.shape, dtype=torch.float64)
    wanted = [x] if clip is None else [x, clip]
    outputs = [f(x, GRIDS[name], clip) for f in (fake_quantize_tokens, reference_tokens)]
    torch.testing.assert_close(*outputs, rtol=1e-12, atol=1e-12)
    actual, expected = (torch.autograd.grad((y * upstream).sum(), wanted) for y in outputs)
    for one, other in zip(actual, expected, strict=True):
        assert other.abs().min() < other.abs().max()
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", ["8da4w-g32", "w4a4", "w8a8"])
def test_gradient_of_weights(weight: Tensor, name: str) -> None:
    grid = GRIDS[name]
    w = weight.double().requires_grad_()
    start = absmax_scales(weight, 0.7, grid).double() * 1.001  # not in bfloat16
    scales = start.requires_grad_()
    upstream = torch.randn(w.shape, dtype=torch.float64)
    stored = scales + (scales.to(grid.scale_type).double() - scales).detach()
    step = stored.repeat_interleave(96 // scales.shape[1], dim=1)
    plain = ste(w / step).clamp(*grid.code_range) * step
    actual = fake_quantize_weight(w, scales, grid)
    torch.testing.assert_close(actual, plain, rtol=1e-12, atol=1e-12)
    codes = round_to_scales(weight.double(), scales, grid)
    torch.testing.assert_close(actual, codes.dequantize(torch.float64), rtol=1e-12, atol=1e-12)
    expected = torch.autograd.grad((plain * upstream).sum(), (w, scales))
    for one, other in zip(
        torch.autograd.grad((actual * upstream).sum(), (w, scales)), expected, strict=True
    ):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-9)
    assert (expected[0] == 0).any()  # something was clipped


def test_the_device_grid_is_what_its_name_says() -> None:
    assert DEVICE_GRID.fits(64)
    assert not DEVICE_GRID.fits(48)
    assert GRIDS["w4a4"].fits(6)
    assert not GRIDS["w4a4"].fits(9)  # two codes share a byte
    assert all(name == grid.name for name, grid in GRIDS.items())
