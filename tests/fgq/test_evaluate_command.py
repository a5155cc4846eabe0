"""`python -m fgq evaluate` from files to JSON, on toy scenes and photographs."""

import copy
import json
from pathlib import Path
from typing import Any, NoReturn, cast

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor

from fgq.cli import main
from fgq.data import shards
from fgq.evaluate import (
    measure_clip,
    measure_set,
    results_by_set,
    sequence_set,
    summarize,
    synthetic_set,
)
from fgq.evaluate.clips import EvaluationClip
from fgq.geometry import compose_se3, encode_pose, invert_se3, unproject_depth
from fgq.methods import quantize_rtn
from fgq.quant import save_packed
from fgq.vggt import VGGT, VGGTConfig
from fgq.vggt.checkpoint import save_checkpoint
from fgq.vggt.model import Predictions

SIZE = (28, 42)
SMALL = VGGTConfig(
    embed_dim=64,
    depth=2,
    num_heads=2,
    img_size=56,
    init_values=0.3,
    patch_embed="conv",
    patch_embed_heads=2,
    camera_trunk_depth=1,
    camera_trunk_heads=2,
    dpt_features=32,
    dpt_out_channels=(32, 32, 32, 32),
    dpt_layers=(0, 0, 1, 1),
)


def arrays(views: int, seed: int) -> shards.Arrays:
    """A wavy wall at about 3 m, seen by cameras that move aside and turn."""
    rng = np.random.default_rng(seed)
    v, u = np.mgrid[: SIZE[0], : SIZE[1]]
    depth = 3 + 0.5 * np.sin(u / 8 + np.arange(views)[:, None, None]) + 0.3 * np.cos(v / 5)
    extrinsic = np.tile(np.eye(3, 4), (views, 1, 1))
    for view in range(views):
        extrinsic[view, :, :3] = cv2.Rodrigues(0.1 * view * rng.normal(size=3))[0]
        extrinsic[view, :, 3] = rng.normal(size=3)
    intrinsic = np.tile([[35.0, 0, SIZE[1] / 2], [0, 35, SIZE[0] / 2], [0, 0, 1]], (views, 1, 1))
    clip = {
        "images": rng.integers(0, 256, (views, *SIZE, 3)),
        "depth": depth,
        "extrinsic": extrinsic,
        "intrinsic": intrinsic,
        "overlap": np.ones((views, views)),
    }
    return {name: clip[name].astype(kind) for name, kind in shards.FIELDS.items()}


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "scenes" / "shard-00000000"
    folder.mkdir(parents=True)
    clips = [arrays(4, seed) for seed in range(3)]
    for name in shards.FIELDS:
        np.save(folder / f"{name}.npy", np.stack([clip[name] for clip in clips]))
    meta = {"format": shards.FORMAT, "scenes": 3, "views": 4, "size": SIZE}
    (folder / "meta.json").write_text(json.dumps(meta))
    return folder.parent


