"""`python -m app compare`: two or more models on the same frames, and a report of it."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from app.arguments import CAMERA_KEYFRAMES, add_choice, add_loops, add_refine, add_windows, program
from app.compare.comparison import compare_lanes
from app.compare.folder import FIGURES, REPORT, write_comparison
from app.compare.lanes import Lane, lane_titles
from app.compare.report import findings
from app.compare.run import LaneRecorder, recorded_lane, start_lanes
from app.errors import AppError
from app.files import check_output
from app.live.terminal import warn
from app.reconstruction.truth import find_truth
from app.refinement.offline import refine_run
from app.sessions import is_session


def add_parser(commands: Any) -> None:
    """Add the command to the app's."""
    command = commands.add_parser(
        "compare",
        help="two models, such as full precision and 4 bit, on the very same frames",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = command.add_argument
    add("source", metavar="SOURCE", help="session, video file, folder of images, or camera")
    add(
        "--bundles",
        required=True,
        nargs="+",
        metavar="BUNDLE",
        help="model bundles; the first is the reference. With a session that was recorded while it "
        "was reconstructed one is enough: that is then compared with",
    )
    add("--out", required=True, help="folder to write; an earlier comparison is replaced")
    add_windows(command)
    add_choice(command)
    # It is the networks that are compared.
    add_loops(command, default=False)
    add_refine(command, local=False)


def run(arguments: argparse.Namespace, argv: Sequence[str]) -> None:
    """Run the command; AppError or OSError if it cannot be done."""
    out = Path(arguments.out).resolve()
    check_output(out, FIGURES, "a comparison")
    source: str = arguments.source
    recorded = _recorded(source, arguments.bundles)
    truth = find_truth(source)
    recorder = LaneRecorder()
    size = start_lanes(
        source,
        [Path(bundle) for bundle in arguments.bundles],
        recorder,
        views=arguments.views,
        overlap=arguments.overlap,
        every=arguments.every,
        threads=arguments.threads,
        loops=arguments.loops,
        limit=arguments.max_keyframes,
        camera_limit=CAMERA_KEYFRAMES,
    )
    lanes = [*recorded, *recorder.lanes]
    for lane, title in zip(lanes, lane_titles([lane.model for lane in lanes]), strict=True):
        lane.title = lane.title if lane.is_recorded else title
    if arguments.refine == "full":
        _refine(lanes, None if recorder.is_live else source)
    names = ("views", "overlap", "every", "threads", "max_keyframes", "bundles", "loops", "refine")
    settings = {name: getattr(arguments, name) for name in names}
    comparison = compare_lanes(source, lanes, truth, size, settings)
    command = shlex.join([*program(), *argv])
    write_comparison(out, comparison, command)
    for line in findings(comparison):
        print(f"finding    {line}")
    for note in comparison.notes:
        print(f"note       {note}")
    print(f"written    {out / REPORT}")


def _refine(lanes: Sequence[Lane], source: str | None) -> None:
    """Refine what each model has made; source: where the frames can be read again."""
    for lane in lanes:
        if lane.keyframes:
            lane.refinement = refine_run(lane.keyframes, source)
            lane.keyframes = lane.refinement.refinement.keyframes
            print(f"refinement {lane.title}: {lane.refinement.refinement.reason}")


def _recorded(source: str, bundles: Sequence[str]) -> list[Lane]:
    """The first lane where a session is compared with one bundle, otherwise none."""
    if len(bundles) > 1:
        return []
    if not is_session(source):
        raise AppError("compare needs two bundles or more; one is enough for a recorded session")
    return [recorded_lane(source, warn)]
