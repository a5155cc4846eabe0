"""`python -m fgq report DIR ... --out report.html`: a page on what `fgq compare` found."""

from __future__ import annotations

import argparse
from pathlib import Path

from fgq.evaluate.report import report_page
from fgq.evaluate.report_data import load_comparisons
from fgq.files import write_file


def add_report_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "results", type=Path, nargs="+", help="folders of `fgq compare`, or their results.json"
    )
    parser.add_argument("--out", type=Path, default=Path("report.html"), help="HTML file")


def run_report(args: argparse.Namespace) -> None:
    """Raises ValueError for files that are not the results of a comparison."""
    if not args.out.parent.is_dir():
        raise ValueError(f"{args.out}: there is no folder {args.out.parent}")
    comparisons = load_comparisons(args.results)
    if not any(comparison.rows for comparison in comparisons):
        raise ValueError("every cell failed: there is nothing to report")
    page = report_page(comparisons).encode()
    write_file(args.out, page)
    print(f"{args.out}: saved, {len(page) / 1e3:.0f} kB")
