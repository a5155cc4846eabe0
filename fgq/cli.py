"""Command line of the offline side: render scenes, train, quantize, evaluate."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

# OpenMP's spinning barriers make any second busy process slow torch many times over.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; a foreseeable fault is one line on stderr and exit status 2."""
    from fgq.allocate_command import add_allocate_arguments, run_allocate
    from fgq.calibrate_command import add_calibrate_arguments, run_calibrate
    from fgq.compare_command import add_compare_arguments, run_compare
    from fgq.data import DataError
    from fgq.data.render_command import (
        add_render_arguments,
        add_render_demo_arguments,
        run_render,
        run_render_demo,
    )
    from fgq.evaluate.evaluate_command import add_evaluate_arguments, run_evaluate
    from fgq.evaluate.report_command import add_report_arguments, run_report
    from fgq.fisher_command import add_fisher_arguments, run_fisher
    from fgq.quant.quantize_command import add_quantize_arguments, run_quantize
    from fgq.train.train_command import add_train_arguments, run_train
    from fgq.vggt import CheckpointError

    parser = argparse.ArgumentParser(prog="fgq", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, text, add_arguments, run in (
        ("render", "render procedural training scenes to disk", add_render_arguments, run_render),
        ("render-demo", "render the demo clip", add_render_demo_arguments, run_render_demo),
        ("train", "train a VGGT on rendered scenes", add_train_arguments, run_train),
        ("quantize", "round to 4 bit without data", add_quantize_arguments, run_quantize),
        ("fisher", "measure which activations matter", add_fisher_arguments, run_fisher),
        ("allocate", "choose bits by Fisher information", add_allocate_arguments, run_allocate),
        ("calibrate", "quantize on clips, by any method", add_calibrate_arguments, run_calibrate),
        ("evaluate", "measure poses and depth", add_evaluate_arguments, run_evaluate),
        ("compare", "measure methods against each other", add_compare_arguments, run_compare),
        ("report", "show what was compared", add_report_arguments, run_report),
    ):
        command = commands.add_parser(name, help=text, description=text)
        add_arguments(command)
        command.set_defaults(run=run)
    args = parser.parse_args(argv)
    try:
        args.run(args)
    except (ValueError, OSError, DataError, CheckpointError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130
    return 0
