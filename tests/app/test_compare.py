"""Comparison of reconstructions whose differences are known, the energy counters, the report."""

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from app.compare import (
    EnergyMeter,
    Lane,
    Model,
    compare_lanes,
    confidence_curve,
    difference,
    report_page,
)
from app.compare.folder import folder_name
from app.compare.lanes import WindowTimes, lane_titles
from app.compare.pictures import UNKNOWN, color_difference, difference_limit
from app.compare.regions import resample
from app.compare.svg import log_ticks, ticks
from app.errors import AppError
from app.geometry import Sim3, invert_se3, pose_errors
from app.reconstruction import Keyframe

SIZE = (28, 42)
INTRINSIC = np.array([[40, 0, 21], [0, 40, 14], [0, 0, 1]], np.float32)


def turn(degrees: float, axis: int = 1) -> NDArray[np.float64]:
    """Rotation [3,3] about an axis of the coordinates."""
    cosine, sine = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    matrix = np.eye(3)
    i, j = (axis + 1) % 3, (axis + 2) % 3
    matrix[i, i] = matrix[j, j] = cosine
    matrix[i, j], matrix[j, i] = -sine, sine
    return matrix


def walk(count: int = 6, size: tuple[int, int] = SIZE) -> list[Keyframe]:
    """Cameras on an arc before a wavy surface."""
    rng = np.random.default_rng(0)
    keyframes = []
    for place in range(count):
        pose = np.column_stack([turn(8 * place), [0.5 * place, 0.1 * place**2, 0.2 * place]])
        v, u = np.mgrid[: size[0], : size[1]]
        depth = 3 + np.sin(u / 7 + place) + 0.5 * np.cos(v / 5)
        keyframes.append(
            Keyframe(
                index=3 * place,
                time=0.1 * place,
                name=f"{3 * place:06d}",
                image=rng.integers(0, 256, (*size, 3), np.uint8),
                extrinsic=invert_se3(pose).astype(np.float32),
                intrinsic=INTRINSIC,
                depth=depth.astype(np.float32),
                confidence=(1 + rng.random(size)).astype(np.float32),
            )
        )
    return keyframes


def moved(keyframes: list[Keyframe], similarity: Sim3) -> list[Keyframe]:
    """The same reconstruction in another world."""
    return [
        replace(
            keyframe,
            extrinsic=similarity.move_extrinsic(keyframe.extrinsic).astype(np.float32),
            depth=(similarity.scale * keyframe.depth).astype(np.float32),
        )
        for keyframe in keyframes
    ]


ELSEWHERE = Sim3(2.5, turn(50, 0) @ turn(20, 2), np.array([3.0, -1.0, 4.0]))


def test_the_same_reconstruction_in_another_world_does_not_differ() -> None:
    apart = difference(moved(walk(), ELSEWHERE), walk())
    assert apart.rotation_deg < 1e-3
    assert apart.translation_percent < 1e-3
    assert apart.depth_percent < 1e-3
    assert apart.point_percent < 1e-2
    assert apart.depth_scale == pytest.approx(1 / 2.5)
    assert apart.pose.scale == pytest.approx(1 / 2.5)


def test_a_turned_camera_is_found_and_counted_in_degrees() -> None:
    other = walk()
    pose = invert_se3(other[2].extrinsic)
    pose[:, :3] = pose[:, :3] @ turn(7, 0)
    other[2] = replace(other[2], extrinsic=invert_se3(pose).astype(np.float32))
    apart = difference(moved(other, ELSEWHERE), walk())
    angles = [keyframe.rotation_deg for keyframe in apart.keyframes]
    assert angles[2] == pytest.approx(7, abs=0.05)
    assert max(angles[:2] + angles[3:]) < 0.05
    assert apart.rotation_deg < 0.05  # the median
    assert apart.translation_percent < 1e-3
    assert apart.keyframes[2].frame == 6


def test_positions_are_counted_as_the_trajectory_error_is() -> None:
    rng = np.random.default_rng(1)
    other = walk()
    for place, keyframe in enumerate(other):
        pose = invert_se3(keyframe.extrinsic)
        pose[:, 3] += rng.normal(0, 0.05, 3)
        other[place] = replace(keyframe, extrinsic=invert_se3(pose).astype(np.float32))
    estimate = np.array([k.extrinsic for k in moved(other, ELSEWHERE)])
    expected = pose_errors(estimate, np.array([k.extrinsic for k in walk()])).ate_percent
    apart = difference(moved(other, ELSEWHERE), walk())
    assert apart.translation_percent == pytest.approx(expected, rel=1e-3)
    assert apart.translation_percent > 0.5
    assert apart.rotation_deg < 0.05


