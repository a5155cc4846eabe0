"""The page on a comparison: its figures from results made up here, its form, its pictures."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from fgq.cli import main
from fgq.evaluate import paired_bootstrap
from fgq.evaluate.report_data import load_comparisons
from fgq.evaluate.report_figures import pareto_front
from fgq.evaluate.report_numbers import brief, linear_ticks, log_ticks, number, scientific
from fgq.evaluate.report_plots import Point, Series, heat_map, scatter
from fgq.evaluate.report_tables import ACCURACY, FIDELITY

BLOCKS = [f"aggregator.{kind}_blocks.{i}" for i in range(2) for kind in ("frame", "global")]
CLIPS, PAIRS = 6, 3
POOLED = ("rotation_", "translation_", "auc", "rra", "rta", "motion_", "fidelity_rotation_")
SVG = "{http://www.w3.org/2000/svg}"


def clip_results(error: float, rng: np.random.Generator, fidelity: bool) -> list[dict[str, Any]]:
    """Of a network whose errors are about `error` larger than those of full precision."""
    keys = [m.key for metrics in ACCURACY.values() for m in metrics]
    keys = [key for key in keys if not key.startswith(POOLED)]
    if fidelity:
        keys += [m.key for metrics in FIDELITY.values() for m in metrics]
        keys = [k for k in keys if not k.startswith(("fidelity_rotation", "fidelity_translation"))]
        keys += [f"sqnr_db/{name}" for name in BLOCKS]
    clips = []
    for index in range(CLIPS):
        clip: dict[str, Any] = {"clip": f"scene-{index:04d}"}
        for name, scale in (("rotation", 4), ("direction", 10), ("motion", 20)):
            base = scale * (1 + 0.1 * index)
            values = base + error * scale + 0.1 * rng.random(PAIRS)
            clip[f"pair_{name}_deg"] = values.tolist()
        if fidelity:
            clip["pair_fidelity_rotation_deg"] = (error + 0.1 * rng.random(PAIRS)).tolist()
            clip["pair_fidelity_translation"] = (0.1 * error * rng.random(PAIRS)).tolist()
        for key in keys:
            clip[key] = 0.2 + 0.01 * index + 0.1 * error + 0.001 * rng.random()
        clips.append(clip)
    return clips


def made_up(
    methods: dict[str, float], grids: dict[str, int], seeds: int = 2, sets: tuple[str, ...] = ("s",)
) -> dict[str, Any]:
    """Results of methods with their errors on grids with their sizes."""
    rng = np.random.default_rng(0)
    energy = rng.lognormal(0, 3, (3, len(BLOCKS), 3))
    energy[1:, -1, 1] = 0
    cells = {}
    for grid, size in grids.items():
        for method, error in methods.items():
            for seed in range(1 if method == "rtn" else seeds):
                predicted = error * rng.lognormal(0, 2, (3, len(BLOCKS)))
                blocks = {
                    k: (error * rng.random(len(BLOCKS))) for k in ("mse", "channels", "tokens")
                }
                blocks |= {"predicted": predicted}
                blocks |= {"measured": predicted * rng.lognormal(0, 0.3, predicted.shape)}
                cells[f"{method}_{grid}_seed{seed}"] = {
                    "method": method,
                    "grid": grid,
                    "seed": seed,
                    "bytes": size,
                    "sha256": f"{rng.integers(2**60):064x}",
                    "seconds": {"calibrate": 3.0, "evaluate": 2.0, "blocks": 1.0},
                    "options": {
                        "inputs": "full",
                        "weighting": "none",
                        "rounding": "nearest",
                        "epochs": 15,
                        "batch": 2,
                        "lr": 0.005,
                        "clip_lr": 0.05,
                    },
                    "calibration": {
                        "data": "train",
                        "clips": 8,
                        "views": 4,
                        "size": [168, 224],
                        "scope": "aggregator",
                        "losses": {},
                    },
                    "sets": {name: clip_results(error, rng, True) for name in sets},
                    "blocks": {name: np.asarray(x).tolist() for name, x in blocks.items()},
                }
    return {
        "format": "pocket-vggt-comparison",
        "format_version": 1,
        "commands": ["python -m fgq compare net --out <out>"],
        "created_with": {"python": "3.11", "torch": "2.13.0"},
        "checkpoint": {"name": "net", "sha256": "ab" * 32, "bytes": 4_000_000},
        "evaluation": {
            "sets": [
                {"name": n, "unit": "m", "clips": CLIPS, "views": 3, "size": [1, 1], "sha256": "cd"}
                for n in sets
            ],
            "block_clips": 8,
            "points": True,
            "seed": 0,
        },
        "fisher": {
            "sha256": "ef" * 32,
            "estimator": "gauss-newton",
            "probes": 4,
            "clips": 32,
            "blocks": BLOCKS,
            "tokens": [4.0, 16.0, 768.0],
            "energy": energy.tolist(),
            "share_low": np.full((3, len(BLOCKS)), 0.1).tolist(),
            "share_high": np.full((3, len(BLOCKS)), 0.2).tolist(),
        },
        "full": {"seconds": {}, "sets": {name: clip_results(0, rng, False) for name in sets}},
        "cells": cells,
    }


def save(results: dict[str, Any], path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(results))
    return path


METHODS = {"rtn": 1.0, "fgq": 0.1, "gptq": 0.4, "fgq-permuted": 0.2}
GRIDS = {"8da4w-g32": 1_000_000, "w4a4": 900_000}


class Page(HTMLParser):
    """What a test wants to know of a page; complains of elements that are not closed in turn."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.tables: dict[str, list[list[str]]] = {}
        self.bold: dict[tuple[str, int], list[str]] = {}
        self.caption = self.cell = ""
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.ids += [values["id"]] if values.get("id") else []  # type: ignore[list-item]
        self.links += [values["href"]] if values.get("href") else []  # type: ignore[list-item]
        if tag in ("br", "meta"):
            return
        self.open.append(tag)
        if tag == "caption":
            self.caption = ""
        if tag == "tr":
            self.tables.setdefault(self.caption, []).append([])
        if tag in ("td", "th"):
            self.cell = ""

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag
        if tag in ("td", "th"):
            self.tables[self.caption][-1].append(self.cell)

    def handle_data(self, data: str) -> None:
        self.cell += data
        if "caption" in self.open:
            self.caption += data
        if self.open[-1:] == ["b"] and "td" in self.open:
            row = self.tables[self.caption][-1]
            self.bold.setdefault((self.caption, len(row)), []).append(row[0])


