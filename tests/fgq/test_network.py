"""Properties of the network that golden vectors do not show."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from fgq.geometry import decode_pose
from fgq.vggt import VGGT, VGGTConfig

TINY = VGGTConfig(
    embed_dim=32,
    depth=4,
    num_heads=2,
    img_size=56,
    init_values=0.3,
    patch_embed_depth=2,
    patch_embed_heads=2,
    camera_trunk_depth=1,
    camera_trunk_heads=4,
    dpt_features=16,
    dpt_out_channels=(16, 24, 32, 32),
    dpt_layers=(0, 1, 2, 3),
)


@pytest.fixture(scope="module")
def network() -> VGGT:
    torch.manual_seed(0)
    return VGGT(TINY).eval()


@pytest.fixture(scope="module")
def images() -> Tensor:
    return torch.rand(1, 3, 3, 28, 42, generator=torch.Generator().manual_seed(1))


@torch.no_grad()
def test_outputs_and_their_shapes(network: VGGT, images: Tensor) -> None:
    out = network(images, return_tokens=True)
    assert [tuple(code.shape) for code in out["pose_enc_list"]] == [(1, 3, 9)] * 4
    assert out["pose_enc"] is out["pose_enc_list"][-1]
    assert out["depth"].shape == (1, 3, 28, 42, 1)
    assert out["world_points"].shape == (1, 3, 28, 42, 3)
    assert out["depth_conf"].shape == out["world_points_conf"].shape == (1, 3, 28, 42)
    assert out["depth_conf"].min() >= 1
    assert {i: tuple(x.shape) for i, x in out["tokens"].items()} == {
        i: (1, 3, 5 + 2 * 3, 64) for i in range(4)
    }
    assert "tokens" not in network(images)


@torch.no_grad()
def test_dense_heads_one_view_at_a_time(network: VGGT, images: Tensor) -> None:
    whole, pieces = network(images), network(images, views_per_chunk=1)
    for name in ("depth", "depth_conf", "world_points", "world_points_conf"):
        torch.testing.assert_close(pieces[name], whole[name], rtol=1e-5, atol=1e-5)


@torch.no_grad()
def test_only_the_first_view_is_special(network: VGGT, images: Tensor) -> None:
    """Exchanging two later views exchanges their outputs; exchanging the first does more."""
    plain = network(images)["pose_enc"]
    exchanged = network(images[:, [0, 2, 1]])["pose_enc"][:, [0, 2, 1]]
    torch.testing.assert_close(exchanged, plain, rtol=1e-4, atol=1e-6)
    other_first = network(images[:, [1, 0, 2]])["pose_enc"][:, [1, 0, 2]]
    assert (other_first - plain).abs().max() > 1e-4


@torch.no_grad()
def test_scenes_of_a_batch_do_not_mix(network: VGGT, images: Tensor) -> None:
    both = network(torch.cat((images, images.flip(-1))))
    torch.testing.assert_close(both["pose_enc"][:1], network(images)["pose_enc"])


@torch.no_grad()
def test_chosen_layers(network: VGGT, images: Tensor) -> None:
    kept = network.aggregator(images, layers=[2])
    torch.testing.assert_close(kept[2], network.aggregator(images)[2])
    assert list(kept) == [2]


def test_only_the_layers_that_the_heads_read() -> None:
    camera = replace(TINY, heads=("camera",))
    assert camera.kept_layers == (3,)
    assert VGGTConfig.vggt_1b().kept_layers == (4, 11, 17, 23)
    network = VGGT(camera).eval()
    with torch.no_grad():
        out = network(torch.zeros(1, 1, 3, 14, 14))
    assert set(out) == {"pose_enc", "pose_enc_list"}


def test_residual_stays_in_fp32_under_autocast(network: VGGT, images: Tensor) -> None:
    with torch.autocast("cpu", torch.bfloat16):
        tokens = network.aggregator(images)
        out = network(images)
    assert {x.dtype for x in tokens.values()} == {torch.float32}
    assert out["depth"].dtype == out["pose_enc"].dtype == torch.float32
    torch.testing.assert_close(tokens[3], network.aggregator(images)[3], rtol=0, atol=0.05)
    out["depth"].mean().backward()
    gradient = network.get_parameter("aggregator.frame_blocks.0.attn.qkv.weight").grad
    assert gradient is not None
    assert gradient.isfinite().all()
    network.zero_grad()


def test_initial_poses_are_near_the_identity() -> None:
    torch.manual_seed(0)
    size = (56, 70)
    with torch.no_grad():
        code = VGGT(VGGTConfig.nano()).eval()(torch.rand(1, 2, 3, *size))["pose_enc"]
    extrinsic, _ = decode_pose(code, size)
    torch.testing.assert_close(extrinsic, torch.eye(4)[:3].expand(1, 2, 3, 4), rtol=0, atol=0.25)
    torch.testing.assert_close(code[..., 7:], torch.ones(1, 2, 2), rtol=0, atol=0.25)


def test_every_parameter_but_the_unused_one_learns() -> None:
    torch.manual_seed(0)
    network = VGGT(TINY)
    out = network(torch.rand(1, 2, 3, 28, 28))
    total = sum(code.sum() for code in out["pose_enc_list"])
    for name in ("depth", "depth_conf", "world_points", "world_points_conf"):
        total = total + out[name].sum()
    total.backward()
    idle = [name for name, p in network.named_parameters() if p.grad is None]
    assert idle == ["aggregator.patch_embed.mask_token"]


def test_nano_is_small() -> None:
    with torch.device("meta"):
        network = VGGT(VGGTConfig.nano())
    assert sum(p.numel() for p in network.parameters()) <= 12_000_000


@pytest.mark.parametrize("shape", [(1, 2, 3, 30, 28), (2, 3, 28, 28), (1, 2, 4, 28, 28)])
def test_wrong_shapes_are_refused(network: VGGT, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="multiples of 14"):
        network(torch.zeros(shape))


@pytest.mark.parametrize("config", [VGGTConfig.nano(), VGGTConfig.vggt_1b(), TINY])
def test_configuration_round_trip(config: VGGTConfig) -> None:
    assert VGGTConfig.from_json(config.to_json()) == config


@pytest.mark.parametrize(
    "change",
    [
        {"dpt_layers": (0, 1, 2, 9)},
        {"dpt_layers": (3, 2, 1, 0)},
        {"num_heads": 5},
        {"dpt_features": 12},
        {"heads": ("camera", "track")},
        {"patch_embed": "vit"},
    ],
)
def test_bad_configurations_are_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="bad VGGTConfig"):
        replace(TINY, **change)  # type: ignore[arg-type]


@pytest.mark.parametrize("text", ["{}", "[]", '{"embed_dim": 3}'])
def test_incomplete_configurations_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a VGGTConfig"):
        VGGTConfig.from_json(text)
