"""The rotated residual stream: the same function, folded to nothing but an entry and a tap."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from fgq.quant import quantized_sites
from fgq.quant.hadamard import balanced_factors, hadamard, has_hadamard, orthogonal_with_mean
from fgq.quant.rotation import (
    RotatedLayerNorm,
    RotatedPairNorm,
    insert_rotation,
    is_rotated,
    residual_rotation,
    rotate_residual,
    rotate_values,
)
from fgq.vggt import VGGT, Predictions, VGGTConfig, load_checkpoint
from fgq.vggt.attention import Block, rope_2d

NANO = Path(__file__).parents[2] / "assets" / "vggt-nano"

CONV = VGGTConfig(
    embed_dim=48,
    depth=2,
    num_heads=2,
    img_size=56,
    patch_embed="conv",
    patch_embed_depth=1,
    patch_embed_heads=2,
    camera_trunk_depth=1,
    camera_trunk_heads=2,
    dpt_features=8,
    dpt_out_channels=(8, 8, 8, 8),
    dpt_layers=(0, 0, 1, 1),
)
DINO = replace(CONV, patch_embed="dinov2")
# 4 x 12, a power of two, 16 x 12 as in the embedded model, and one without a Hadamard matrix.
WIDTHS = (48, 64, 192, 72)


def random_network(config: VGGTConfig, dtype: torch.dtype = torch.float64) -> VGGT:
    """A network in which no gain is one, no bias zero and no token of zero mean."""
    torch.manual_seed(0)
    model = VGGT(config).to(dtype).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() < 2:
                parameter.add_(0.3 * torch.randn_like(parameter))
            else:
                parameter.add_(0.5 * torch.randn_like(parameter) / parameter[0].numel() ** 0.5)
        for token in (model.aggregator.camera_token, model.aggregator.register_token):
            token.add_(0.7)
    return model


def random_images(views: int, dtype: torch.dtype = torch.float64) -> Tensor:
    generator = torch.Generator().manual_seed(views)
    return torch.rand(1, views, 3, 28, 42, generator=generator, dtype=dtype)


def rotate_all_values(model: VGGT) -> None:
    """A random orthogonal matrix for every head of every block of the aggregator."""
    for block in blocks_of(model):
        heads = block.attn.num_heads
        size = block.attn.proj.in_features // heads
        rotate_values(block, torch.linalg.qr(torch.randn(heads, size, size).double())[0])


def blocks_of(model: VGGT) -> list[Block]:
    return [*model.aggregator.frame_blocks, *model.aggregator.global_blocks]


@torch.no_grad()
def run(model: VGGT, images: Tensor) -> Predictions:
    return model(images, return_tokens=True)


def error(actual: Tensor, expected: Tensor) -> float:
    """Largest difference, relative to the largest magnitude."""
    assert torch.isfinite(expected).all()
    return ((actual - expected).abs().max() / expected.abs().max()).item()


OUTPUTS = ("pose_enc", "depth", "depth_conf", "world_points", "world_points_conf")


def output_error(actual: Predictions, expected: Predictions) -> float:
    return max(error(actual[name], expected[name]) for name in OUTPUTS)


@pytest.mark.parametrize("n", [1, 2, 4, 12, 20, 24, 28, 40, 56, 192, 768, 1024])
def test_hadamard_is_flat_orthogonal_and_starts_with_the_mean(n: int) -> None:
    matrix = hadamard(n)
    assert matrix.dtype == torch.float64
    torch.testing.assert_close(matrix.abs(), torch.full_like(matrix, n**-0.5), rtol=1e-14, atol=0)
    assert (matrix[:, 0] > 0).all()
    torch.testing.assert_close(
        matrix.T @ matrix, torch.eye(n, dtype=torch.float64), rtol=0, atol=1e-13
    )


def test_orders_with_a_hadamard_matrix() -> None:
    known = {m * 2**k for m in (1, 12, 20, 28) for k in range(10)}
    assert {n for n in range(400) if has_hadamard(n)} == {n for n in known if n < 400}
    with pytest.raises(ValueError, match="order 36"):
        hadamard(36)


@pytest.mark.parametrize("n", [1, 2, 7, 72])
def test_random_orthogonal_matrix_starts_with_the_mean(n: int) -> None:
    matrix = orthogonal_with_mean(n, seed=3)
    torch.testing.assert_close(matrix.T @ matrix, torch.eye(n, dtype=torch.float64))
    torch.testing.assert_close(matrix[:, 0], torch.full((n,), n**-0.5, dtype=torch.float64))
    assert torch.equal(matrix, orthogonal_with_mean(n, seed=3))


def test_random_orthogonal_matrices_have_no_preferred_sign() -> None:
    entries = torch.stack([orthogonal_with_mean(4, seed)[:, 1] for seed in range(200)])
    assert entries.mean(0).abs().max() < 0.15  # standard error 0.03


@pytest.mark.parametrize(
    ("n", "factors"),
    [
        (192, (12, 16)),
        (384, (16, 24)),
        (768, (24, 32)),
        (1024, (32, 32)),
        (4096, (64, 64)),
        (36, (6, 6)),  # no pair of Hadamard matrices
        (24, (2, 12)),  # 4 x 6 is more balanced, but there is none of order 6
        (13, (1, 13)),
    ],
)
def test_factors_are_balanced_and_have_hadamard_matrices(n: int, factors: tuple[int, int]) -> None:
    assert balanced_factors(n) == factors


def test_seeds_draw_other_orders_of_the_same_rows() -> None:
    plain, drawn = residual_rotation(48), residual_rotation(48, seed=5)
    assert torch.equal(plain, hadamard(48))
    assert not torch.equal(drawn, plain)
    assert torch.equal(drawn, residual_rotation(48, seed=5))
    assert {tuple(row) for row in drawn.tolist()} == {tuple(row) for row in plain.tolist()}


def test_norms_commute_with_the_rotation() -> None:
    torch.manual_seed(0)
    q = residual_rotation(72, seed=1)
    x, y = torch.randn(2, 5, 72, dtype=torch.float64) * 0.01 + torch.tensor([[[3.0]], [[-1.0]]])
    single, pair = nn.LayerNorm(72, eps=1e-4).double(), nn.LayerNorm(144, eps=1e-4).double()
    rotated = RotatedLayerNorm(single)(x @ q)
    assert error(rotated @ q.T, single(x)) < 1e-12
    both = torch.cat((x, y), dim=-1)
    turn = torch.block_diag(q, q)
    assert error(RotatedPairNorm(pair)(both @ turn) @ turn.T, pair(both)) < 1e-12


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("values", [False, True])
@torch.no_grad()
def test_a_rotated_block_is_the_same_function(width: int, values: bool) -> None:
    model = random_network(replace(CONV, embed_dim=width))
    q = residual_rotation(width)
    x = torch.randn(2, 11, width, dtype=torch.float64) + 0.5
    rope = rope_2d(2, 3, width // 2, num_special=5)
    expected = [block(x, rope) for block in blocks_of(model)]
    rotate_residual(model, q)
    if values:
        rotate_all_values(model)
    for block, want in zip(blocks_of(model), expected, strict=True):
        assert error(block(x @ q, rope) @ q.T, want) < 1e-12


@pytest.mark.parametrize("config", [CONV, DINO], ids=["conv", "dinov2"])
@pytest.mark.parametrize("width", WIDTHS)
def test_a_rotated_network_is_the_same_function(config: VGGTConfig, width: int) -> None:
    model = random_network(replace(config, embed_dim=width))
    clips = [random_images(views) for views in (1, 3)]
    expected = [run(model, images) for images in clips]
    q = residual_rotation(width, seed=2)
    rotate_residual(model, q)
    rotate_all_values(model)
    for images, want in zip(clips, expected, strict=True):
        got = run(model, images)
        assert output_error(got, want) < 1e-10
        for layer, tokens in want["tokens"].items():
            assert error(got["tokens"][layer], tokens @ torch.block_diag(q, q)) < 1e-11


def test_networks_without_some_heads_are_rotated_too() -> None:
    model = random_network(replace(DINO, heads=("depth",)))
    images = random_images(2)
    expected = run(model, images)
    rotate_residual(model, residual_rotation(48))
    assert error(run(model, images)["depth"], expected["depth"]) < 1e-10


def test_single_precision_keeps_the_embedded_network() -> None:
    model = load_checkpoint(NANO)
    images = torch.rand(1, 3, 3, 112, 154, generator=torch.Generator().manual_seed(0))
    expected = run(model, images)
    rotate_residual(model, residual_rotation(model.config.embed_dim))
    rotate_all_values(model)
    got = run(model, images)
    assert (got["pose_enc"] - expected["pose_enc"]).abs().max() < 1e-4
    relative = (got["depth"] - expected["depth"]).abs() / expected["depth"]
    assert relative.max() < 1e-4
    assert {p.dtype for p in model.parameters()} == {torch.float32}


@torch.no_grad()
def test_values_take_any_invertible_matrix() -> None:
    block = blocks_of(random_network(CONV))[0]
    x = torch.randn(2, 7, 48, dtype=torch.float64)
    expected = block(x)
    before = block.attn.qkv.weight.clone()
    matrices = torch.eye(24, dtype=torch.float64) + 0.1 * torch.randn(2, 24, 24).double()
    rotate_values(block, matrices)
    assert error(block(x), expected) < 1e-12
    assert torch.equal(block.attn.qkv.weight[:96], before[:96])  # queries and keys
    # Head 1, spelled out: its values are the old ones times its matrix.
    values = x @ before[120:].T @ matrices[1]
    assert error(x @ block.attn.qkv.weight[120:].T, values) < 1e-12


@pytest.mark.parametrize("config", [CONV, DINO], ids=["conv", "dinov2"])
def test_rotated_networks_load_from_a_state_dict_bit_for_bit(config: VGGTConfig) -> None:
    model = random_network(config, torch.float32)
    rotate_residual(model, residual_rotation(48))
    state = model.state_dict()
    with torch.device("meta"):
        loaded = VGGT(config).eval()
        insert_rotation(loaded)
    empty = loaded.state_dict()
    assert {k: (x.shape, x.dtype) for k, x in empty.items()} == {
        k: (x.shape, x.dtype) for k, x in state.items()
    }
    loaded.load_state_dict(state, assign=True)
    images = random_images(2, torch.float32)
    got, want = run(loaded, images), run(model, images)
    assert all(torch.equal(got[name], want[name]) for name in OUTPUTS)


def test_parameters_that_were_folded_are_gone() -> None:
    model = random_network(DINO)
    before = set(model.state_dict())
    rotate_residual(model, residual_rotation(48))
    after = set(model.state_dict())
    gone = {
        f"{head}_head.norm.{kind}" for head in ("depth", "point") for kind in ("weight", "bias")
    }
    gone |= {f"camera_head.token_norm.{kind}" for kind in ("weight", "bias")}
    gone |= {
        f"aggregator.{kind}_blocks.{i}.norm{k}.bias"
        for kind in ("frame", "global")
        for i in (0, 1)
        for k in (1, 2)
    }
    assert before - after == gone
    tap = "camera_head.token_norm."
    assert after - before == {f"{tap}rotation", f"{tap}norm.weight", f"{tap}norm.bias"}
    for block in blocks_of(model):
        # The norm takes coordinate 0 away: what would meet it must not widen a group's range.
        assert not block.attn.qkv.weight[:, 0].any()
        assert not block.mlp.fc1.weight[:, 0].any()


@pytest.mark.parametrize("config", [CONV, DINO], ids=["conv", "dinov2"])
def test_no_product_is_added_but_at_the_entry_and_for_the_camera(config: VGGTConfig) -> None:
    model = random_network(config, torch.float32)
    views, patches, width = 3, 2 * 3, 48
    images = random_images(views, torch.float32)

    def flops() -> int:
        with FlopCounterMode(display=False) as counter:
            run(model, images)
        return counter.get_total_flops()

    sites = list(quantized_sites(model))
    before = flops()
    rotate_residual(model, residual_rotation(width))
    rotate_all_values(model)
    after = flops()
    camera = 2 * views * 2 * width * width
    entry = 2 * views * patches * width * width if config is DINO else 0
    assert after - before == camera + entry
    assert before > 50 * camera  # the counter does see the network
    # The entry writes to the residual stream: it is no candidate for 4 bits.
    assert list(quantized_sites(model)) == sites


def test_only_rotated_networks_are_rotated() -> None:
    model = random_network(CONV)
    assert not is_rotated(model)
    rotate_residual(model, residual_rotation(48))
    assert is_rotated(model)
    with pytest.raises(ValueError, match="already"):
        rotate_residual(model, residual_rotation(48))
    with pytest.raises(ValueError, match="already"):
        insert_rotation(model)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda q: q[:24, :24], "shape"),
        (lambda q: 1.01 * q, "orthogonal"),
        (lambda q: q.flip(1), "first column"),
        (lambda q: -q, "first column"),
    ],
)
def test_bad_rotations_change_nothing(spoil: Callable[[Tensor], Tensor], message: str) -> None:
    model = random_network(CONV)
    before = {key: x.clone() for key, x in model.state_dict().items()}
    with pytest.raises(ValueError, match=message):
        rotate_residual(model, spoil(residual_rotation(48)))
    after = model.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(after[key], x) for key, x in before.items())


def test_bad_value_rotations_change_nothing() -> None:
    block = blocks_of(random_network(CONV))[0]
    before = {key: x.clone() for key, x in block.state_dict().items()}
    singular = torch.eye(24).repeat(2, 1, 1)
    singular[1, 3, 3] = 0.0
    for matrices, message in ((singular, "no inverse"), (torch.eye(24), "shape")):
        with pytest.raises(ValueError, match=message):
            rotate_values(block, matrices)
    assert all(torch.equal(block.state_dict()[key], x) for key, x in before.items())


def test_quantized_blocks_are_refused() -> None:
    model = random_network(CONV)
    model.set_submodule("aggregator.global_blocks.1.mlp.fc2", nn.Identity())
    with pytest.raises(ValueError, match="before quantizing"):
        rotate_residual(model, residual_rotation(48))
    block = model.aggregator.global_blocks[1]
    assert isinstance(block, Block)
    with pytest.raises(ValueError, match="before quantizing"):
        rotate_values(block, torch.eye(24).repeat(2, 1, 1))