@pytest.fixture(scope="module")
def html(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("report")
    results = made_up(METHODS, GRIDS, sets=("s", "fox & hounds"))
    failed = {"method": "quarot", "grid": "w4a4", "seed": 0, "error": "loss <not> finite"}
    results["cells"]["quarot_w4a4_seed0"] = failed
    save(results, folder / "out" / "results.json")
    assert main(["report", str(folder / "out"), "--out", str(folder / "report.html")]) == 0
    return (folder / "report.html").read_text()


def test_the_page_stands_alone(html: str) -> None:
    page = Page(html)
    assert len(page.ids) == len(set(page.ids))
    assert {link.removeprefix("#") for link in page.links} == set(page.ids)
    outside = html.replace("http://www.w3.org/2000/svg", "")
    assert not re.search(r"https?:|//[a-z]|<script|<link|<img|@import|url\(", outside)
    assert "loss &lt;not&gt; finite" in html
    assert "python -m fgq compare net --out &lt;out&gt;" in html
    assert "fox &amp; hounds" in html
    assert "ab" * 32 in html
    for svg in re.findall(r"<svg.*?</svg>", html, re.S):
        ElementTree.fromstring(svg)
        assert "nan" not in svg
        assert "inf" not in svg.replace("information", "")


def test_tables_have_every_metric_of_every_method(html: str) -> None:
    page = Page(html)
    for title, metrics in (ACCURACY | FIDELITY).items():
        table = page.tables[title]
        # Both sets have a table of this title; the parser put one under the other.
        assert len(table[0]) == 1 + len(metrics)
        names = [row[0].split(" ")[0] for row in table]
        assert names.count("method") == 2
        assert names.count("full") == (2 if title in ACCURACY else 0)
        assert [n for n in names if n in METHODS] == ["rtn", "gptq", "fgq", "fgq-permuted"] * 4
        for row in table:
            if row[0].split(" ")[0] in METHODS:
                assert all(re.match(r"−?\d+\.\d+.* to ", cell) for cell in row[1:])
    # Errors grow with what was made up: fgq is the best of every grid and set wherever less is
    # better, and the worst where more is.
    depth = "Depth after one scale a clip, and after one scale an image"
    assert page.bold[depth, 1] == ["fgq"] * 4
    assert page.bold[depth, 4] == ["rtn 1 seed"] * 4


def test_figures_are_means_over_seeds_with_paired_intervals(tmp_path: Path) -> None:
    results = made_up(METHODS, GRIDS)
    path = save(results, tmp_path / "r.json")
    (comparison,) = load_comparisons([path])
    row = comparison.rows_on("w4a4")[2]
    assert (row.method, row.bytes) == ("fgq", 900_000)
    full = results["full"]["sets"]["s"]
    seeds = [results["cells"][f"fgq_w4a4_seed{s}"]["sets"]["s"] for s in range(2)]

    figure = comparison.figure(row, "s", "abs_rel")
    assert figure is not None
    by_seed = [np.mean([clip["abs_rel"] for clip in seed]) for seed in seeds]
    assert figure.value == pytest.approx(np.mean(by_seed))
    assert comparison.value(row, "s", "abs_rel") == figure.value
    assert figure.spread == pytest.approx(abs(by_seed[0] - by_seed[1]) / 2**0.5)
    of_clips = np.mean([[clip["abs_rel"] for clip in seed] for seed in seeds], axis=0)
    expected = paired_bootstrap([clip["abs_rel"] for clip in full], of_clips, seed=0)
    assert figure.difference == pytest.approx(expected)

    median = comparison.figure(row, "s", "rotation_median_deg")
    assert median is not None
    pooled = [np.median([clip["pair_rotation_deg"] for clip in seed]) for seed in seeds]
    assert median.value == pytest.approx(np.mean(pooled))
    assert median.difference is not None
    assert median.difference.low is not None
    assert 0.3 < median.difference.low < median.difference.value < 0.5  # 4 times an error of 0.1

    fidelity = comparison.figure(row, "s", "fidelity_log_depth_rmse")
    assert fidelity is not None
    assert fidelity.difference is None
    assert comparison.figure(row, "s", "nothing") is None
    assert comparison.figure(comparison.rows[0], "s", "abs_rel").spread is None  # type: ignore[union-attr]


def test_clips_without_a_metric_are_left_out_of_both_sides(tmp_path: Path) -> None:
    results = made_up({"rtn": 1.0}, GRIDS)
    for clip in results["cells"]["rtn_w4a4_seed0"]["sets"]["s"][:2]:
        del clip["abs_rel"]
    (comparison,) = load_comparisons([save(results, tmp_path / "r.json")])
    figure = comparison.figure(comparison.rows_on("w4a4")[0], "s", "abs_rel")
    assert figure is not None
    assert figure.difference is not None
    kept = results["cells"]["rtn_w4a4_seed0"]["sets"]["s"][2:]
    full = results["full"]["sets"]["s"][2:]
    difference = np.mean([a["abs_rel"] - b["abs_rel"] for a, b in zip(kept, full, strict=True)])
    assert figure.difference.value == pytest.approx(difference)


def test_results_of_one_kind_are_put_together(tmp_path: Path) -> None:
    first = save(made_up({"rtn": 1.0}, GRIDS), tmp_path / "a" / "results.json")
    second = save(made_up({"fgq": 0.5}, GRIDS), tmp_path / "b.json")
    (merged,) = load_comparisons([first.parent, second])
    assert [row.method for row in merged.rows_on("w4a4")] == ["rtn", "fgq"]
    with pytest.raises(ValueError, match="rtn_8da4w-g32_seed0 is in another of the files"):
        load_comparisons([first, first])
    other = made_up({"rtn": 1.0}, GRIDS)
    other["checkpoint"]["name"] = "another"
    third = save(other, tmp_path / "c.json")
    assert len(load_comparisons([first, third])) == 2
    assert main(["report", str(first), str(third), "--out", str(tmp_path / "r.html")]) == 0
    Page((tmp_path / "r.html").read_text())


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nowhere", "is not the result of a comparison"),
        ("text", "is not the result of a comparison"),
        ("empty", "nothing is finished yet"),
        ("failed", "every cell failed"),
    ],
)
def test_foreseeable_faults_are_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, message: str
) -> None:
    (tmp_path / "text").write_text("[1]")
    save(made_up({}, GRIDS), tmp_path / "empty")
    failed = made_up({"rtn": 1.0}, GRIDS)
    for cell in failed["cells"].values():
        cell["error"] = "why"
    save(failed, tmp_path / "failed")
    assert main(["report", str(tmp_path / name), "--out", str(tmp_path / "r.html")]) == 2
    error = capsys.readouterr().err.splitlines()
    assert len(error) == 1
    assert message in error[0]
    assert not (tmp_path / "r.html").exists()
    out = tmp_path / "no" / "r.html"
    assert main(["report", str(tmp_path / "empty"), "--out", str(out)]) == 2
    assert "there is no folder" in capsys.readouterr().err


