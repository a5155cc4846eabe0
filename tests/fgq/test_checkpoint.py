"""Checkpoints: round trips, official forms, and everything that must be refused."""

import json
import logging
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from fgq.vggt import VGGT, CheckpointError, VGGTConfig, load_checkpoint, save_checkpoint
from fgq.vggt.checkpoint import config_from_shapes

TINY = VGGTConfig(
    embed_dim=32,
    depth=4,
    num_heads=2,
    img_size=56,
    init_values=0.3,
    patch_embed_depth=2,
    patch_embed_heads=2,
    camera_trunk_depth=1,
    camera_trunk_heads=2,
    dpt_features=16,
    dpt_out_channels=(16, 24, 32, 32),
    dpt_layers=(0, 1, 2, 3),
)
KEY = "aggregator.frame_blocks.2.mlp.fc1.weight"


@pytest.fixture
def network() -> VGGT:
    torch.manual_seed(0)
    return VGGT(TINY)


@pytest.fixture
def folder(network: VGGT, tmp_path: Path) -> Path:
    save_checkpoint(network, tmp_path / "saved")
    return tmp_path / "saved"


def same(first: VGGT, second: VGGT) -> bool:
    a, b = first.state_dict(), second.state_dict()
    return a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)


def rewrite(folder: Path, change: Callable[[dict[str, Tensor]], Any]) -> None:
    state = {key: x.clone() for key, x in load_file(folder / "model.safetensors").items()}
    change(state)
    save_file(state, folder / "model.safetensors")


def refused(path: Path, *words: str) -> None:
    with pytest.raises(CheckpointError) as caught:
        load_checkpoint(path)
    message = str(caught.value)
    assert "\n" not in message
    for word in (*words, str(path)):
        assert word in message


def test_round_trip(network: VGGT, folder: Path) -> None:
    loaded = load_checkpoint(folder)
    assert loaded.config == TINY
    assert same(loaded, network)
    assert not loaded.training
    assert all(p.requires_grad for p in loaded.parameters())
    assert sorted(os.listdir(folder)) == ["config.json", "model.safetensors"]


def test_saving_over_an_old_one(network: VGGT, folder: Path) -> None:
    """Also while the old file is still mapped into a loaded network."""
    loaded = load_checkpoint(folder)
    with torch.no_grad():
        loaded.aggregator.camera_token.add_(1)
    save_checkpoint(loaded, folder)
    assert same(load_checkpoint(folder), loaded)
    assert not same(loaded, network)


def test_fp16_storage(network: VGGT, tmp_path: Path) -> None:
    save_checkpoint(network, tmp_path, torch.float16)
    stored = load_file(tmp_path / "model.safetensors")
    assert {x.dtype for x in stored.values()} == {torch.float16}
    loaded = load_checkpoint(tmp_path)
    assert {p.dtype for p in loaded.parameters()} == {torch.float32}
    for key, x in network.state_dict().items():
        torch.testing.assert_close(loaded.state_dict()[key], x, rtol=1e-3, atol=1e-6)
    half = load_checkpoint(tmp_path, dtype=torch.float16)
    assert {p.dtype for p in half.parameters()} == {torch.float16}


@pytest.mark.parametrize("config", [TINY, replace(TINY, patch_embed="conv", img_size=518)])
@pytest.mark.parametrize("heads", [("camera", "depth", "point"), ("camera",), ("depth",)])
def test_single_files_without_configuration(
    config: VGGTConfig, heads: tuple[str, ...], tmp_path: Path
) -> None:
    network = VGGT(replace(config, heads=heads))
    state = network.state_dict()
    torch.save(state, tmp_path / "weights.pt")
    save_file(state, tmp_path / "weights.safetensors")
    for name in ("weights.pt", "weights.safetensors"):
        loaded = load_checkpoint(tmp_path / name)
        assert same(loaded, network)
        assert loaded.config.kept_layers == network.config.kept_layers


def test_shapes_of_the_release_give_its_configuration() -> None:
    with torch.device("meta"):
        network = VGGT(VGGTConfig.vggt_1b())
    shapes = {key: tuple(x.shape) for key, x in network.state_dict().items()}
    assert config_from_shapes(shapes) == VGGTConfig.vggt_1b()


