"""`--refine full`: what is written is refined; Ctrl-C keeps the network's result."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from textured_room import TexturedRoom, look

from app.capture._cv2 import cv2
from app.cli import main
from app.export.folder import read_reconstruction
from app.geometry import invert_se3, pose_errors
from app.reconstruction import Keyframe
from app.refinement import offline

POSES = np.array([look(0.7 + 0.1 * k, np.array([0.5 * k, 0, 0])) for k in (0, -1, 1)])


@pytest.fixture
def command(tmp_path: Path, tiny_bundle: Path) -> Callable[..., int]:
    """command(OPTION...): reconstruct photographs of a room, of which the toy knows nothing."""
    room, folder = TexturedRoom(), tmp_path / "rgb"
    folder.mkdir()
    for number, pose in enumerate(POSES):
        cv2.imwrite(str(folder / f"{number}.png"), room.render(pose)[0][..., ::-1])
    c2w = [np.vstack([pose, [0, 0, 0, 1]]).tolist() for pose in POSES]
    frames = [{"rgb": f"rgb/{k}.png", "c2w": pose} for k, pose in enumerate(c2w)]
    (tmp_path / "cameras.json").write_text(json.dumps({"frames": frames}))
    options = ["--bundle", str(tiny_bundle), "--out", str(tmp_path / "out"), "--threads", "1"]
    return lambda *more: main(["reconstruct", str(folder), *options, "--overlap", "1", *more])


def rotation_error(keyframes: list[Keyframe]) -> float:
    return pose_errors(np.array([k.extrinsic for k in keyframes]), invert_se3(POSES)).rotation_deg


def test_what_is_written_is_refined(
    command: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command("--refine", "full") == 0
    said = capsys.readouterr().out
    assert "refinement 3 of 3 frames changed" in said
    assert "pose error network: " in said
    assert "pose error refined: " in said
    assert rotation_error(read_reconstruction(tmp_path / "out")) < 1

    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    refinement = summary["refinement"]
    assert summary["settings"]["refine"] == "full"
    assert refinement["share_changed"] == 1
    assert refinement["error_after"] < 1 < refinement["error_before"]
    assert [frame["changed"] for frame in refinement["frames"]] == [True] * 3
    assert summary["accuracy"]["pose"]["rotation_deg"] < 1
    assert refinement["accuracy_network"]["pose"]["rotation_deg"] > 3

    page = (tmp_path / "out" / "refinement.html").read_text()
    assert "3 of 3 (100 %)" in page
    assert "--refine full" in page

    for folder, lines in (
        ("out", [b"refine full, ", b"refinement: 3 of 3"]),
        ("none", [b"refine none, "]),
    ):
        if folder == "none":
            assert command("--out", str(tmp_path / folder)) == 0
        ply = tmp_path / f"{folder}.ply"
        assert main(["export", str(tmp_path / folder), "--format", "ply", "--out", str(ply)]) == 0
        for line in lines:
            assert b"comment " + line in ply.read_bytes()
            assert b"comment " + line in (tmp_path / folder / "cloud.ply").read_bytes()


def test_ctrl_c_keeps_the_network_s_result(
    command: Callable[..., int],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    assert command() == 0
    network = read_reconstruction(tmp_path / "out")
    monkeypatch.setattr(offline, "refine_apart", interrupt)
    capsys.readouterr()
    assert command("--refine", "full") == 0
    assert capsys.readouterr().err.splitlines() == [
        "refinement cancelled: the network's result is kept"
    ]
    for kept, before in zip(read_reconstruction(tmp_path / "out"), network, strict=True):
        np.testing.assert_array_equal(kept.extrinsic, before.extrinsic)
        np.testing.assert_array_equal(kept.depth, before.depth)


def test_option_is_one_of_three(
    command: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert command("--refine", "most") == 2
    assert "argument --refine: invalid choice: 'most'" in capsys.readouterr().err
