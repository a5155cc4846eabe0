"""`python -m app compare` with the real runtime on the toy's world."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from app.cli import main
from app.compare import MeasuredEngine, compare_lanes
from app.compare.run import LaneRecorder, start_lanes
from app.engine import EngineError, Prediction
from app.export import read_reconstruction
from app.live import LiveRun, Subscriber
from app.reconstruction import Keyframe
from app.reconstruction.truth import find_truth
from app.refinement.outcome import FrameReport, Refinement
from app.refinement.process import RefinedRun


@pytest.fixture
def bundles(
    tiny_bundle: Path, tmp_path: Path, write_manifest: Callable[..., None]
) -> tuple[Path, Path]:
    """The toy, and the same under the name of a 4 bit model."""
    other = Path(shutil.copytree(tiny_bundle, tmp_path / "small"))
    write_manifest(other, quantization={"name": "8da4w-g32"})
    return tiny_bundle, other


def test_it_writes_report_figures_and_both_reconstructions(
    bundles: tuple[Path, Path],
    toy_folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "out"
    command = ["compare", str(toy_folder), "--bundles", *map(str, bundles), "--out", str(out)]
    assert main([*command, "--threads", "1"]) == 0
    printed = capsys.readouterr().out
    assert "4 bit differs from full precision by 0 % of the depth" in printed.replace("\u00a0", " ")
    html = (out / "report.html").read_text("utf-8")
    assert "Against the truth" in html
    figures = json.loads((out / "comparison.json").read_text("utf-8"))
    assert [lane["title"] for lane in figures["lanes"]] == ["full precision", "4 bit"]
    assert figures["differences"][0] is None
    # The same network on the same frames: not one bit may differ.
    assert figures["differences"][1]["depth_percent"] == 0
    assert figures["errors"][0]["depth_percent"] < 1
    assert figures["errors"] == [figures["errors"][0]] * 2
    assert figures["settings"]["views"] == 4
    assert figures["command"].startswith("python -m app compare")
    for lane in figures["lanes"]:
        assert len(read_reconstruction(out / lane["folder"])) == lane["keyframes"] == 7
        assert lane["figures"]["memory"] > lane["figures"]["base_memory"] > 0
    # Once more: an earlier comparison is replaced.
    assert main([*command, "--max-keyframes", "4"]) == 0
    assert json.loads((out / "comparison.json").read_text("utf-8"))["lanes"][1]["keyframes"] == 4


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"--bundles": ["{bundle}", "{missing}"]}, "no such bundle"),
        ({"--bundles": ["{bundle}"]}, "compare needs two bundles or more"),
        ({"--views": ["3"]}, "takes 1, 2, 4 views at a time, not 3"),
        ({"--out": ["{full}"]}, "holds other things than a comparison"),
        ({"SOURCE": ["{missing}"]}, "no such file, folder or camera"),
    ],
)
def test_faults_are_one_line_and_leave_nothing(
    change: dict[str, list[str]],
    message: str,
    tiny_bundle: Path,
    toy_folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    full = tmp_path / "full"
    full.mkdir()
    (full / "letter.txt").write_text("keep")
    words = {
        "SOURCE": [str(toy_folder)],
        "--bundles": [str(tiny_bundle)] * 2,
        "--out": [str(tmp_path / "out")],
    } | {
        key: [v.format(bundle=tiny_bundle, missing=tmp_path / "missing", full=full) for v in values]
        for key, values in change.items()
    }
    argv = ["compare", *words.pop("SOURCE")]
    argv += [word for key, values in words.items() for word in (key, *values)]
    assert main(argv) == 2
    error = capsys.readouterr().err.strip().splitlines()
    assert len(error) == 1
    assert error[0].startswith("error: ")
    assert message in error[0]
    assert not (tmp_path / "out").exists()
    assert [entry.name for entry in full.iterdir()] == ["letter.txt"]


class DyingEngine(MeasuredEngine):
    """Works for one window if it runs the 4 bit model, and never again."""

    windows = 0

    def infer(self, images: NDArray[np.uint8]) -> Prediction:
        self.windows += 1
        if self.windows > 1 and self.bundle.precision != "fp32":
            raise EngineError("the runtime ended unexpectedly (signal 9)")
        return super().infer(images)

    def restart(self) -> None:
        # Only at the beginning: later the child did nothing wrong.
        if not self.windows:
            super().restart()


def test_a_lane_that_dies_keeps_what_it_had_and_the_other_goes_on(
    bundles: tuple[Path, Path], toy_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recorder = LaneRecorder()
    size = start_lanes(
        str(toy_folder),
        bundles,
        recorder,
        views=4,
        overlap=2,
        every=1,
        threads=1,
        limit=None,
        start_engine=DyingEngine,
    )
    first, second = recorder.lanes
    assert (len(first.keyframes), len(second.keyframes)) == (7, 4)
    assert not first.failure
    assert "signal 9" in second.failure
    assert "warning: 4 bit ended" in capsys.readouterr().err
    comparison = compare_lanes(str(toy_folder), recorder.lanes, find_truth(str(toy_folder)), size)
    assert "4 keyframes were finished before that" in comparison.notes[0]
    assert size == (56, 84)


@pytest.fixture
def session(tiny_bundle: Path, toy_folder: Path, tmp_path: Path) -> Path:
    """The toy's world recorded while it was reconstructed."""
    folder = tmp_path / "session"
    run = LiveRun(str(toy_folder), [tiny_bundle], Subscriber(), threads=1, record_to=folder)
    run.start()
    assert run.join(60)
    return folder


