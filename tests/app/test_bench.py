"""What bench measures: a file played as a camera, and figures of known runs."""

import json
import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from app.bench import PlayedSource
from app.bench.measurement import MemoryLook, loop_summary, memory_growth
from app.capture import Frame
from app.cli import main

ToyImage = Callable[..., np.ndarray]


class Frames:
    """Frames of 0.01 s, of which each takes `work` seconds to read."""

    is_live = False
    length: int | None = 5

    def __init__(self, work: float = 0.0) -> None:
        self.closed = False
        self._work = work

    def __iter__(self) -> Iterator[Frame]:
        for index in range(5):
            time.sleep(self._work)
            yield Frame(index, index / 100, np.zeros((2, 2, 3), np.uint8), str(index))

    def reopen(self) -> None: ...

    def close(self) -> None:
        self.closed = True


def test_frames_come_no_sooner_than_a_camera_gives_them() -> None:
    for rate, interval in ((None, 0.01), (50.0, 0.02)):
        start = time.perf_counter()
        for frame in PlayedSource(Frames(), rate):
            assert time.perf_counter() - start >= frame.index * interval
            assert frame.time == pytest.approx(frame.index * interval)


def test_frames_that_nobody_took_are_missed() -> None:
    source = PlayedSource(Frames(), rate=100)
    seen = []
    for frame in source:
        seen.append(frame.index)
        time.sleep(0.2)
    assert seen == [0]
    assert source.missed == 4
    assert source.is_live


def test_it_ends_after_the_seconds_asked_for_and_when_closed() -> None:
    source = PlayedSource(Frames(), 20, seconds=0.1)
    assert len(list(source)) + source.missed == 3
    inner = Frames()
    source = PlayedSource(inner, rate=0.001)
    for _ in source:
        source.close()
    assert inner.closed


def test_memory_is_judged_by_the_second_half() -> None:
    # 50 MB for 10 seconds, then a keyframe a second, and 2 MB with each.
    memory = [
        MemoryLook(float(t), 10**6 * (50 + 2 * max(0, t - 10)), max(0, t - 10)) for t in range(21)
    ]
    growth = memory_growth(memory)
    assert growth.per_minute == pytest.approx(120)
    assert growth.per_keyframe == pytest.approx(2)
    assert math.isnan(memory_growth(memory[:1]).per_minute)
    assert memory_growth(memory[:10]).per_minute == pytest.approx(0, abs=1e-9)
    assert math.isnan(memory_growth(memory[:10]).per_keyframe), "no keyframe came"


def test_turns() -> None:
    assert loop_summary([]) is None
    assert loop_summary([0.005] * 99 + [1.0]) == pytest.approx(
        {"p50": 0.005, "p99": 0.005 + 0.01 * 0.995, "max": 1.0}
    )


def play(folder: Path, bundle: Path, toy_image: ToyImage, *more: str) -> dict[str, object]:
    (folder / "images").mkdir()
    for index in range(6):
        image = toy_image(0.4 + 0.5 * index, seed=index)
        Image.fromarray(image).save(folder / "images" / f"{index}.png")
    file = folder / "figures.json"
    arguments = ["bench", str(folder / "images"), "--bundles", str(bundle), "--rate", "2"]
    assert main([*arguments, "--threads", "1", "--json", str(file), *more]) == 0
    report = json.loads(file.read_text())
    assert report["rate"] == 2
    (figures,) = report["runs"]
    assert figures["failure"] is None
    assert figures["frames"] + figures["missed"] == 6
    assert figures["keyframes"] >= 4
    latency = figures["latency_seconds"]
    # The window of four keyframes was not full before 1.5 seconds had passed.
    assert 0 < latency["p50"] <= latency["p90"] <= latency["p99"]
    assert latency["p99"] >= 1
    assert set(figures["stage_seconds"]) >= {"decode", "select", "wait", "infer", "align", "fuse"}
    assert figures["engine_peak_bytes"] > 10e6
    assert figures["memory"]
    return dict(figures)


def test_bench(
    tiny_bundle: Path, toy_image: ToyImage, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    figures = play(tmp_path, tiny_bundle, toy_image, "--refine", "full")
    assert figures["event_loop_seconds"] is None
    refinement = figures["refinement"]
    assert isinstance(refinement, dict)
    assert len(refinement["frames"]) == figures["keyframes"]
    assert refinement["seconds_per_keyframe"] > 0
    text = capsys.readouterr().out
    assert f"refinement {refinement['reason']}" in text
    for words in ("keyframe to points", "views/s", "MB/min", "MB a keyframe", "refused: "):
        assert words in text


@pytest.mark.usefixtures("quick_runtime")
def test_bench_through_the_window(
    tiny_bundle: Path, toy_image: ToyImage, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    figures = play(tmp_path, tiny_bundle, toy_image, "--window", "--refine", "local")
    assert "times the newest keyframes were refined" in str(figures["refinement"])
    loop = figures["event_loop_seconds"]
    assert isinstance(loop, dict)
    assert 0.002 < loop["p50"] <= loop["p99"] <= loop["max"]
    assert "event loop" in capsys.readouterr().out


def test_a_camera_is_no_bench(
    tiny_bundle: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(["bench", str(tmp_path / "gone.mp4"), "--bundles", str(tiny_bundle)]) == 2
    assert "gone.mp4" in capsys.readouterr().err
