"""`python -m fgq fisher CHECKPOINT --data FOLDER --out FOLDER`: what each task depends on."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from tqdm import tqdm

from fgq.arguments import parse_device, parse_size
from fgq.data.calibration import load_calibration_clips
from fgq.files import replacing_folder
from fgq.fisher import MANIFEST_NAME, TASKS, Fisher, block_shares, save_fisher, share_intervals
from fgq.fisher_estimate import ESTIMATORS, estimate_fisher
from fgq.quant import checkpoint_source, fold_layer_scale, require_full_precision
from fgq.vggt import load_checkpoint

SHOWN_BLOCKS = 3


def add_fisher_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("checkpoint", type=Path, help="folder, .safetensors or .pt file")
    parser.add_argument("--data", type=Path, required=True, help="shards, posed folder or images")
    parser.add_argument("--out", type=Path, required=True, help="folder for the result")
    parser.add_argument("--estimator", choices=ESTIMATORS, default="gauss-newton")
    parser.add_argument("--clips", type=int, default=32, help="calibration clips")
    parser.add_argument("--views", type=int, default=4, help="views a clip")
    parser.add_argument("--size", default="168x224", help="HxW in pixels, multiples of 14")
    parser.add_argument("--probes", type=int, default=4, help="random vectors a clip and task")
    parser.add_argument("--seed", type=int, default=0, help="of clips, probes and intervals")
    parser.add_argument("--device", default="cpu", help="cpu, cuda, mps ...")
    parser.add_argument(
        "--keep-activations",
        action="store_true",
        help="do not compute blocks twice: a third faster, but needs memory for all of them",
    )


def run_fisher(args: argparse.Namespace) -> None:
    """Measure, save and print the blocks that each task depends on most."""
    size, device = parse_size(args.size), parse_device(args.device)
    require_full_precision(args.checkpoint)
    clips = load_calibration_clips(args.data, args.clips, args.views, size, args.seed)
    model = load_checkpoint(args.checkpoint, device)
    # What is quantized is the folded network: these are the outputs of its linears.
    fold_layer_scale(model)
    # Opened now, so that a place that cannot be written to is refused before the long part.
    with replacing_folder(args.out, MANIFEST_NAME) as part:
        fisher = estimate_fisher(
            model,
            tqdm(clips, desc="fisher", unit="clip"),
            args.estimator,
            args.probes,
            args.seed,
            recompute=not args.keep_activations,
        )
        source = checkpoint_source(args.checkpoint)
        manifest = {**fisher.manifest, "checkpoint": source, "data": str(args.data)}
        save_fisher(replace(fisher, manifest=manifest), part)
    for line in summary(fisher, args.seed):
        print(line)
    print(f"{args.out}: saved")


def summary(fisher: Fisher, seed: int) -> Iterator[str]:
    """Per task the blocks with the largest share of its Fisher information, with intervals."""
    shares = block_shares(fisher.per_clip.sum(dim=-1).mean(dim=0))
    low, high = share_intervals(fisher.per_clip, seed)
    yield f"{'task':8}{'block':30}{'share':>7}   95 % interval over clips"
    for k, task in enumerate(TASKS):
        if not shares[k].any():
            yield f"{task:8}the network has no head for it"
            continue
        for block in shares[k].argsort(descending=True)[:SHOWN_BLOCKS].tolist():
            name = fisher.manifest["blocks"][block]
            interval = f"{low[k, block]:.1%} to {high[k, block]:.1%}"
            yield f"{task:8}{name:30}{shares[k, block]:7.1%}   {interval}"
