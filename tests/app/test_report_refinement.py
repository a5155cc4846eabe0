"""The quality of a refinement in the report."""

import re

from app.compare.report_refinement import refinement_page, refinement_section
from app.refinement.outcome import FrameReport, Refinement, kept

EXPLAINED, JOINED = "geometry explains its matches", "one pair joins it to frame"
FEW = "too few matches: the network's camera, relative to frame"


def refinement() -> Refinement:
    frames = [FrameReport(True, EXPLAINED, 40, 3.0 + k, 0.25, 100, 2.5 + k, True) for k in range(5)]
    frames += [FrameReport(True, f"{JOINED} {k}", 9, 8.0, 1.0) for k in (1, 3)]
    frames += [FrameReport(False, f"{FEW} {k}") for k in (2, 4, 7)]
    return Refinement([], frames, "7 of 10 frames changed")


def rows(html: str) -> dict[str, str]:
    found = re.findall(r"<tr><th>(.*?)</th><td[^>]*>(.*?)</td></tr>", html)
    return dict(found)


def test_it_tells_errors_tracks_and_the_share_that_changed() -> None:
    table = rows(refinement_section(refinement(), seconds=25.0))
    assert table["Cameras changed"] == "7 of 10 (70 %)"
    assert table["Depth changed"] == "5 of 10 (50 %)"
    assert table["Error before, median"] == "6.00 px"
    assert table["Error after, median"] == "0.250 px"
    assert table["Length of tracks, median"] == "4.50"
    assert table["Processor time a keyframe"] == "2.50 s"


def test_reasons_are_counted_without_their_figures() -> None:
    table = rows(refinement_section(refinement(), 25.0))
    assert table[f"changed: {EXPLAINED}"] == "5"
    assert table["changed: one pair joins it"] == "2"
    assert table["kept: too few matches: the network&#x27;s camera"] == "3"


def test_histograms_hold_every_frame_with_a_figure() -> None:
    html = refinement_section(refinement(), 25.0)
    bars = [int(n) for n in re.findall(r"<title>(\d+) frames</title>", html)]
    assert sum(bars) == 5
    assert html.count("<svg") >= 2
    assert "before" in html
    assert "after" in html


def test_where_nothing_changed_the_reason_stands_and_no_empty_plot() -> None:
    html = refinement_section(kept([None] * 3, "<cancelled>"), 0.0)  # type: ignore[list-item]
    assert "&lt;cancelled&gt;." in html
    assert "<svg" not in html
    table = rows(html)
    assert table["Cameras changed"] == "0 of 3 (0 %)"
    assert table["Error after, median"] == "n/a px"


def test_one_frame_far_off_does_not_squeeze_the_others() -> None:
    frames = [FrameReport(True, EXPLAINED, 40, 2 + 0.1 * k, 0.5) for k in range(40)]
    frames.append(FrameReport(True, EXPLAINED, 40, 5000.0, 0.5))
    html = refinement_section(Refinement([], frames, "all"), 1.0)
    ticks = [float(t.replace(",", "")) for t in re.findall(r">([\d.,]+)</text>", html)]
    assert max(ticks) < 100


def test_the_page_is_whole_and_says_how_it_was_made() -> None:
    page = refinement_page(refinement(), 25.0, "a <b>.mp4", "python -m app reconstruct 'a <b>.mp4'")
    assert page.startswith("<!DOCTYPE html>")
    assert page.rstrip().endswith("</html>")
    assert "<title>Refinement of a &lt;b&gt;.mp4</title>" in page
    assert "python -m app reconstruct" in page
    assert "http" not in page.replace("http://www.w3.org/2000/svg", "")
    assert "Quality" in page