def test_a_straight_path_leaves_no_rotation_open() -> None:
    line = [
        replace(k, extrinsic=np.column_stack([np.eye(3), [-k.index, 0, 0]]).astype(np.float32))
        for k in walk()
    ]
    apart = difference(moved(line, ELSEWHERE), line)
    assert apart.rotation_deg < 1e-3
    assert apart.translation_percent < 1e-3


def test_depth_errors_are_shares_of_the_depth_after_one_scale() -> None:
    other = moved(walk(), ELSEWHERE)
    for keyframe in other:
        keyframe.depth[:, :10] *= 1.2  # less than half: the median is not drawn along
    depth = walk()[0].depth.copy()
    depth[0, 0] = 0
    reference = [replace(walk()[0], depth=depth), *walk()[1:]]
    apart = difference(other, reference)
    first = apart.keyframes[0].depth
    assert np.isnan(first[0, 0])
    np.testing.assert_allclose(first[1:, :10], 0.2, atol=1e-4)
    np.testing.assert_allclose(first[:, 10:], 0, atol=1e-4)
    assert apart.depth_percent == pytest.approx(100 * 0.2 * 10 / 42, rel=1e-2)
    assert apart.depth_median_percent < 0.01
    assert apart.depth_p90_percent == pytest.approx(20, rel=1e-2)


def test_a_depth_that_does_not_fit_its_cameras_moves_the_points() -> None:
    """Cameras alone and depth alone agree; together they are off by a tenth."""
    other = [replace(k, depth=(1.1 * k.depth).astype(np.float32)) for k in walk()]
    apart = difference(other, walk())
    assert apart.translation_percent < 1e-3
    assert apart.depth_percent < 1e-3
    assert apart.point_percent > 0.5


def test_few_or_unmoved_cameras_have_no_position_to_compare() -> None:
    assert np.isnan(difference(walk(2), walk(2)).translation_percent)
    still = [replace(k, extrinsic=np.eye(3, 4, dtype=np.float32)) for k in walk()]
    apart = difference(still, still)
    assert np.isnan(apart.translation_percent)
    assert apart.rotation_deg < 1e-6


def test_only_frames_of_both_are_compared_and_none_is_a_fault() -> None:
    apart = difference(walk()[2:], walk()[:4])
    assert [keyframe.frame for keyframe in apart.keyframes] == [6, 9]
    with pytest.raises(AppError, match="no frame in common"):
        difference(walk()[4:], walk()[:3])


def test_other_sizes_are_compared_where_they_overlap() -> None:
    """The network of the second sees more on the left and right, at another resolution."""

    def depths(size: tuple[int, int]) -> NDArray[np.float32]:
        # A ramp over the columns of a source of 100 x 200.
        width = min(200, 100 * size[1] / size[0])
        columns = (200 - width) / 2 + (np.arange(size[1]) + 0.5) * width / size[1]
        return np.tile(1 + columns / 100, (size[0], 1)).astype(np.float32)

    reference = [replace(k, depth=depths((30, 30))) for k in walk(3, (30, 30))]
    wide = (40, 80)
    other = [replace(k, depth=depths(wide)) for k in walk(3, wide)]
    apart = difference(other, reference, source_size=(100, 200))
    assert apart.keyframes[0].depth.shape == (30, 30)
    assert apart.depth_percent < 1.0
    assert np.isfinite(apart.keyframes[0].depth).all()
    assert np.isnan(difference(other, reference).depth_percent)
    back = difference(reference, other, source_size=(100, 200))
    assert np.isnan(back.keyframes[0].depth[:, :19]).all()
    assert np.isfinite(back.keyframes[0].depth[:, 21:59]).all()


def test_resample_takes_the_pixel_that_shows_the_same() -> None:
    values = np.arange(16, dtype=np.float32).reshape(4, 4) + 1
    twice = resample(values, (8, 8), (80, 80))
    np.testing.assert_array_equal(twice, np.kron(values, np.ones((2, 2))))


