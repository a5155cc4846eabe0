"""`python -m fgq evaluate`: a network on held-out scenes and posed photographs, and against its
full-precision original.

Its JSON holds
    rows    for each set and number of views: its number of clips, the unit of its lengths, every
            metric, and intervals {metric: [low, high]} of 95 % (null where there is one clip)
    clips   what `measure_clip` says of each clip, with its set and views: `results_by_set` and
            `compare` make paired intervals between two such files of them
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fgq.arguments import parse_size
from fgq.evaluate.clips import ClipSet, sequence_set, synthetic_set
from fgq.evaluate.intervals import Interval
from fgq.evaluate.measure import SEED, load_network, measure_set
from fgq.evaluate.pose import THRESHOLDS
from fgq.evaluate.summary import summarize
from fgq.files import write_file


def add_evaluate_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("checkpoint", type=Path, help="full-precision or packed checkpoint")
    parser.add_argument(
        "--reference", type=Path, help="full-precision checkpoint to measure the deviation from"
    )
    parser.add_argument(
        "--sequence", type=Path, action="append", default=[], help="posed folder with fixed clips"
    )
    parser.add_argument("--synthetic", type=Path, help="shards of held-out seeds")
    parser.add_argument("--views", default="4", help="views a clip, for example 2,4,8")
    parser.add_argument(
        "--size", default="168x224", help="HxW of photographs in pixels, multiples of 14"
    )
    parser.add_argument("--scenes", type=int, default=64, help="synthetic scenes at most")
    parser.add_argument(
        "--no-points", action="store_true", help="leave out the point clouds, the slowest part"
    )
    parser.add_argument("--json", type=Path, help="write all figures here, with those of each clip")


def run_evaluate(args: argparse.Namespace) -> None:
    """Print a few lines for each set and number of views.

    ValueError for bad arguments, DataError and CheckpointError for bad files; all of them before
    anything slow begins, but for damaged images.
    """
    size = parse_size(args.size)
    sets = _requested_sets(args, size)
    if args.json is not None and not args.json.parent.is_dir():
        raise ValueError(f"{args.json}: there is no folder {args.json.parent}")
    model = load_network(args.checkpoint)
    reference = load_network(args.reference) if args.reference is not None else None
    if reference is not None and reference.config != model.config:
        raise ValueError(f"{args.reference} is not the original of {args.checkpoint}: they differ")
    rows: list[dict[str, Any]] = []
    clips: list[dict[str, Any]] = []
    for chosen in sets:
        results = measure_set(model, chosen, reference, points=not args.no_points)
        summary = summarize(results, SEED)
        label = {"set": chosen.name, "views": chosen.views}
        figures = {name: interval.value for name, interval in summary.items()}
        bounds = {name: [interval.low, interval.high] for name, interval in summary.items()}
        counts = {"clips": chosen.count, "unit": chosen.unit}
        rows.append({**label, **counts, **figures, "intervals": bounds})
        clips += [{**label, **result} for result in results]
        print(format_summary(chosen, summary), flush=True)
    if args.json is not None:
        report = {
            "checkpoint": str(args.checkpoint),
            "reference": None if args.reference is None else str(args.reference),
            "size": size,
            "seed": SEED,
            "rows": rows,
            "clips": clips,
        }
        write_file(args.json, (json.dumps(report, indent=1, allow_nan=False) + "\n").encode())


def _requested_sets(args: argparse.Namespace, size: tuple[int, int]) -> list[ClipSet]:
    if not args.sequence and args.synthetic is None:
        raise ValueError("nothing to evaluate on: give --sequence FOLDER or --synthetic DIR")
    if args.scenes < 1:
        raise ValueError(f"--scenes {args.scenes}: at least one is needed")
    sets = []
    for text in args.views.split(","):
        if not text.isdecimal() or int(text) < 2:
            raise ValueError(f"--views {args.views}: numbers from 2 with commas between are needed")
        views = int(text)
        sets += [sequence_set(folder, views, size) for folder in args.sequence]
        if args.synthetic is not None:
            sets.append(synthetic_set(args.synthetic, views, args.scenes))
    labels = [f"{chosen.name}, {chosen.views} views" for chosen in sets]
    if repeated := sorted(label for label in set(labels) if labels.count(label) > 1):
        raise ValueError(f"two sets are both called {repeated[0]}")
    return sets


def format_summary(clips: ClipSet, summary: Mapping[str, Interval]) -> str:
    """A line of what was measured, then one each for pose, depth, points and fidelity."""
    figures = {name: interval.value for name, interval in summary.items()}
    unit = "m" if clips.unit == "m" else "of the median depth"
    lines = [f"{clips.name}, {clips.views} views, {clips.count} clips", _pose_line(figures)]
    if "abs_rel" in figures:
        lines.append(_depth_line(figures, unit))
    for source, title in (("unprojected", "depth's points"), ("point_head", "point head")):
        if f"{source}_completeness_mean" in figures:
            lines.append(_points_line(figures, source, title, unit))
    if "fidelity_fov_deg" in figures:
        lines.append(_fidelity_line(figures))
    return "\n".join(lines)


def _pose_line(m: Mapping[str, float]) -> str:
    auc = " ".join(f"{m[f'auc{limit}']:.3f}" for limit in THRESHOLDS)
    return (
        f"  pose            rotation {m['rotation_median_deg']:.2f}° of"
        f" {m['motion_median_deg']:.1f}°, direction {m['translation_median_deg']:.1f}°,"
        f" RRA@15 {m['rra15']:.3f}, RTA@15 {m['rta15']:.3f},"
        f" AUC@{'/'.join(map(str, THRESHOLDS))} {auc}"
    )


def _depth_line(m: Mapping[str, float], unit: str) -> str:
    return (
        f"  depth           AbsRel {m['abs_rel']:.3f}, RMSE {m['rmse']:.3f} {unit},"
        f" log-RMSE {m['log_rmse']:.3f}, within 1.25 {m['delta1']:.3f}; one scale an image:"
        f" AbsRel {m['image_abs_rel']:.3f}, within 1.25 {m['image_delta1']:.3f}"
    )


def _points_line(m: Mapping[str, float], source: str, title: str, unit: str) -> str:
    parts = [
        f"{name} {m[f'{source}_{name}_mean']:.3f} / {m[f'{source}_{name}_median']:.3f}{end}"
        for name, end in (("accuracy", f" {unit}"), ("completeness", f" {unit}"), ("normal", ""))
        if f"{source}_{name}_mean" in m
    ]
    return f"  {title:<14}  {', '.join(parts)} (mean / median)"


def _fidelity_line(m: Mapping[str, float]) -> str:
    parts = [
        f"rotation {m['fidelity_rotation_mean_deg']:.3f}°",
        f"translation {m['fidelity_translation_mean']:.4f} of the median depth",
        f"field of view {m['fidelity_fov_deg']:.3f}°",
    ]
    if "fidelity_log_depth_rmse" in m:
        parts.append(
            f"log depth {m['fidelity_log_depth_rmse']:.4f}"
            f" ({m['fidelity_log_depth_rmse_aligned']:.4f} aligned)"
        )
        parts.append(f"depth's points {m['fidelity_unprojected_rmse']:.4f}")
    if "fidelity_point_head_rmse" in m:
        parts.append(f"point head {m['fidelity_point_head_rmse']:.4f}")
    blocks = {name: value for name, value in m.items() if name.startswith("sqnr_db/")}
    worst = min(blocks, key=lambda name: blocks[name])
    parts.append(f"SQNR from {blocks[worst]:.1f} dB at {worst.removeprefix('sqnr_db/aggregator.')}")
    return f"  fidelity        {', '.join(parts)}"