def test_configuration_of_somebody_else_is_ignored(folder: Path) -> None:
    hub = {"embed_dim": 1024, "img_size": 518, "patch_size": 14}
    (folder / "config.json").write_text(json.dumps(hub))
    assert load_checkpoint(folder).config.embed_dim == 32


def test_tracker_is_left_out_with_a_line(
    network: VGGT, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rewrite(folder, lambda state: state.update({"track_head.tracker.x": torch.zeros(1)}))
    with caplog.at_level(logging.WARNING):
        assert same(load_checkpoint(folder), network)
    assert "left out 1 tensors of the tracker" in caplog.text


def test_missing_file(tmp_path: Path) -> None:
    refused(tmp_path / "none.pt", "no such file")
    refused(tmp_path, "model.safetensors", "no such file")


@pytest.mark.parametrize("name", ["weights.pt", "weights.safetensors", "weights.onnx"])
def test_text_files(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text("these are not the weights\n" * 100)
    refused(tmp_path / name)


@pytest.mark.parametrize("name", ["model.safetensors", "model.pt"])
@pytest.mark.parametrize("fraction", [0.0, 0.01, 0.9])
def test_truncated_files(name: str, fraction: float, network: VGGT, folder: Path) -> None:
    path = folder / name
    torch.save(network.state_dict(), folder / "model.pt")
    content = path.read_bytes()
    path.write_bytes(content[: int(fraction * len(content))])
    refused(path)


def test_a_pickle_is_not_executed(tmp_path: Path) -> None:
    class Harmful:
        def __reduce__(self) -> Any:
            return os.mkdir, (str(tmp_path / "executed"),)

    torch.save({"weights": Harmful()}, tmp_path / "weights.pt")
    refused(tmp_path / "weights.pt")
    assert not (tmp_path / "executed").exists()


def test_something_else_than_a_state_dict(tmp_path: Path) -> None:
    torch.save([torch.zeros(3)], tmp_path / "list.pt")
    refused(tmp_path / "list.pt", "state dict")
    torch.save({"a": torch.zeros(3)}, tmp_path / "other.pt")
    refused(tmp_path / "other.pt", "missing key")


@pytest.mark.parametrize("with_config", [True, False])
def test_missing_key(with_config: bool, folder: Path) -> None:
    if not with_config:
        (folder / "config.json").unlink()
    rewrite(folder, lambda state: state.pop(KEY))
    refused(folder, "missing key", KEY)


def test_unexpected_key(folder: Path) -> None:
    rewrite(folder, lambda state: state.update({"decoder.weight": torch.zeros(2)}))
    refused(folder, "unexpected key", "decoder.weight")


def test_wrong_shape(folder: Path) -> None:
    rewrite(folder, lambda state: state.update({KEY: torch.zeros(128, 33)}))
    refused(folder, KEY, "(128, 33)", "(128, 32)")


def test_integer_weights(folder: Path) -> None:
    rewrite(folder, lambda state: state.update({KEY: state[KEY].to(torch.int8)}))
    refused(folder, KEY, "torch.int8")


def test_damaged_configuration(folder: Path) -> None:
    text = (folder / "config.json").read_text()
    (folder / "config.json").write_text(text[:-20])
    refused(folder, "config.json")
    (folder / "config.json").write_text(text.replace('"depth": 4', '"depth": 3'))
    refused(folder, "config.json", "dpt_layers")


def test_a_failed_save_leaves_the_old_one(
    network: VGGT, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full_disk(state: object, path: Path, **_: object) -> None:
        path.write_bytes(b"half of it")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("fgq.vggt.checkpoint.save_file", full_disk)
    other = VGGT(replace(TINY, heads=("camera",)))
    with pytest.raises(CheckpointError, match="No space left"):
        save_checkpoint(other, folder)
    assert sorted(os.listdir(folder)) == ["config.json", "model.safetensors"]
    assert same(load_checkpoint(folder), network)


def test_a_file_in_the_place_of_the_folder(network: VGGT, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CheckpointError, match="cannot write"):
        save_checkpoint(network, tmp_path / "file")