def test_the_curve_tells_where_the_network_knows_its_errors() -> None:
    confidence = np.linspace(1, 5, 40_000, dtype=np.float32).reshape(200, 200)
    error = (0.4 / confidence).astype(np.float64)
    curve = confidence_curve([confidence], [error])
    assert curve.pixels.sum() == 40_000
    np.testing.assert_allclose(curve.median, 0.4 / curve.confidence, rtol=0.1)
    assert (np.diff(curve.kept_error) < 0).all()
    cut = curve.cut_for(0.1)
    assert cut is not None
    kept = confidence >= np.quantile(confidence, cut)
    assert error[kept].mean() == pytest.approx(0.1, rel=0.03)
    assert curve.cut_for(1.0) == 0
    assert curve.cut_for(0.001) is None


def test_the_curve_leaves_out_what_is_not_known() -> None:
    confidence = np.array([[1.0, 2, 3, 0]], np.float32)
    error = np.array([[0.5, np.nan, 0.1, 9.0]])
    curve = confidence_curve([confidence], [error])
    assert curve.pixels.sum() == 2
    assert curve.kept_error[0] == pytest.approx(0.3)


def test_difference_maps_share_a_scale_that_nearly_all_pixels_fit() -> None:
    other = moved(walk(), ELSEWHERE)
    other[0].depth[:, :10] *= 1.2
    apart = difference(other, walk())
    limit = difference_limit([apart])
    values = apart.keyframes[0].depth.copy()
    values[0, 0] = np.nan
    colored = color_difference(values, limit)
    assert tuple(colored[0, 0]) == UNKNOWN
    assert colored[5, 5].astype(int).sum() > colored[5, 30].astype(int).sum()


def write_counter(folder: Path, name: str, energy: int, span: int = 1000) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "name").write_text(f"{name}\n")
    (folder / "energy_uj").write_text(f"{energy}\n")
    (folder / "max_energy_range_uj").write_text(f"{span}\n")
    return folder / "energy_uj"


def test_energy_is_the_sum_of_the_packages_also_when_a_counter_starts_over(tmp_path: Path) -> None:
    first = write_counter(tmp_path / "intel-rapl:0", "package-0", 900, 1000)
    second = write_counter(tmp_path / "intel-rapl:1", "package-1", 100, 5000)
    write_counter(tmp_path / "intel-rapl:0:0", "core", 10)
    write_counter(tmp_path / "intel-rapl:2", "psys", 10)
    meter = EnergyMeter(tmp_path)
    before = meter.read()
    first.write_text("150")
    second.write_text("600")
    assert meter.joules(before, meter.read()) == pytest.approx((250 + 500) / 1e6)


def test_energy_is_unknown_where_the_system_does_not_tell(tmp_path: Path) -> None:
    meter = EnergyMeter(tmp_path)
    assert meter.joules(meter.read(), meter.read()) is None
    write_counter(tmp_path / "intel-rapl:0", "package-0", 900)
    (write_counter(tmp_path / "intel-rapl:1", "package-1", 100)).write_text("not for you")
    assert EnergyMeter(tmp_path).read() is None


def test_energy_that_cannot_be_read_any_more_is_unknown(tmp_path: Path) -> None:
    counter = write_counter(tmp_path / "intel-rapl:0", "package-0", 900)
    meter = EnergyMeter(tmp_path)
    before = meter.read()
    counter.unlink()
    assert meter.joules(before, meter.read()) is None


FULL = Model("nano", "fp32", 34_000_000, "ab" * 32, SIZE)
SMALL = Model("nano", "8da4w-g32", 7_500_000, "cd" * 32, SIZE)


def times(*infer: float) -> list[WindowTimes]:
    """Windows of four views that took so many seconds."""
    stages = {"decode": 0.001, "select": 0.002, "wait": 9.0, "align": 0.01, "fuse": 0.02}
    return [WindowTimes(4, 1, {"infer": seconds, **stages}) for seconds in infer]


def lanes() -> list[Lane]:
    """A lane and one that differs a little."""
    other = moved(walk(), ELSEWHERE)
    other[1].depth[:, :10] *= 1.1
    return [
        Lane("full precision", FULL, walk(), times(9.0, 0.4, 0.2, 0.3), 300 << 20, 200 << 20),
        Lane("4 bit", SMALL, other, times(9.0, 0.1, 0.1, 0.2), 250 << 20, 200 << 20),
    ]


def test_figures_are_medians_without_the_first_and_without_smaller_windows() -> None:
    lane = lanes()[0]
    lane.times.append(WindowTimes(2, 1, times(0.01)[0].seconds))
    lane.joules = [(4, 100.0), (4, 2.0), (4, 6.0)]
    figures = lane.figures()
    assert figures.first_window == 9.0
    assert figures.window is not None
    assert figures.window["p50"] == pytest.approx(0.3)
    assert figures.views_per_second == pytest.approx(12 / 0.9)
    assert figures.stages is not None
    assert figures.stages["align"] == pytest.approx(0.01)
    assert "wait" not in figures.stages
    assert figures.joules_per_view == pytest.approx(1.0)
    assert lanes()[0].figures().joules_per_view is None
    assert Lane("recorded", None, walk(), is_recorded=True).figures().window is None


