"""`python -m app record` and `python -m app replay`."""

from __future__ import annotations

import argparse
import math
import shlex
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tqdm import tqdm

from app.arguments import at_least
from app.capture import Frame, FrameSource, SourceError, default_selector, open_source
from app.sessions.layout import is_session
from app.sessions.writer import SessionWriter


def add_parser(commands: Any) -> None:
    """Add the command `record` to the app's."""
    command = commands.add_parser(
        "record",
        help="a capture to a folder, to be reconstructed later; Ctrl-C ends it",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = command.add_argument
    add("source", metavar="SOURCE", help="camera, video file or folder of images")
    add("--out", required=True, help="folder of the session")
    add("--every", type=at_least(1), default=1, help="look at each n-th frame only")
    add("--max-keyframes", type=at_least(1), help="stop after so many")
    add("--seconds", type=at_least(1), help="stop after so long, in the time of the source")
    add("--resume", action="store_true", help="go on with the session in --out, if there is one")


def run(arguments: argparse.Namespace, argv: Sequence[str]) -> None:
    """Run `record`; AppError if it cannot be done, and when the disk is full."""
    out = Path(arguments.out)
    with closing(open_source(arguments.source, _warn)) as source:
        with closing(_open_writer(out, arguments, argv)) as writer:
            frames, keyframes = _record(source, writer, arguments)
    print(f"recorded   {frames} frames, {keyframes} of them keyframes")
    print(f"written    {out.resolve()}")