def test_marks_are_where_their_values_are() -> None:
    """Equal values lie on the diagonal, a value ten times as large as far again as the first."""
    points = [Point(x, x, f"p{i}") for i, x in enumerate((1e-4, 1e-3, 1e-2))]
    series = Series("a", "#000000", "circle", points)
    root = ElementTree.fromstring(scatter("t", [series], "x", "y", log=True, diagonal=True))
    marks = {c[0].text: c for c in root.iter(f"{SVG}circle")}
    x = [float(marks[f"p{i}"].attrib["cx"]) for i in range(3)]
    y = [float(marks[f"p{i}"].attrib["cy"]) for i in range(3)]
    assert x[1] - x[0] == pytest.approx(x[2] - x[1], abs=0.2)
    dashed = next(line for line in root.iter(f"{SVG}line") if "stroke-dasharray" in line.attrib)
    x1, y1, x2, y2 = (float(dashed.attrib[k]) for k in ("x1", "y1", "x2", "y2"))
    for a, b in zip(x, y, strict=True):
        assert (b - y1) / (y2 - y1) == pytest.approx((a - x1) / (x2 - x1), abs=0.01)


def test_larger_values_are_darker_and_zeros_are_crossed_out() -> None:
    values = [[0.1, 1.0, 10.0], [100.0, 0.0, 0.1]]
    texts = [[f"cell {i}{j}" for j in range(3)] for i in range(2)]
    root = ElementTree.fromstring(heat_map("t", ["a", "b"], ["x", "y", "z"], values, texts, "%"))
    cells = {g[0].text: g for g in root.iter(f"{SVG}g")}

    def light(name: str) -> int:
        fill = cells[name].find(f"{SVG}rect").attrib["fill"]  # type: ignore[union-attr]
        return sum(int(fill[i : i + 2], 16) for i in (1, 3, 5))

    order = ["cell 00", "cell 01", "cell 02", "cell 10"]
    assert [light(name) for name in order] == sorted((light(name) for name in order), reverse=True)
    assert light("cell 00") == light("cell 12")
    assert cells["cell 11"].find(f"{SVG}line") is not None
    assert cells["cell 00"].find(f"{SVG}line") is None


