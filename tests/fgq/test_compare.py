"""A comparison of methods from files to results.json: what is computed, kept and computed again."""

import json
from pathlib import Path
from typing import Any, NoReturn

import cv2
import numpy as np
import pytest
import torch

from fgq import compare_cell
from fgq.cli import main
from fgq.compare import study_cells
from fgq.compare_cell import Cell
from fgq.data import shards
from fgq.evaluate import measure_set, synthetic_set
from fgq.evaluate.blocks import block_losses, measure_blocks
from fgq.fisher import load_fisher
from fgq.methods import quantize_rtn
from fgq.quant import GRIDS, load_packed, load_recipe
from fgq.vggt import VGGT, VGGTConfig, load_checkpoint, save_checkpoint

SIZE = (14, 28)
SMALL = VGGTConfig(
    embed_dim=32,
    depth=2,
    num_heads=2,
    img_size=56,
    init_values=0.3,
    patch_embed="conv",
    patch_embed_heads=2,
    num_register_tokens=1,
    camera_trunk_depth=1,
    camera_trunk_heads=2,
    camera_iterations=2,
    dpt_features=8,
    dpt_out_channels=(4, 4, 4, 4),
    dpt_layers=(0, 0, 1, 1),
)


def write_scenes(folder: Path, scenes: int, seed: int) -> Path:
    """Shards of random pictures with a wall of random relief behind them."""
    rng = np.random.default_rng(seed)
    extrinsic = np.tile(np.eye(3, 4), (scenes, 2, 1, 1))
    extrinsic[:, 1, :, 3] = rng.normal(size=(scenes, 3))
    for scene in range(scenes):
        extrinsic[scene, 1, :, :3] = cv2.Rodrigues(0.2 * rng.normal(size=3))[0]
    arrays = {
        "images": rng.integers(0, 256, (scenes, 2, *SIZE, 3)),
        "depth": rng.uniform(2, 3, (scenes, 2, *SIZE)),
        "extrinsic": extrinsic,
        "intrinsic": np.broadcast_to([[20.0, 0, 14], [0, 20, 7], [0, 0, 1]], (scenes, 2, 3, 3)),
        "overlap": np.ones((scenes, 2, 2)),
    }
    shard = folder / "shard-00000000"
    shard.mkdir(parents=True)
    for name, kind in shards.FIELDS.items():
        np.save(shard / f"{name}.npy", arrays[name].astype(kind))
    meta = {"format": shards.FORMAT, "scenes": scenes, "views": 2, "size": SIZE}
    (shard / "meta.json").write_text(json.dumps(meta))
    return folder


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a network, its Fisher information and two folders of scenes."""
    place = tmp_path_factory.mktemp("compare")
    write_scenes(place / "train", 4, seed=0)
    write_scenes(place / "held-out", 3, seed=1)
    torch.manual_seed(0)
    save_checkpoint(VGGT(SMALL), place / "net")
    command = ["fisher", place / "net", "--data", place / "train", "--out", place / "fisher"]
    command += ["--clips", 2, "--views", 2, "--size", "14x28", "--probes", 1]
    assert main([str(argument) for argument in command]) == 0
    return place


def compare(place: Path, out: str = "out", *more: object, **changes: object) -> int:
    options: dict[str, object] = {
        "--data": place / "train",
        "--fisher": place / "fisher",
        "--out": place / out,
        "--synthetic": place / "held-out",
        "--methods": "rtn",
        "--clips": 2,
        "--views": 2,
        "--size": "14x28",
        "--epochs": 1,
        "--block-clips": 2,
    }
    options |= {f"--{name.replace('_', '-')}": value for name, value in changes.items()}
    pairs = [part for pair in options.items() for part in pair]
    return main([str(part) for part in ("compare", place / "net", *pairs, *more)])


def results_of(place: Path, out: str = "out") -> Any:
    def refuse(constant: str) -> NoReturn:
        raise AssertionError(f"{constant} is not JSON")

    return json.loads((place / out / "results.json").read_text(), parse_constant=refuse)


def test_cells_hold_what_the_saved_checkpoint_measures(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert compare(place, methods="rtn,fgq,fgq-permuted", grids="8da4w-g32", seeds="0,1") == 0
    results = results_of(place)
    names = ["rtn_8da4w-g32_seed0"]
    names += [f"{m}_8da4w-g32_seed{s}" for s in (0, 1) for m in ("fgq", "fgq-permuted")]
    assert list(results["cells"]) == names

    cell = results["cells"]["fgq_8da4w-g32_seed1"]
    folder = place / "out" / "checkpoints" / "fgq_8da4w-g32_seed1"
    reference, quantized = load_checkpoint(place / "net"), load_packed(folder)
    held_out = synthetic_set(place / "held-out", 2, 24)
    for clip, again in zip(
        cell["sets"]["synthetic"], measure_set(quantized, held_out, reference), strict=True
    ):
        assert clip.keys() == again.keys()
        for key, value in again.items():
            assert clip[key] == (value if key == "clip" else pytest.approx(value, rel=1e-5))
    fisher = load_fisher(place / "fisher")
    clips = [held_out.load(i).images for i in range(2)]
    losses = block_losses(measure_blocks(reference, quantized, clips), fisher)
    for key, value in losses.items():
        assert np.array(cell["blocks"][key]) == pytest.approx(np.array(value), rel=1e-5)
    assert cell["bytes"] == (folder / "model.safetensors").stat().st_size
    assert cell["options"]["epochs"] == 1
    assert set(cell["seconds"]) == {"calibrate", "evaluate", "blocks"}

    full = results["full"]["sets"]["synthetic"]
    assert [clip["clip"] for clip in full] == [f"scene-000{i}" for i in range(3)]
    assert not any(key.startswith("fidelity") for key in full[0])
    assert results["evaluation"]["sets"][0]["clips"] == 3
    energy = np.array(results["fisher"]["energy"])
    assert energy == pytest.approx(fisher.blocks.sum(-1).numpy(), rel=1e-5)

    shown = capsys.readouterr()
    assert "fgq_8da4w-g32_seed1: rotation" in shown.out + shown.err
    clips_of = {
        name: [clip["sha256"] for clip in load_recipe(place / "out/checkpoints" / name)["clips"]]
        for name in names
    }
    assert clips_of[names[1]] == clips_of[names[2]] != clips_of[names[3]]
    permuted = results["cells"]["fgq-permuted_8da4w-g32_seed0"]
    assert permuted["options"]["permuted"]
    assert permuted["sha256"] != results["cells"]["fgq_8da4w-g32_seed0"]["sha256"]


def test_rounding_to_nearest_is_that_of_the_network(place: Path) -> None:
    assert compare(place, "rtn", grids="w4a4,w8a8") == 0
    quantized = load_checkpoint(place / "net")
    quantize_rtn(quantized, GRIDS["w4a4"], "aggregator")
    images = synthetic_set(place / "held-out", 2, 1).load(0).images
    saved = load_packed(place / "rtn/checkpoints/rtn_w4a4_seed0")
    with torch.no_grad():
        assert torch.equal(saved(images)["depth"], quantized(images)["depth"])
    cells = results_of(place, "rtn")["cells"]
    coarse, fine = (cells[f"rtn_{grid}_seed0"]["blocks"]["mse"] for grid in ("w4a4", "w8a8"))
    assert (np.array(coarse) > 10 * np.array(fine)).all()


def test_what_is_done_is_not_done_again(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert compare(place, "kept", grids="w4a8") == 0
    first = results_of(place, "kept")
    calls: list[str] = []

    def counted(name: str) -> None:
        inner = getattr(compare_cell, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            calls.append(name)
            return inner(*args, **kwargs)

        monkeypatch.setattr(compare_cell, name, call)

    for name in ("Calibration", "measure_blocks", "measure_set"):
        counted(name)
    assert compare(place, "kept", grids="w4a8") == 0
    assert calls == []
    assert results_of(place, "kept")["cells"] == first["cells"]

    assert compare(place, "kept", methods="rtn,gptq", grids="w4a8") == 0
    assert calls == ["Calibration", "measure_set", "measure_blocks"]
    assert results_of(place, "kept")["cells"]["rtn_w4a8_seed0"] == first["cells"]["rtn_w4a8_seed0"]
    assert results_of(place, "kept")["full"] == first["full"]

    calls.clear()
    assert compare(place, "kept", grids="w4a8", eval_clips=2) == 0
    assert calls == ["measure_set", "measure_set", "measure_blocks"]
    assert list(results_of(place, "kept")["cells"]) == ["rtn_w4a8_seed0"]
    assert len(results_of(place, "kept")["full"]["sets"]["synthetic"]) == 2

    calls.clear()
    assert compare(place, "kept", methods="gptq", grids="w4a8", eval_clips=2, clips=1) == 0
    assert calls == ["Calibration", "measure_set", "measure_blocks"]
    assert results_of(place, "kept")["cells"]["gptq_w4a8_seed0"]["calibration"]["clips"] == 1


def test_a_cell_that_fails_does_not_stop_the_others(
    place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    inner = compare_cell.Calibration

    def fail(model: VGGT, method: str, *args: Any) -> Any:
        if method == "quarot":
            raise ValueError("the calibration loss is not finite")
        return inner(model, method, *args)

    monkeypatch.setattr(compare_cell, "Calibration", fail)
    assert compare(place, "failing", methods="quarot,gptq", grids="w4a8") == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert error == (
        "error: 1 of 2 cells failed, the first was quarot_w4a8_seed0: the calibration loss is not"
        " finite"
    )
    cells = results_of(place, "failing")["cells"]
    assert cells["quarot_w4a8_seed0"]["error"] == "the calibration loss is not finite"
    assert "blocks" in cells["gptq_w4a8_seed0"]

    monkeypatch.setattr(compare_cell, "Calibration", inner)
    assert compare(place, "failing", methods="quarot,gptq", grids="w4a8") == 0
    assert "error" not in results_of(place, "failing")["cells"]["quarot_w4a8_seed0"]


@pytest.mark.slow
def test_two_processes_find_the_same(place: Path) -> None:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    assert compare(place, "one", methods="rtn,gptq,fgq") == 0
    assert compare(place, "two", methods="rtn,gptq,fgq", processes=2) == 0
    torch.set_num_threads(threads)
    one, two = results_of(place, "one")["cells"], results_of(place, "two")["cells"]
    assert set(one) == set(two)
    for name, cell in one.items():
        assert {k: v for k, v in cell.items() if k != "seconds"} == {
            k: v for k, v in two[name].items() if k != "seconds"
        }


def test_cells_are_in_an_order_that_compares_early() -> None:
    cells = study_cells(["rtn", "fgq", "fgq"], ["w4a4", "w8a8"], [3, 4])
    assert cells == [
        Cell("rtn", "w4a4", 3),
        Cell("fgq", "w4a4", 3),
        Cell("rtn", "w8a8", 3),
        Cell("fgq", "w8a8", 3),
        Cell("fgq", "w4a4", 4),
        Cell("fgq", "w8a8", 4),
    ]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"methods": "rtn,magic"}, "method 'magic' is none of rtn"),
        ({"methods": "rtn-permuted"}, "method 'rtn-permuted' is none of"),
        ({"grids": "w1a1"}, "grid 'w1a1' is none of"),
        ({"seeds": "0,x"}, "--seeds 0,x"),
        ({"processes": 0}, "--processes 0"),
        ({"block_clips": 0}, "at least one clip"),
        ({"synthetic": "train"}, "is both calibrated and evaluated on"),
        ({"fisher": "nowhere"}, "cannot be read as Fisher information"),
        ({"fisher": "other-fisher"}, "is not of"),
        ({"views": 3}, "have 2 views, not 3"),
    ],
)
def test_foreseeable_faults_are_one_line(
    place: Path, capsys: pytest.CaptureFixture[str], changes: dict[str, object], message: str
) -> None:
    if changes.get("fisher") == "other-fisher" and not (place / "other-fisher").exists():
        torch.manual_seed(1)
        save_checkpoint(VGGT(SMALL), place / "other")
        command = ["fisher", place / "other", "--data", place / "train", "--clips", 1]
        command += ["--out", place / "other-fisher", "--views", 2, "--size", "14x28"]
        assert main([str(argument) for argument in command]) == 0
    folders = ("synthetic", "fisher")
    named = {k: place / str(v) if k in folders else v for k, v in changes.items()}
    assert compare(place, "faults", **named) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith("error: ")
    assert message in error
    assert not (place / "faults").exists()