def test_a_session_is_compared_with_what_it_holds(
    session: Path, bundles: tuple[Path, Path], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    argv = ["compare", str(session), "--bundles", str(bundles[1]), "--out", str(out)]
    assert main([*argv, "--threads", "1"]) == 0
    figures: dict[str, Any] = json.loads((out / "comparison.json").read_text("utf-8"))
    recorded, again = figures["lanes"]
    assert recorded["recorded"]
    assert recorded["title"] == "recorded with toy, fp32"
    assert recorded["figures"]["window"] is None
    assert again["title"] == "4 bit"
    # Depth is recorded to 11 bits.
    assert figures["differences"][1]["depth_percent"] < 0.05
    assert "compared with, not measured again" in figures["notes"][0]
    # The truth lies beside what was recorded.
    assert figures["errors"][1]["depth_percent"] < 1


def test_a_session_is_replayed_with_two_models(
    session: Path, bundles: tuple[Path, Path], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    argv = ["compare", str(session), "--bundles", *map(str, bundles), "--out", str(out)]
    assert main([*argv, "--threads", "1"]) == 0
    figures = json.loads((out / "comparison.json").read_text("utf-8"))
    assert [lane["keyframes"] for lane in figures["lanes"]] == [7, 7]
    assert figures["differences"][1]["depth_percent"] == 0


def test_lanes_are_refined_only_when_that_is_asked_for(
    bundles: tuple[Path, Path],
    toy_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refine(keyframes: list[Keyframe], source: str | None) -> RefinedRun:
        assert source == str(toy_folder)
        moved = [replace(keyframe, depth=2 * keyframe.depth) for keyframe in keyframes]
        frames = [FrameReport(True, "one pair joins it to frame 3", 9, 4.25, 0.5, 7, 2.5, True)]
        return RefinedRun(Refinement(moved, frames * len(moved), "7 of 7 frames changed"), 14.0)

    monkeypatch.setattr("app.compare.command.refine_run", refine)
    command = ["compare", str(toy_folder), "--bundles", *map(str, bundles), "--threads", "1"]
    depths = []
    for refine_words in ("none", "full"):
        out = tmp_path / refine_words
        assert main([*command, "--refine", refine_words, "--out", str(out)]) == 0
        figures = json.loads((out / "comparison.json").read_text("utf-8"))
        html = (out / "report.html").read_text("utf-8")
        assert figures["settings"]["refine"] == refine_words
        assert ("<h2>Refinement</h2>" in html) is (refine_words == "full")
        assert html.count("7 of 7 frames changed") == (2 if refine_words == "full" else 0)
        lane = figures["lanes"][1]
        assert (lane["refinement"] is None) is (refine_words == "none")
        ply = (out / lane["folder"] / "cloud.ply").read_bytes()
        assert f"comment refine {refine_words}, ".encode() in ply
        assert (b"refinement: 7 of 7 frames changed" in ply) is (refine_words == "full")
        depths.append(read_reconstruction(out / lane["folder"])[0].depth)
    assert lane["refinement"]["seconds_per_keyframe"] == 2
    np.testing.assert_allclose(depths[1], 2 * depths[0], rtol=1e-3)
