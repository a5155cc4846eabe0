"""`python -m fgq allocate CHECKPOINT --data FOLDER --fisher FOLDER --out PLAN.json`."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from pathlib import Path

from fgq.allocate import allocate, measure_sites
from fgq.arguments import parse_size
from fgq.data.calibration import load_calibration_clips
from fgq.files import write_file
from fgq.importance import load_fisher_of
from fgq.quant import fold_layer_scale, require_full_precision
from fgq.vggt import load_checkpoint


def add_allocate_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("checkpoint", type=Path, help="folder, .safetensors or .pt file")
    parser.add_argument("--data", type=Path, required=True, help="shards, posed folder or images")
    parser.add_argument("--fisher", type=Path, required=True, help="folder that `fgq fisher` wrote")
    parser.add_argument("--out", type=Path, required=True, help="file for `calibrate --plan`")
    parser.add_argument(
        "--budget", type=float, default=1.2, help="bytes as a multiple of 4 bit everywhere"
    )
    parser.add_argument("--score", choices=("fisher", "magnitude"), default="fisher")
    parser.add_argument("--scope", choices=("aggregator", "all"), default="all")
    parser.add_argument("--clips", type=int, default=16, help="calibration clips")
    parser.add_argument("--views", type=int, default=4, help="views a clip")
    parser.add_argument("--size", default="168x224", help="HxW in pixels, multiples of 14")
    parser.add_argument("--seed", type=int, default=0, help="of the clips")


def run_allocate(args: argparse.Namespace) -> None:
    """Choose 4, 8 or 16 bit for every linear and print the upgrades with their predicted use."""
    require_full_precision(args.checkpoint)
    clips = load_calibration_clips(
        args.data, args.clips, args.views, parse_size(args.size), args.seed
    )
    model = load_checkpoint(args.checkpoint)
    fisher = load_fisher_of(args.checkpoint, args.fisher)
    fold_layer_scale(model)
    sites = measure_sites(model, clips, fisher, args.scope, args.score)
    least = sum(site.bytes[0] for site in sites)
    plan = allocate(sites, int(args.budget * least))
    write_file(args.out, (json.dumps(plan, indent=1) + "\n").encode())
    total = sum(site.cost[0] for site in sites)
    for site in sorted(sites, key=lambda site: -site.cost[0]):
        if site.name in plan:
            print(f"{plan[site.name]:2} bit  {site.cost[0] / total:6.1%} of the loss  {site.name}")
    counts = Counter(plan.values())
    print(
        f"{args.out}: {counts[8]} linears in 8 bit, {counts[16]} in 16, {len(sites) - len(plan)} in"
        f" 4; at most {args.budget * least / 1e6:.2f} MB against {least / 1e6:.2f} MB"
    )
