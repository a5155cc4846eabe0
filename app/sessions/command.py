"""`python -m app record` and `python -m app replay`."""

from __future__ import annotations

import argparse
import shlex
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tqdm import tqdm

from app.arguments import at_least, program
from app.capture import (
    Frame,
    FrameSource,
    SourceError,
    SourceInterrupted,
    default_selector,
    open_source,
)
from app.live.terminal import REOPEN_INTERVAL, warn
from app.sessions.layout import is_session
from app.sessions.reader import read_header
from app.sessions.writer import SessionWriter


def add_parsers(commands: Any, reconstruct: argparse.ArgumentParser) -> None:
    """Add `record`, and `replay` with the options of `reconstruct`, to the app's commands."""
    command = commands.add_parser(
        "record",
        help="a capture to a folder, to be reconstructed later; Ctrl-C ends it",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = command.add_argument
    add("source", metavar="SOURCE", help="video file, folder of images, or index of a camera")
    add("--out", required=True, help="folder of the session")
    add("--every", type=at_least(1), default=1, help="look at each n-th frame only")
    add("--max-keyframes", type=at_least(1), help="stop after so many")
    add("--seconds", type=at_least(1), help="stop after so many seconds of the source")
    add("--resume", action="store_true", help="go on with the session in --out, if there is one")
    commands.add_parser(
        "replay",
        help="a recorded session through any model, with the keyframes it was recorded with",
        description="What `reconstruct` does, of a session: with its keyframes, and with its "
        "--views, --overlap and --loops unless others are given.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        parents=[reconstruct],
        add_help=False,
    )


def record(arguments: argparse.Namespace, argv: Sequence[str]) -> None:
    """Run `record`; AppError if it cannot be done, and when the disk is full."""
    with closing(open_source(arguments.source, warn)) as source:
        frames, keyframes = _record(source, arguments, argv)
    print(f"recorded   {frames} frames, {keyframes} of them keyframes")
    print(f"written    {Path(arguments.out).resolve()}")


def as_reconstruct(arguments: argparse.Namespace, argv: Sequence[str]) -> list[str]:
    """The command line of `reconstruct` that does what `replay` is asked to do.

    Raises AppError when the source is no session.
    """
    settings = read_header(arguments.source).settings
    recorded = [
        option
        for name, kind in (("views", int), ("overlap", int))
        if isinstance(settings.get(name), kind)
        for option in (f"--{name}", str(settings[name]))
    ]
    if settings.get("loops") is False:
        recorded.append("--no-loops")
    # Of two options with one name the later one counts: that of the user.
    rest = list(argv)
    rest.remove("replay")
    return ["reconstruct", *recorded, *rest]


def _record(
    source: FrameSource, arguments: argparse.Namespace, argv: Sequence[str]
) -> tuple[int, int]:
    """Record until the source ends, enough is there or the user ends it: frames, keyframes."""
    selector = default_selector(source, arguments.every)
    frames = keyframes = 0
    with (
        closing(_open_writer(arguments, argv)) as writer,
        tqdm(total=source.length, unit=" frames", disable=None, leave=False) as bar,
    ):
        try:
            for frame in _going_on(source):
                if arguments.seconds and frame.time >= arguments.seconds:
                    break
                decision = selector.consider(frame)
                writer.add_frame(frame, decision)
                frames += 1
                keyframes += decision.accepted
                bar.update()
                bar.set_postfix_str(f"{keyframes} keyframes; {decision.reason}", refresh=False)
                if keyframes == arguments.max_keyframes:
                    break
        except KeyboardInterrupt:
            # This is how a camera's recording ends.
            pass
    return frames, keyframes


def _open_writer(arguments: argparse.Namespace, argv: Sequence[str]) -> SessionWriter:
    if arguments.resume and is_session(arguments.out):
        return SessionWriter.resume(arguments.out)
    settings = {
        "command": shlex.join([*program(), *argv]),
        "version": version("pocket-vggt"),
        "every": arguments.every,
    }
    return SessionWriter(arguments.out, arguments.source, settings)


def _going_on(source: FrameSource) -> Iterator[Frame]:
    """The frames of a source; one that is interrupted is waited for."""
    while True:
        try:
            yield from source
            return
        except SourceInterrupted as error:
            warn(f"{error}; waiting for it, Ctrl-C ends the recording")
        _wait_for(source)


def _wait_for(source: FrameSource) -> None:
    while True:
        time.sleep(REOPEN_INTERVAL)
        try:
            source.reopen()
            return
        except SourceError:
            continue
