"""Affine transformations of inputs and exact changes of weights and norms."""

import itertools

import pytest
import torch
from torch import Tensor, nn

from fgq.quant import Affine, AffineTransform, fold_layer_scale
from fgq.quant.rotation import RotatedLayerNorm
from fgq.quant.transforms import fold_diagonal, smoothing_diagonal
from fgq.vggt import VGGT, VGGTConfig

LEFT, RIGHT = 3, 4
PARTS = [parts for n in range(5) for parts in itertools.combinations(Affine._fields, n)]


def make(parts: tuple[str, ...], dtype: torch.dtype = torch.float64) -> tuple[Affine, Tensor]:
    """An affine of these parts, and the same as one matrix."""
    generator = torch.Generator().manual_seed(0)

    def normal(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype)

    width = LEFT * RIGHT
    every = Affine(normal(width), normal(LEFT, LEFT), normal(RIGHT, RIGHT), normal(width))
    affine = Affine(**{part: getattr(every, part) for part in parts})
    left = torch.eye(LEFT, dtype=dtype) if affine.left is None else affine.left
    right = torch.eye(RIGHT, dtype=dtype) if affine.right is None else affine.right
    dense = torch.kron(left, right)
    if affine.diagonal is not None:
        dense = affine.diagonal.diag() @ dense
    return affine, dense if affine.scale is None else dense @ affine.scale.diag()


@pytest.mark.parametrize("parts", PARTS, ids="-".join)
def test_apply_is_a_product_with_the_dense_matrix(parts: tuple[str, ...]) -> None:
    affine, dense = make(parts)
    assert affine.is_identity == (not parts)
    x = torch.randn(2, 5, LEFT * RIGHT, dtype=torch.float64)
    torch.testing.assert_close(affine.apply(x), x @ dense, rtol=1e-13, atol=1e-13)
    single = affine.to(torch.float32)
    assert all(part is None or part.dtype == torch.float32 for part in single)
    torch.testing.assert_close(single.apply(x.float()), (x @ dense).float(), rtol=1e-5, atol=1e-5)
    module = AffineTransform(single)
    assert set(module.state_dict()) == set(parts)
    assert torch.equal(module(x.float()), single.apply(x.float()))


@pytest.mark.parametrize("parts", PARTS, ids="-".join)
def test_a_weight_with_the_inverse_is_the_same_function(parts: tuple[str, ...]) -> None:
    affine, dense = make(parts)
    inverse = affine.inverse_transposed()
    identity = torch.eye(LEFT * RIGHT, dtype=torch.float64)
    torch.testing.assert_close(inverse.apply(identity), dense.inverse().mT, rtol=1e-10, atol=1e-10)
    x, weight = torch.randn(7, 12, dtype=torch.float64), torch.randn(5, 12, dtype=torch.float64)
    error = (affine.apply(x) @ inverse.apply(weight).mT - x @ weight.mT).abs().max()
    assert error <= 1e-12 * float((x @ weight.mT).abs().max()) * float(torch.linalg.cond(dense))
    assert all(part is None or part.dtype == torch.float64 for part in inverse)


def test_smoothing_makes_input_and_weight_equally_uneven() -> None:
    torch.manual_seed(0)
    x, weight = torch.randn(50, 12) * torch.logspace(-2, 2, 12), torch.randn(8, 12)
    diagonal = smoothing_diagonal(weight, x.abs().amax(0))
    largest_input = (x * diagonal).abs().amax(0)
    largest_weight = (weight / diagonal).abs().amax(0)
    torch.testing.assert_close(largest_input, largest_weight, rtol=1e-5, atol=0)
    flat = x * smoothing_diagonal(weight, x.abs().amax(0), alpha=1.0)
    torch.testing.assert_close(flat.abs().amax(0), torch.ones(12), rtol=1e-5, atol=0)
    dead = smoothing_diagonal(torch.zeros(8, 3), torch.zeros(3))
    assert (dead > 0).all()
    assert dead.isfinite().all()


@pytest.mark.parametrize("rotated", [False, True])
def test_a_diagonal_goes_into_a_norm(rotated: bool) -> None:
    torch.manual_seed(0)
    norm = nn.LayerNorm(16)
    nn.init.normal_(norm.weight)
    nn.init.normal_(norm.bias)
    module = (RotatedLayerNorm(norm) if rotated else norm).double()
    x, diagonal = torch.randn(5, 16, dtype=torch.float64) + 3, torch.rand(16).double() + 0.1
    with torch.no_grad():
        before = module(x)
        fold_diagonal(module, diagonal)
        after = module(x)
    assert after.std() > 0
    torch.testing.assert_close(after, before * diagonal, rtol=1e-14, atol=1e-14)


def test_folding_layer_scale_changes_nothing() -> None:
    config = VGGTConfig(
        embed_dim=32,
        depth=1,
        num_heads=2,
        img_size=28,
        init_values=0.3,
        patch_embed_depth=1,
        patch_embed_heads=2,
        camera_trunk_depth=1,
        camera_trunk_heads=2,
        dpt_features=8,
        dpt_out_channels=(8, 8, 8, 8),
        dpt_layers=(0, 0, 0, 0),
        heads=("camera", "depth"),
    )
    torch.manual_seed(0)
    model = VGGT(config).eval()
    gains = [p for n, p in model.named_parameters() if n.endswith("gamma")]
    images = torch.rand(1, 2, 3, 28, 42)
    with torch.no_grad():
        for gain in gains:
            gain.uniform_(-1, 1)
        before = model(images)
        fold_layer_scale(model)
        after = model(images)
    for name in ("pose_enc", "depth", "depth_conf"):
        torch.testing.assert_close(after[name], before[name], rtol=1e-5, atol=1e-5)
    assert len(gains) == 2 * 4
    assert all((gain == 1).all() for gain in gains)
