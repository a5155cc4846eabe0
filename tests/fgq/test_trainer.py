"""A training run on random data: it learns, and goes on after a kill as if nothing had happened."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from fgq.data.shards import FORMAT, RENDERER_VERSION
from fgq.train import TrainConfig, train, trainer
from fgq.vggt import VGGT, VGGTConfig, load_checkpoint, save_checkpoint

SCENES, VIEWS, SIZE = 48, 3, (28, 42)
TINY = VGGTConfig(
    embed_dim=32,
    depth=4,
    num_heads=2,
    img_size=28,
    patch_embed="conv",
    camera_trunk_depth=1,
    camera_trunk_heads=2,
    dpt_features=8,
    dpt_out_channels=(4, 4, 8, 8),
    dpt_layers=(0, 1, 2, 3),
    init_values=0.3,
)


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Views of a wall from cameras that move sideways, with images of noise."""
    folder = tmp_path_factory.mktemp("data") / "shard-00000000"
    folder.mkdir()
    rng = np.random.default_rng(0)
    extrinsic = np.tile(np.eye(3, 4, dtype=np.float32), (SCENES, VIEWS, 1, 1))
    extrinsic[..., 0, 3] = rng.normal(0, 0.2, (SCENES, VIEWS))
    intrinsic = np.array([[40, 0, 21], [0, 40, 14], [0, 0, 1]], np.float32)
    arrays = {
        "images": rng.integers(0, 256, (SCENES, VIEWS, *SIZE, 3), np.uint8),
        "depth": np.full((SCENES, VIEWS, *SIZE), 2, np.float16),
        "extrinsic": extrinsic,
        "intrinsic": np.tile(intrinsic, (SCENES, VIEWS, 1, 1)),
        "overlap": np.ones((SCENES, VIEWS, VIEWS), np.float32),
    }
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)
    meta = {
        "format": FORMAT,
        "renderer_version": RENDERER_VERSION,
        "first_seed": 0,
        "scenes": SCENES,
        "views": VIEWS,
        "size": list(SIZE),
    }
    (folder / "meta.json").write_text(json.dumps(meta))
    return folder.parent


@pytest.fixture
def config(shards: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TrainConfig:
    monkeypatch.setattr(VGGTConfig, "nano", classmethod(lambda cls: TINY))
    return TrainConfig(
        data=str(shards),
        held_out=str(shards),
        out=str(tmp_path / "run"),
        sizes=(SIZE,),
        images_per_step=8,
        max_views=3,
        steps=6,
        warmup=1,
        decay=2,
        threads=1,
        dense="dpt",
        evaluate_every=100,
    )


class Killed(Exception):
    """Stands for a kill in mid-run."""


def test_a_resumed_run_gives_the_weights_of_an_unbroken_one(
    config: TrainConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(config)
    unbroken = load_checkpoint(tmp_path / "run" / "checkpoint").state_dict()

    broken = dataclasses.replace(config, out=str(tmp_path / "broken"), save_minutes=0)
    sample = trainer._batch_of_step

    def stop_at_four(*args: object) -> object:
        if args[2] == 4:
            raise Killed
        return sample(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(trainer, "_batch_of_step", stop_at_four)
    with pytest.raises(Killed):
        train(broken)
    monkeypatch.setattr(trainer, "_batch_of_step", sample)
    train(broken)
    resumed = load_checkpoint(tmp_path / "broken" / "checkpoint").state_dict()
    assert all(torch.equal(value, resumed[key]) for key, value in unbroken.items())


def test_training_lowers_every_loss(config: TrainConfig, tmp_path: Path) -> None:
    train(dataclasses.replace(config, steps=60, evaluate_every=20))
    rows = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    first, last = rows[1], rows[-1]
    assert last["step"] == 60
    for name in ("camera", "depth", "points"):
        assert last[name] < first[name]


def test_a_stage_starts_from_an_earlier_one(config: TrainConfig, tmp_path: Path) -> None:
    train(dataclasses.replace(config, dense="linear", steps=2))
    stage = dataclasses.replace(config, init=config.out, out=str(tmp_path / "next"))
    trainee = trainer._initial_trainee(stage)
    before = torch.load(tmp_path / "run" / "state.pt", weights_only=True)["trainee"]
    assert "linear_depth.project.weight" in before
    for key, value in trainee.state_dict().items():
        assert torch.equal(value, before[key]), key


def test_a_stage_starts_from_a_checkpoint(config: TrainConfig, tmp_path: Path) -> None:
    save_checkpoint(VGGT(TINY), tmp_path / "checkpoint")
    stage = dataclasses.replace(config, init=str(tmp_path / "checkpoint"))
    model = trainer._initial_trainee(stage).model
    for key, value in load_checkpoint(tmp_path / "checkpoint").state_dict().items():
        assert torch.equal(value, model.state_dict()[key]), key
