"""`python -m fgq calibrate`: results, faults, full disks, and going on after any kind of end."""

import errno
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from torch import nn

import fgq.calibrate
from fgq.calibrate_command import JOB_NAME
from fgq.cli import main
from fgq.files import file_sha256
from fgq.fisher import Fisher, save_fisher
from fgq.methods import METHODS
from fgq.quant import load_packed, load_recipe
from fgq.vggt import VGGT, VGGTConfig, save_checkpoint

TINY = VGGTConfig(
    embed_dim=32,
    depth=2,
    num_heads=2,
    img_size=28,
    init_values=0.5,
    num_register_tokens=2,
    mlp_ratio=2.0,
    patch_embed="conv",
    patch_embed_heads=2,
    camera_trunk_depth=1,
    camera_trunk_heads=2,
    camera_iterations=2,
    dpt_features=8,
    dpt_out_channels=(4, 4, 4, 4),
    dpt_layers=(0, 0, 1, 1),
    heads=("camera", "depth"),
)
BLOCKS = 5


def write_images(folder: Path, sizes: list[tuple[int, int]]) -> Path:
    folder.mkdir()
    rng = np.random.default_rng(0)
    for i, (height, width) in enumerate(sizes):
        pixels = rng.integers(256, size=(height, width, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{i}.png")
    return folder


def write_fisher(folder: Path, model: VGGT, checkpoint: str | None) -> Path:
    generator = torch.Generator().manual_seed(0)
    depth, width = model.config.depth, model.config.embed_dim
    linears = {
        name: torch.rand(3, 3, module.out_features, generator=generator)
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear)
    }
    manifest = {} if checkpoint is None else {"checkpoint": {"sha256": checkpoint}}
    blocks = torch.rand(3, 2 * depth, 3, width, generator=generator) ** 3
    tokens = torch.tensor([2.0, 2 * model.config.num_register_tokens, 4])
    save_fisher(Fisher(blocks, linears, torch.rand(2, 3, 2 * depth, 3), tokens, manifest), folder)
    return folder


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a network `net`, its Fisher information `fisher` and a folder `images`."""
    place = tmp_path_factory.mktemp("calibrate")
    torch.manual_seed(0)
    model = VGGT(TINY)
    save_checkpoint(model, place / "net")
    write_fisher(place / "fisher", model, file_sha256(place / "net" / "model.safetensors"))
    write_images(place / "images", [(28, 28)] * 8)
    return place


def arguments(place: Path, out: Path, changes: dict[str, Any]) -> list[str]:
    options: dict[str, Any] = {
        "--data": place / "images",
        "--fisher": place / "fisher",
        "--out": out,
        "--clips": 2,
        "--views": 2,
        "--size": "14x28",
        "--epochs": 1,
        "--threads": 1,
    }
    checkpoint = changes.pop("checkpoint", place / "net")
    options |= {f"--{name.replace('_', '-')}": value for name, value in changes.items()}
    pairs = [str(x) for pair in options.items() if pair[1] is not None for x in pair]
    return ["calibrate", str(checkpoint), *pairs]


def calibrate(place: Path, out: Path, **changes: Any) -> int:
    return main(arguments(place, out, changes))


def weights(folder: Path) -> bytes:
    return (folder / "model.safetensors").read_bytes()


def work_of(out: Path) -> Path:
    return out.with_name(f".{out.name}.calibration")


def kept(out: Path) -> list[str]:
    return sorted(path.name for path in work_of(out).iterdir() if path.name != JOB_NAME)


@contextmanager
def refused(capsys: pytest.CaptureFixture[str], message: str) -> Iterator[None]:
    """The body must leave one line on stderr, after progress at most, that has this message."""
    capsys.readouterr()
    yield
    shown = capsys.readouterr()
    line = shown.err.splitlines()[-1].rsplit("\r", 1)[-1]
    assert line.startswith("error: ")
    assert message in line
    assert "Traceback" not in shown.err
    assert shown.out == ""


def test_result_and_what_it_tells(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "deep" / "q"
    assert calibrate(place, out, grid="w4a4", scope="aggregator", seed=7) == 0
    assert "fgq on w4a4" in capsys.readouterr().out
    assert [path.name for path in out.parent.iterdir()] == ["q"]  # nothing else is left
    recipe = load_recipe(out)
    assert recipe["method"] == "fgq"
    assert recipe["scope"] == "aggregator"
    assert recipe["options"]["seed"] == 7
    assert recipe["options"]["epochs"] == 1
    assert recipe["options"]["weighting"] == METHODS["fgq"][1].weighting
    assert recipe["source"]["sha256"] == file_sha256(place / "net" / "model.safetensors")
    assert recipe["fisher"] == file_sha256(place / "fisher" / "fisher.safetensors")
    assert len({clip["sha256"] for clip in recipe["clips"]}) == 2
    assert len(recipe["losses"]) == 4
    assert all(loss > 0 for loss in recipe["losses"].values())
    assert load_packed(out)(torch.rand(1, 2, 3, 14, 28))["depth"].isfinite().all()
    # Without weights of errors, Fisher information is not used and not needed.
    assert calibrate(place, out, method="rtn", fisher=None) == 0
    assert load_recipe(out)["fisher"] is None
    assert len(load_recipe(out)["losses"]) == BLOCKS


def test_the_same_arguments_give_the_same_file(place: Path, tmp_path: Path) -> None:
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        assert calibrate(place, tmp_path / name, grid="w4a4", seed=seed) == 0
    assert weights(tmp_path / "a") == weights(tmp_path / "b") != weights(tmp_path / "c")


def other_network(place: Path, folder: Path) -> VGGT:
    torch.manual_seed(1)
    model = VGGT(VGGTConfig(**{**TINY.__dict__, "depth": 4, "dpt_layers": (0, 1, 2, 3)}))
    save_checkpoint(model, folder)
    return model


def damaged(place: Path, folder: Path, key: str) -> Path:
    model = VGGT(TINY)
    model.load_state_dict(load_file(place / "net" / "model.safetensors"))
    model.get_parameter(key).data.view(-1)[3] = float("nan")
    save_checkpoint(model, folder)
    return folder


Faulty = Callable[[Path, Path], dict[str, Any]]


def nan_in_a_block(place: Path, tmp: Path) -> dict[str, Any]:
    key = "aggregator.global_blocks.1.mlp.fc1.weight"
    return {"checkpoint": damaged(place, tmp / "nan", key), "method": "rtn"}


def nan_in_a_head(place: Path, tmp: Path) -> dict[str, Any]:
    key = "depth_head.scratch.output_conv1.weight"
    return {"checkpoint": damaged(place, tmp / "nan", key), "method": "rtn"}


def empty_folder(place: Path, tmp: Path) -> dict[str, Any]:
    return {"data": write_images(tmp / "empty", [])}


def uneven_images(place: Path, tmp: Path) -> dict[str, Any]:
    return {"data": write_images(tmp / "uneven", [(28, 28), (28, 28), (28, 42)])}


def something_else(place: Path, tmp: Path) -> dict[str, Any]:
    (tmp / "thesis").mkdir()
    (tmp / "thesis" / "thesis.txt").write_text("years of work")
    return {"out": tmp / "thesis"}


def shorter_fisher(place: Path, tmp: Path) -> dict[str, Any]:
    return {"fisher": write_fisher(tmp / "f", other_network(place, tmp / "other"), None)}


def fisher_of_other_weights(place: Path, tmp: Path) -> dict[str, Any]:
    return {"fisher": write_fisher(tmp / "f", VGGT(TINY), "0" * 64)}


def damaged_fisher(place: Path, tmp: Path) -> dict[str, Any]:
    folder = write_fisher(tmp / "f", VGGT(TINY), None)
    path = folder / "fisher.safetensors"
    path.write_bytes(path.read_bytes()[:-10])
    return {"fisher": folder}


def plan_of(content: str) -> Faulty:
    def make(place: Path, tmp: Path) -> dict[str, Any]:
        (tmp / "plan.json").write_text(content)
        return {"plan": tmp / "plan.json"}

    return make


def setting(**changes: Any) -> Faulty:
    return lambda place, tmp: dict(changes)


FAULTS: list[tuple[str, Faulty]] = [
    ("aggregator.global_blocks.1.mlp.fc1.weight has values that are not finite", nan_in_a_block),
    ("depth_head.scratch.output_conv1.weight has values that are not finite", nan_in_a_head),
    ("no shards, no cameras.json and no images", empty_folder),
    ("has 42x28 pixels", uneven_images),
    ("holds something else", something_else),
    ("give it as --fisher", setting(fisher=None)),
    ("of another network: it has 8 blocks, this one has 4", shorter_fisher),
    ("measure it again", fisher_of_other_weights),
    ("cannot be read as Fisher information", damaged_fisher),
    ("bits are 4, 8 or 16", plan_of('{"aggregator.frame_blocks.0.mlp.fc1": 5}')),
    ("not a plan", plan_of("[]")),
    ("not a plan", plan_of('{"a": [8]}')),
    ("no linear aggregator.nowhere", plan_of('{"aggregator.nowhere": 8}')),
    ("missing.json is not a plan", setting(plan="missing.json")),
    ("too few", setting(clips=100)),
    ("at least one", setting(clips=0)),
    ("multiples of 14", setting(size="20x28")),
    ("one clip at least", setting(batch=0)),
    ("one clip at least", setting(epochs=-1)),
    ("none can be negative", setting(lr=-1.0)),
    ("none can be negative", setting(clip_lr="nan")),
    ("1 or more", setting(threads=0)),
    ("1 or more", setting(first=0)),
    ("no such file", setting(checkpoint="nowhere")),
]


@pytest.mark.parametrize(("message", "make"), FAULTS)
def test_foreseeable_faults_are_one_line(
    message: str, make: Faulty, place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    changes = make(place, tmp_path)
    out = changes.pop("out", tmp_path / "out" / "q")
    before = sorted(tmp_path.rglob("*"))
    with refused(capsys, message):
        assert calibrate(place, out, **changes) == 2
    left = [path for path in sorted(tmp_path.rglob("*")) if path not in before]
    assert [path for path in left if path.is_file() and path.name != JOB_NAME] == []


def test_a_quantized_checkpoint_is_refused(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert calibrate(place, tmp_path / "q", method="rtn", fisher=None) == 0
    with refused(capsys, "quantized already"):
        assert calibrate(place, tmp_path / "r", checkpoint=tmp_path / "q") == 2


def interrupt_after(blocks: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C as soon as so many blocks are kept."""
    save, count = fgq.calibrate.save_sites, 0

    def counting(*args: Any) -> None:
        nonlocal count
        if count == blocks:
            raise KeyboardInterrupt
        save(*args)
        count += 1

    monkeypatch.setattr("fgq.calibrate.save_sites", counting)


@pytest.mark.parametrize("method", ["fgq", "smoothquant"])
def test_an_interrupted_run_goes_on(
    method: str, place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = {"method": method, "grid": "w4a4"}
    assert calibrate(place, tmp_path / "whole", **options) == 0
    out = tmp_path / "q"
    for blocks in (2, 1):
        with pytest.MonkeyPatch.context() as patch:
            interrupt_after(blocks, patch)
            assert calibrate(place, out, **options) == 130
        assert "stopped" in capsys.readouterr().err
        assert not out.exists()
    assert len(kept(out)) == 3
    assert calibrate(place, out, **options) == 0
    assert weights(out) == weights(tmp_path / "whole")
    assert load_recipe(out)["losses"] == load_recipe(tmp_path / "whole")["losses"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["q", "whole"]


@pytest.mark.parametrize(
    "other", [{"seed": 1}, {"epochs": 2}, {"grid": "w4a8"}, {"scope": "aggregator"}], ids=str
)
def test_blocks_of_another_job_are_not_taken(
    other: dict[str, Any], place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "q"
    with pytest.MonkeyPatch.context() as patch:
        interrupt_after(3, patch)
        assert calibrate(place, out, grid="w4a4") == 130
    options = {"grid": "w4a4", **other}
    assert calibrate(place, out, **options) == 0
    assert calibrate(place, tmp_path / "whole", **options) == 0
    assert weights(out) == weights(tmp_path / "whole")


def test_kept_blocks_survive_what_cannot_work(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A mistyped argument and a look at the costs leave finished blocks alone."""
    out = tmp_path / "q"
    with pytest.MonkeyPatch.context() as patch:
        interrupt_after(3, patch)
        assert calibrate(place, out, grid="w4a4") == 130
    before = kept(out)
    with refused(capsys, "another network"):
        assert calibrate(place, out, grid="w4a4", **shorter_fisher(place, tmp_path)) == 2
    assert kept(out) == before
    assert calibrate(place, out, grid="w4a4", first=2) == 0
    shown = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in shown[:2]] == [
        "aggregator.frame_blocks.0",
        "aggregator.global_blocks.0",
    ]
    assert shown[2].startswith(f"{BLOCKS} blocks would take about")
    assert kept(out) == before
    assert not out.exists()


def test_a_damaged_block_is_told_and_computed_again(
    place: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    out = tmp_path / "q"
    with pytest.MonkeyPatch.context() as patch:
        interrupt_after(3, patch)
        assert calibrate(place, out, grid="w4a4") == 130
    path = work_of(out) / "aggregator.global_blocks.0.safetensors"
    path.write_bytes(path.read_bytes()[:200])
    assert calibrate(place, out, grid="w4a4") == 0
    assert [str(path) in record.getMessage() for record in caplog.records] == [True]
    assert calibrate(place, tmp_path / "whole", grid="w4a4") == 0
    assert weights(out) == weights(tmp_path / "whole")


def test_a_full_disk_while_a_block_is_kept(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, write = tmp_path / "q", Path.write_bytes

    def full(path: Path, data: bytes) -> int:
        if "global_blocks.0" in path.name:
            write(path, data[: len(data) // 2])  # what a real disk would leave
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(path, data)

    with pytest.MonkeyPatch.context() as patch, refused(capsys, "No space left on device"):
        patch.setattr(Path, "write_bytes", full)
        assert calibrate(place, out, grid="w4a4") == 2
    assert kept(out) == ["aggregator.frame_blocks.0.safetensors"]
    assert not out.exists()
    assert calibrate(place, out, grid="w4a4") == 0
    assert calibrate(place, tmp_path / "whole", grid="w4a4") == 0
    assert weights(out) == weights(tmp_path / "whole")


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """Writing more than so many bytes to a file fails, as on a full disk."""
    resource = pytest.importorskip("resource")  # not on Windows
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_while_the_result_is_saved(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "q"
    assert calibrate(place, tmp_path / "whole", grid="w4a4") == 0
    assert calibrate(place, out, method="rtn") == 0
    earlier = weights(out)
    limit = len(weights(tmp_path / "whole")) // 2
    with refused(capsys, f"{out}: cannot write the checkpoint"), largest_file(limit):
        assert calibrate(place, out, grid="w4a4") == 2
    assert weights(out) == earlier  # the earlier result is whole, no new one half there
    assert sorted(path.name for path in tmp_path.iterdir()) == [work_of(out).name, "q", "whole"]
    assert len(kept(out)) == BLOCKS
    assert calibrate(place, out, grid="w4a4") == 0
    assert weights(out) == weights(tmp_path / "whole")


@pytest.mark.slow
def test_a_killed_run_goes_on(place: Path, tmp_path: Path) -> None:
    """kill -9 of the real command, in the middle of a block."""
    out, options = tmp_path / "q", {"grid": "w4a4", "epochs": 40}
    command = [sys.executable, "-m", "fgq", *arguments(place, out, dict(options))]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE) as process:
        end = time.monotonic() + 300
        while not (work_of(out).is_dir() and len(kept(out)) >= 2) and process.poll() is None:
            assert time.monotonic() < end
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
    assert 2 <= len(kept(out)) < BLOCKS
    assert not out.exists()
    job = json.loads((work_of(out) / JOB_NAME).read_text())
    assert job["options"]["epochs"] == 40
    times = {path: path.stat().st_mtime_ns for path in work_of(out).glob("*.safetensors")}
    calls: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        method, defaults = METHODS["fgq"]

        def counted(block: Any, data: Any, options: Any) -> None:
            calls.append(data.name)
            method(block, data, options)

        patch.setitem(METHODS, "fgq", (counted, defaults))
        assert calibrate(place, out, **options) == 0
    assert len(calls) == BLOCKS - len(times)
    assert calibrate(place, tmp_path / "whole", **options) == 0
    assert weights(out) == weights(tmp_path / "whole")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["q", "whole"]
