"""Types of the command line's arguments; what does not fit is one line."""

import argparse
import math
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

from app.errors import AppError
from app.reconstruction.fusion import FUSE
from app.reconstruction.masks import MASKS

Corner = tuple[float, float, float]


def program() -> list[str]:
    """The words that start this program again: as it was started, installed or from a checkout."""
    name = Path(sys.argv[0]).stem
    return [name] if name == "pocket-vggt" else ["python", "-m", "app"]


class Parser(argparse.ArgumentParser):
    """Reports bad arguments as every other fault: in one line."""

    def error(self, message: str) -> NoReturn:
        raise AppError(f"{message} ({self.prog} --help shows the usage)")


def at_least(low: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not text.isdecimal() or int(text) < low:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from {low} up")
        return int(text)

    return parse


def between(low: float, high: float) -> Callable[[str], float]:
    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"{text!r} is not a number from {low} to {high}")
        return value

    return parse


def box(text: str) -> tuple[Corner, Corner]:
    """Six numbers with commas between: the lowest and the highest corner."""
    try:
        x0, y0, z0, x1, y1, z1 = map(float, text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not x0,y0,z0,x1,y1,z1") from None
    if not (x0 < x1 and y0 < y1 and z0 < z1):
        raise argparse.ArgumentTypeError(f"{text!r} is not a box: the second corner is the higher")
    return (x0, y0, z0), (x1, y1, z1)


def names_of(known: Sequence[str]) -> Callable[[str], tuple[str, ...]]:
    def parse(text: str) -> tuple[str, ...]:
        names = tuple(text.split(","))
        for name in names:
            if name not in known:
                raise argparse.ArgumentTypeError(f"{name!r} is none of {', '.join(known)}")
        return names

    return parse


def counted(text: str) -> tuple[int, ...]:
    """Numbers from 1 up with commas between, as positions from 0 up in order."""
    parse = at_least(1)
    return tuple(sorted({parse(number) - 1 for number in text.split(",")}))


def positive(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")
    return value


REFINE = "none", "local", "full"
"""What refinement a run may have."""

CAMERA_KEYFRAMES = 60
"""After which a camera ends, which never ends by itself, unless more are asked for."""


def add_windows(parser: argparse.ArgumentParser) -> None:
    """The options of the windows of views that the network sees, and of its runtime."""
    add = parser.add_argument
    add("--views", type=at_least(2), default=4, help="keyframes in a window of the network")
    add("--overlap", type=at_least(1), default=2, help="keyframes shared by two windows")
    add("--threads", type=at_least(1), help="threads of a runtime; one a core when not given")


def add_choice(parser: argparse.ArgumentParser) -> None:
    """The options that say which frames are taken."""
    add = parser.add_argument
    add("--every", type=at_least(1), default=1, help="look at each n-th frame only")
    add(
        "--max-keyframes",
        type=at_least(1),
        help=f"stop after so many; when not given, a camera stops after {CAMERA_KEYFRAMES}",
    )


def add_loops(parser: argparse.ArgumentParser, default: bool = True) -> None:
    """The option that says whether places are recognized."""
    parser.add_argument(
        "--loops",
        action=argparse.BooleanOptionalAction,
        default=default,
        help="recognize places seen before, and move all keyframes so that they fit",
    )


def add_refine(parser: argparse.ArgumentParser, local: bool = True) -> None:
    """The option that says whether the network's cameras and depth are refined; local: also while
    the run goes on."""
    beside = "; local: those of the newest keyframes, beside the run" if local else ""
    parser.add_argument(
        "--refine",
        choices=REFINE if local else [name for name in REFINE if name != "local"],
        default="none",
        help="full: make cameras and depth exact by features of the whole frames, at the end"
        + beside,
    )


def add_fuse(parser: argparse.ArgumentParser) -> None:
    """The option that says how points of many keyframes become one cloud."""
    parser.add_argument(
        "--fuse",
        type=between(0, 1),
        default=FUSE,
        metavar="FRACTION",
        help="side of the cells that keep one point each, of the keyframe that is surest of it, as "
        "a fraction of the distance from which they are seen; 0 keeps all points",
    )


def add_selection(parser: argparse.ArgumentParser) -> None:
    """The options that say which points count, as `Selection.arguments` writes them."""
    parser.add_argument(
        "--quantile",
        type=between(0, 1),
        default=0.3,
        help="share of each keyframe's points to leave out, the least confident ones",
    )
    add_fuse(parser)
    parser.add_argument(
        "--crop",
        type=box,
        metavar="X0,Y0,Z0,X1,Y1,Z1",
        help="keep what lies in a box, in the lengths of cloud.ply (--crop=-1,... if it begins so)",
    )
    parser.add_argument(
        "--masks",
        type=names_of(MASKS),
        default=(),
        metavar="NAME,...",
        help=f"leave out pixels that look like one of {', '.join(MASKS)} (sky or background)",
    )
    parser.add_argument(
        "--without",
        type=counted,
        default=(),
        metavar="NUMBER,...",
        help="leave out these keyframes, counted from 1 as in the window",
    )
    parser.add_argument(
        "--metres-per-unit",
        type=positive,
        metavar="METRES",
        help="note in the files how long one unit is; nothing is scaled",
    )