def test_lanes_are_called_by_their_precision_or_told_apart() -> None:
    assert lane_titles([FULL, SMALL]) == ["full precision", "4 bit"]
    assert lane_titles([SMALL, SMALL]) == ["A: 4 bit", "B: 4 bit"]
    assert folder_name(1, Lane("B: 4 bit / new", SMALL)) == "b-b-4-bit-new"


class Page(HTMLParser):
    """Reads a page and checks that what is opened is closed."""

    VOID = frozenset({"meta", "img", "br", "line", "rect", "circle", "polyline"})

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.texts: list[str] = []
        self.addresses: list[str] = []
        self.headings: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.addresses += [v or "" for k, v in attrs if k in ("src", "href", "srcset", "data")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)
        if self.open and self.open[-1] == "h2":
            self.headings.append(data)


def test_the_report_has_every_part_and_needs_nothing_else() -> None:
    comparison = compare_lanes("some/clip.mp4", lanes(), settings={"views": 4})
    html = report_page(comparison, "python -m app compare some/clip.mp4 --out x<y")
    page = Page(html)
    assert page.open == []
    assert page.headings == [
        "Cost",
        "Difference from full precision",
        "Cameras from above",
        "Keyframe by keyframe",
        "Depth",
        "Confidence",
        "How this was made",
    ]
    assert page.addresses
    assert all(address.startswith("data:image/") for address in page.addresses)
    assert not re.search(r"<(script|link|iframe)|url\(|@import", html)
    text = " ".join(" ".join(page.texts).split())
    assert "python -m app compare some/clip.mp4 --out x<y" in text
    assert "a difference, not an error" in text
    assert "Energy a view n/a n/a n/a" in text.replace("\u00a0", " ")
    assert FULL.sha256 in text
    assert "nan" not in text.lower().split()


def test_a_lane_that_failed_is_named_and_compared_as_far_as_it_came() -> None:
    first, second = lanes()
    second.keyframes, second.failure = second.keyframes[:4], "the runtime ended unexpectedly"
    comparison = compare_lanes("clip.mp4", [first, second])
    assert len(comparison.differences[1].keyframes) == 4  # type: ignore[union-attr]
    text = " ".join(Page(report_page(comparison)).texts)
    assert "4 bit ended early: the runtime ended unexpectedly; 4 keyframes were finished" in text


def test_a_lane_without_a_result_leaves_the_report_of_the_other() -> None:
    first, second = lanes()
    second.keyframes, second.times, second.failure = [], [], "out of memory"
    comparison = compare_lanes("clip.mp4", [first, second])
    assert comparison.differences == [None, None]
    text = " ".join(Page(report_page(comparison)).texts)
    assert "4 bit has no result to compare" in text
    assert "4 bit ended early: out of memory; it has no result" in text
    with pytest.raises(AppError, match=r"4 bit reconstructed nothing .* out of memory"):
        compare_lanes("clip.mp4", [second, first])


def test_models_of_other_sizes_are_said_to_have_their_own_crops() -> None:
    first, second = lanes()
    second.keyframes = walk(6, (40, 40))
    known = compare_lanes("clip.mp4", [first, second], source_size=(100, 200))
    assert "42 x 28" in known.notes[0]
    assert "where they overlap" in known.notes[0]
    assert np.isfinite(known.differences[1].depth_percent)  # type: ignore[union-attr]
    unknown = compare_lanes("clip.mp4", [first, second])
    assert "their depths are not compared" in unknown.notes[0]
    Page(report_page(unknown))


@pytest.mark.parametrize("span", [(0.0, 1.0), (3.0, 1234.0), (-0.2, 0.31), (0, 1e-5)])
def test_ticks_are_few_round_and_inside(span: tuple[float, float]) -> None:
    values = ticks(span)
    assert 2 <= len(values) <= 8
    assert all(span[0] - 1e-9 <= value <= span[1] + 1e-9 for value in values)


def test_logarithmic_ticks_suit_long_and_short_ranges() -> None:
    assert log_ticks((1, 100)) == [1, 2, 5, 10, 20, 50, 100]
    assert len(log_ticks((1.1, 1.9))) >= 3
