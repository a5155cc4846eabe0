"""Command line of the app: its commands, or the window without one."""

import argparse
import sys
from collections.abc import Sequence

from app import devices
from app.arguments import Parser, program
from app.bench import command as bench_command
from app.compare import command as compare_command
from app.engine import command as models_command
from app.errors import AppError
from app.export import command as export_command
from app.live import command as reconstruct_command
from app.refinement import command as refine_command
from app.sessions import command as sessions_command

BAD_INPUT = 2
INTERRUPTED = 130

_RUN = {
    "reconstruct": reconstruct_command.run,
    "bench": bench_command.run,
    "refine-bench": refine_command.run,
    "compare": compare_command.run,
    "export": export_command.run,
    "devices": devices.run,
    "record": sessions_command.record,
    "models": models_command.run,
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the app; returns the exit status: 0, 2 for bad input, 130 after Ctrl-C.

    Without a command, or with options only, it opens the window.
    """
    argv = sys.argv[1:] if argv is None else list(argv)
    try:
        arguments = _parser().parse_args(argv)
        if arguments.command == "replay":
            return main(sessions_command.as_reconstruct(arguments, argv))
        if arguments.command:
            _RUN[arguments.command](arguments, argv)
            return 0
        from app.ui.main_window import run

        return run(
            arguments.source, arguments.bundle, arguments.screenshot, not arguments.no_settings
        )
    except AppError as error:
        return _fail(str(error))
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        return _fail(f"{place}{error.strerror or error}")
    except KeyboardInterrupt:
        print("interrupted: nothing was written", file=sys.stderr)
        return INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog=" ".join(program()),
        description="Capture a scene and see it in 3D. Without a command, the window opens.",
    )
    parser.add_argument("--source", help="video, folder of images or camera to start with")
    parser.add_argument("--bundle", help="model bundle to use")
    parser.add_argument(
        "--screenshot",
        metavar="FILE",
        help="run --source to its end without a display, write a picture of the window, leave",
    )
    parser.add_argument(
        "--no-settings", action="store_true", help="neither read nor keep what the window remembers"
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    reconstruct = reconstruct_command.add_parser(commands)
    compare_command.add_parser(commands)
    bench_command.add_parser(commands)
    refine_command.add_parser(commands)
    export_command.add_parser(commands)
    devices.add_parser(commands)
    sessions_command.add_parsers(commands, reconstruct)
    models_command.add_parser(commands)
    return parser


def _fail(text: str) -> int:
    print(f"error: {text}", file=sys.stderr)
    return BAD_INPUT
