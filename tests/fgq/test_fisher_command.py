"""The file of Fisher information, and the command that makes it."""

import json
import math
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from fgq.cli import main
from fgq.data.calibration import CalibrationClip
from fgq.fisher import Fisher, block_names, load_fisher, save_fisher
from fgq.fisher_estimate import estimate_fisher
from fgq.methods import quantize_rtn
from fgq.quant import save_packed
from fgq.vggt import VGGT, CheckpointError, VGGTConfig, load_checkpoint, save_checkpoint

TINY = VGGTConfig(
    embed_dim=8,
    depth=2,
    num_heads=2,
    patch_embed="conv",
    patch_embed_heads=2,
    num_register_tokens=2,
    camera_trunk_depth=1,
    camera_trunk_heads=2,
    dpt_features=8,
    dpt_out_channels=(4, 4, 4, 4),
    dpt_layers=(0, 0, 1, 1),
)


@pytest.fixture(scope="module")
def model() -> VGGT:
    torch.manual_seed(0)
    return VGGT(TINY).eval()


@pytest.fixture
def fisher(model: VGGT) -> Fisher:
    pixels = np.random.default_rng(0).integers(256, size=(2, 14, 28, 3), dtype=np.uint8)
    return estimate_fisher(model, [CalibrationClip("a", pixels, "hash")], probes=1)


def test_saved_and_loaded(fisher: Fisher, tmp_path: Path) -> None:
    save_fisher(fisher, tmp_path / "f")
    loaded = load_fisher(tmp_path / "f")
    for name in ("blocks", "per_clip", "tokens"):
        assert torch.equal(getattr(loaded, name), getattr(fisher, name))
    assert loaded.linears.keys() == fisher.linears.keys()
    assert all(torch.equal(loaded.linears[name], x) for name, x in fisher.linears.items())
    assert loaded.manifest == fisher.manifest
    save_fisher(fisher, tmp_path / "f")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "letter.txt").write_text("dear")
    with pytest.raises(FileExistsError):
        save_fisher(fisher, tmp_path / "full")


def test_damaged_files_are_refused(fisher: Fisher, tmp_path: Path) -> None:
    folder = tmp_path / "f"
    tensors, manifest = folder / "fisher.safetensors", folder / "fisher.json"

    def refuse() -> None:
        with pytest.raises(CheckpointError, match="cannot be read as Fisher information") as error:
            load_fisher(folder)
        assert "\n" not in str(error.value)
        save_fisher(fisher, folder)

    refuse()
    load_fisher(folder)
    tensors.write_bytes(tensors.read_bytes()[:-100])
    refuse()
    tensors.unlink()
    refuse()
    manifest.write_text("{")
    refuse()
    manifest.write_text(json.dumps({"format": "another", "format_version": 1}))
    refuse()
    for key, value in (("tokens", torch.ones(2)), ("blocks", torch.full((3, 4, 3, 8), -1.0))):
        save_file({**load_file(tensors), key: value}, tensors)
        refuse()


@pytest.fixture
def place(tmp_path: Path, model: VGGT) -> Path:
    """A checkpoint and a folder of images."""
    save_checkpoint(model, tmp_path / "net", torch.float32)
    (tmp_path / "images").mkdir()
    for index in range(6):
        pixels = np.random.default_rng(index).integers(256, size=(28, 28, 3), dtype=np.uint8)
        cv2.imwrite(str(tmp_path / f"images/{index}.png"), pixels)
    return tmp_path


def command(place: Path, *more: str, net: str = "net", data: str = "images") -> int:
    arguments = [str(place / net), "--data", str(place / data), "--out", str(place / "out")]
    options = ["--clips", "2", "--views", "2", "--size", "14x28", "--probes", "1"]
    return main(["fisher", *arguments, *options, *more])


@pytest.mark.parametrize("estimator", ["gauss-newton", "paper"])
def test_command(place: Path, capsys: pytest.CaptureFixture[str], estimator: str) -> None:
    assert command(place, "--estimator", estimator) == 0
    shown = capsys.readouterr().out.splitlines()
    assert len(shown) == 1 + 3 * 3 + 1
    fisher = load_fisher(place / "out")
    energies = fisher.per_clip.mean(0).sum(-1)
    top = energies[0].argmax()
    share = energies[0, top] / energies[0].sum()
    task, block, shown_share, low, *_, high = shown[1].replace(" to ", " ").split()
    assert (task, block) == ("camera", block_names(2)[top])
    assert float(shown_share.strip("%")) == pytest.approx(100 * share.item(), abs=0.06)
    assert float(low.strip("%")) <= float(shown_share.strip("%")) <= float(high.strip("%"))
    manifest = fisher.manifest
    assert manifest["estimator"] == estimator
    assert len(manifest["clips"]) == 2
    assert len(manifest["checkpoint"]["sha256"]) == 64
    assert command(place, "--estimator", estimator, "--keep-activations") == 0
    assert torch.equal(load_fisher(place / "out").blocks, fisher.blocks)


def test_command_refuses_in_one_line(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def refuse(message: str, *more: str, net: str = "net", data: str = "images") -> None:
        capsys.readouterr()
        assert command(place, *more, net=net, data=data) == 2
        (line,) = [x for x in capsys.readouterr().err.splitlines() if x.startswith("error: ")]
        assert message in line
        assert not list(place.glob(".out*"))

    (place / "empty").mkdir()
    refuse("no shards, no cameras.json and no images", data="empty")
    refuse("no such file", net="missing")
    refuse("multiples of 14", "--size", "20x28")
    refuse("cannot be used", "--device", "abacus")
    model = load_checkpoint(place / "net")
    with torch.no_grad():
        model.point_head.scratch.output_conv2[2].bias[0] = math.nan
    save_checkpoint(model, place / "broken")
    refuse("the predicted world_points is not finite", net="broken")
    quantize_rtn(model)
    save_packed(model, place / "packed", {"method": "rtn"})
    refuse("4 bit", net="packed")
    (place / "out").mkdir()
    (place / "out" / "letter.txt").write_text("dear")
    refuse("exists and holds something else")