def test_ticks_are_round() -> None:
    assert [text for _, text in linear_ticks(0, 0.9)] == ["0.0", "0.2", "0.4", "0.6", "0.8"]
    assert [text for _, text in log_ticks(2e-3, 4e2)] == ["10⁻²", "10⁻¹", "10⁰", "10¹", "10²"]
    assert [v for v, _ in log_ticks(0.9, 6)] == [1, 2, 5]
    assert [text for _, text in log_ticks(0.021, 0.049)] == [
        "0.025",
        "0.03",
        "0.035",
        "0.04",
        "0.045",
    ]
    assert len(log_ticks(1e-20, 1e3)) <= 7


def test_numbers_are_written_as_in_print() -> None:
    assert number(-1.25, 1) == "−1.2"
    assert number(-0.001, 2) == "0.00"
    assert scientific(0.00123) == "1.2·10⁻³"
    assert scientific(-4e5) == "−4.0·10⁵"
    assert scientific(0) == "0"
    assert [scientific(x) for x in (-0.0123, 45.67)] == ["−0.0123", "45.7"]
    assert [brief(x) for x in (0, 123.4, 12.3, 1.23, 0.0456, 0.002)] == [
        "0",
        "123",
        "12",
        "1.2",
        "0.046",
        "<0.01",
    ]


def test_the_front_is_what_nothing_smaller_beats() -> None:
    points = [Point(3, 1, "c"), Point(1, 5, "a"), Point(2, 6, "worse"), Point(1, 7, "same size")]
    assert [p.text for p in pareto_front(points)] == ["a", "c"]
