"""What the repository ships fits together and runs: checkpoint, 4-bit bundle, demo clip."""

import hashlib
import json
from pathlib import Path

import pytest

from app.cli import main
from app.engine import open_bundle
from fgq.vggt import load_checkpoint

ASSETS = Path(__file__).parents[1] / "assets"
BUNDLE = ASSETS / "vggt-nano-8da4w"


def test_the_bundle_was_made_from_the_checkpoint() -> None:
    bundle = open_bundle(BUNDLE)
    weights = ASSETS / "vggt-nano" / "model.safetensors"
    source = bundle.manifest["quantization"]["source"]
    assert source["sha256"] == hashlib.sha256(weights.read_bytes()).hexdigest()
    assert bundle.precision == "8da4w-g32"
    assert sorted(bundle.view_counts) == [1, 2, 4, 8]


def test_the_checkpoint_is_a_nano_network() -> None:
    model = load_checkpoint(ASSETS / "vggt-nano")
    assert sum(x.numel() for x in model.parameters()) < 12_000_000
    assert set(model.config.heads) == {"camera", "depth", "point"}


def test_the_demo_clip_is_reconstructed_in_4_bit(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    status = main(
        [
            "reconstruct",
            str(ASSETS / "demo" / "clip.mp4"),
            "--bundle",
            str(BUNDLE),
            "--out",
            str(out),
            "--max-keyframes",
            "6",
        ]
    )
    assert status == 0
    assert "pose error" in capsys.readouterr().out
    summary = json.loads((out / "summary.json").read_text())
    # Measured 0.14 to 0.3; a network whose weights mean nothing gives 0.4 and more.
    assert summary["accuracy"]["depth"]["abs_rel"] < 0.35
    names = {path.name for path in out.iterdir()}
    assert {"cameras.json", "trajectory.txt", "cloud.ply", "picture.png", "depth"} <= names