def write_sequence(folder: Path, metric: bool, scale: float = 1, sparse: bool = False) -> Path:
    """The views of `arrays` as a posed folder; lengths times `scale`."""
    clip = arrays(4, seed=7)
    frames = []
    for name in ("rgb", "depth", "sparse"):
        (folder / name).mkdir(parents=True)
    for view in range(4):
        pose = np.eye(4)
        pose[:3] = clip["extrinsic"][view]
        pose = np.linalg.inv(pose)
        pose[:3, 3] *= scale
        intrinsic = clip["intrinsic"][view].astype(float)
        intrinsic[:2, 2] -= 0.5
        height, width = SIZE
        frame = {"rgb": f"rgb/{view}.png", "K": intrinsic.tolist(), "c2w": pose.tolist()}
        cv2.imwrite(str(folder / frame["rgb"]), clip["images"][view])
        depth = clip["depth"][view].astype(float) * scale
        if sparse:
            row, column = np.mgrid[:height:4, :width:4].reshape(2, -1)
            uv = np.stack([column, row], -1)
            np.savez(folder / f"sparse/{view}.npz", uv=uv, z=depth[row, column])
        else:
            frame["depth"] = f"depth/{view}.png"
            cv2.imwrite(str(folder / frame["depth"]), (1000 * depth).round().astype(np.uint16))
        frames.append({**frame, "w": width, "h": height})
    cameras = {"name": folder.name, "metric": metric, "frames": frames}
    (folder / "cameras.json").write_text(json.dumps(cameras))
    clips = {"clips": {"2": [[0, 1], [2, 3]], "3": [[0, 1, 2]]}}
    (folder / "clips.json").write_text(json.dumps(clips))
    return folder


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A network in full precision and in 4 bit."""
    folder = tmp_path_factory.mktemp("networks")
    torch.manual_seed(0)
    model = VGGT(SMALL).eval()
    save_checkpoint(model, folder / "full")
    quantize_rtn(model)
    save_packed(model, folder / "packed", {"method": "rtn"})
    return folder / "full", folder / "packed"


@pytest.fixture(scope="module")
def places(scenes: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """What the arguments of faulty calls name in capitals."""
    folder = tmp_path_factory.mktemp("places")
    save_checkpoint(VGGT(VGGTConfig(**{**vars(SMALL), "depth": 3})), folder / "other")
    wall = write_sequence(folder / "wall", metric=True)
    return {"SCENES": scenes, "WALL": wall, "OTHER": folder / "other"}


def read_strictly(path: Path) -> Any:
    def refuse(constant: str) -> NoReturn:
        raise AssertionError(f"{constant} is not JSON")

    return json.loads(path.read_text(), parse_constant=refuse)


def test_results_of_clips_and_sets_are_written(
    scenes: Path, checkpoints: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    full, packed = checkpoints
    photographs = write_sequence(tmp_path / "wall", metric=True)
    out = tmp_path / "result.json"
    command = ["evaluate", packed, "--reference", full, "--synthetic", scenes]
    command += ["--sequence", photographs, "--views", "2,3", "--size", "28x42", "--json", out]
    assert main([str(argument) for argument in command]) == 0

    report = read_strictly(out)
    assert report["reference"] == str(full)
    sets = [(row["set"], row["views"], row["clips"], row["unit"]) for row in report["rows"]]
    assert sets == [
        ("wall", 2, 2, "m"),
        ("synthetic", 2, 3, "m"),
        ("wall", 3, 1, "m"),
        ("synthetic", 3, 3, "m"),
    ]
    for row in report["rows"]:
        clips = [
            clip
            for clip in report["clips"]
            if (clip["set"], clip["views"]) == (row["set"], row["views"])
        ]
        assert len(clips) == row["clips"]
        pairs = np.concatenate([clip["pair_rotation_deg"] for clip in clips])
        assert len(pairs) == len(clips) * row["views"] * (row["views"] - 1) // 2
        assert row["rotation_median_deg"] == pytest.approx(np.median(pairs))
        for name in ("abs_rel", "point_head_accuracy_mean", "fidelity_log_depth_rmse"):
            assert row[name] == pytest.approx(np.mean([clip[name] for clip in clips]))
            low, high = row["intervals"][name]
            assert (low is None) == (len(clips) == 1)
            assert low is None or low <= row[name] <= high
        assert 5 < row["sqnr_db/aggregator.global_blocks.1"] < 60
    assert report["clips"][0]["clip"] == "0-1"
    for row in report["rows"]:
        results = results_by_set(report)[row["set"], row["views"]]
        intervals = {k: [i.low, i.high] for k, i in summarize(results, report["seed"]).items()}
        assert intervals == row["intervals"]
    shown = capsys.readouterr().out.splitlines()
    assert len(shown) == 4 * 6  # a title, pose, depth, two kinds of points, fidelity
    assert shown[6] == "synthetic, 2 views, 3 clips"


def test_what_was_not_asked_for_is_left_out(
    scenes: Path, checkpoints: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["evaluate", checkpoints[1], "--synthetic", scenes, "--scenes", 2, "--no-points"]
    assert main([str(a) for a in [*command, "--views", 2, "--json", tmp_path / "r.json"]]) == 0
    (row,) = read_strictly(tmp_path / "r.json")["rows"]
    assert row["clips"] == 2
    assert "abs_rel" in row
    assert not any(key.startswith(("fidelity", "sqnr", "unprojected", "point_head")) for key in row)
    assert len(capsys.readouterr().out.splitlines()) == 3


class Oracle:
    """Stands in for a network: answers with the truth, in a world and scale of its own."""

    def __init__(self, clip: EvaluationClip, scale: float) -> None:
        self.clip, self.scale = clip, scale

    def __call__(self, images: Tensor, views_per_chunk: int) -> Predictions:
        clip = self.clip
        assert clip.depth is not None
        extrinsic = compose_se3(clip.extrinsic, invert_se3(clip.extrinsic[:1]))
        extrinsic[..., 3] *= self.scale
        depth = self.scale * clip.depth
        points = unproject_depth(depth, extrinsic, clip.intrinsic, 0.5)
        code = encode_pose(extrinsic, clip.intrinsic, clip.size)
        return {
            "pose_enc": code[None],
            "depth": depth[None, ..., None],
            "world_points": points[None],
        }


def test_the_truth_has_no_error(scenes: Path) -> None:
    clip = synthetic_set(scenes, 4, 1).load(0)
    result = measure_clip(cast(VGGT, Oracle(clip, 0.3)), clip)
    assert max(result["pair_rotation_deg"]) < 1e-3
    assert max(result["pair_direction_deg"]) < 1e-3
    assert min(result["pair_motion_deg"]) > 0.1
    assert max(result[f"{kind}rmse"] for kind in ("", "image_")) < 1e-6
    for source in ("unprojected", "point_head"):
        assert result[f"{source}_accuracy_mean"] < 1e-5
        assert result[f"{source}_completeness_mean"] < 1e-5
        assert result[f"{source}_normal_mean"] > 0.99


def test_sets_without_a_metric_scale_do_not_depend_on_it(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = VGGT(SMALL).eval()
    small, large = (
        sequence_set(write_sequence(tmp_path / name, False, scale), 3, SIZE)
        for name, scale in (("small", 2), ("large", 6))
    )
    assert small.unit == "median depth"
    for first, second in zip(measure_set(model, small), measure_set(model, large), strict=True):
        assert first["rmse"] == pytest.approx(second["rmse"], rel=1e-2)
        for name in ("accuracy_median", "completeness_median"):
            assert first[f"unprojected_{name}"] == pytest.approx(
                second[f"unprojected_{name}"], rel=0.05
            )
    metric = sequence_set(write_sequence(tmp_path / "metric", True, 2), 3, SIZE)
    depth, unit_depth = metric.load(0).depth, small.load(0).depth
    assert depth is not None
    assert unit_depth is not None
    assert unit_depth.median() == 1
    torch.testing.assert_close(depth, unit_depth * depth.median(), rtol=1e-9, atol=0)


def test_sparse_sequences_give_completeness_alone(tmp_path: Path) -> None:
    torch.manual_seed(0)
    clips = sequence_set(write_sequence(tmp_path / "sparse", True, sparse=True), 2, SIZE)
    summary = summarize(measure_set(VGGT(SMALL).eval(), clips), seed=0)
    assert "abs_rel" in summary
    assert {name for name in summary if name.startswith("unprojected")} == {
        "unprojected_completeness_mean",
        "unprojected_completeness_median",
    }


def test_output_that_is_not_finite_is_one_line_that_names_the_clip(
    scenes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.manual_seed(0)
    model = VGGT(SMALL).eval()
    broken = copy.deepcopy(model)
    broken.depth_head.scratch.output_conv2[2].bias.data[0] = float("nan")
    save_checkpoint(broken, tmp_path / "broken")
    out = tmp_path / "r.json"
    command = ["evaluate", tmp_path / "broken", "--synthetic", scenes, "--json", out]
    assert main([str(argument) for argument in command]) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert error == (
        "error: synthetic 4 views, clip scene-0000: the network's output depth is not finite"
    )
    assert not out.exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "nothing to evaluate on"),
        (["--synthetic", "SCENES", "--views", "1"], "numbers from 2"),
        (["--synthetic", "SCENES", "--views", "2,x"], "numbers from 2"),
        (["--synthetic", "SCENES", "--views", "9"], "have 4 views, not 9"),
        (["--synthetic", "SCENES", "--scenes", "0"], "at least one"),
        (["--synthetic", "SCENES", "--json", "nowhere/r.json"], "there is no folder nowhere"),
        (["--sequence", "WALL", "--views", "4"], "clips of 2, 3 views, not 4"),
        (["--synthetic", "SCENES", "--size", "100x100"], "multiples of 14"),
        (["--synthetic", "nowhere"], "no shards in nowhere"),
        (["--synthetic", "SCENES", "--views", "2,2"], "both called synthetic, 2 views"),
        (["--synthetic", "SCENES", "--reference", "OTHER"], "is not the original of"),
        (["--synthetic", "SCENES", "--reference", "nowhere"], "nowhere"),
    ],
)
def test_foreseeable_faults_are_one_line(
    places: dict[str, Path],
    checkpoints: tuple[Path, Path],
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
) -> None:
    command = [str(places.get(argument, argument)) for argument in arguments]
    assert main(["evaluate", str(checkpoints[0]), *command]) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith("error: ")
    assert message in error
