"""`python -m fgq quantize CHECKPOINT --out FOLDER --method rtn`."""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from fgq.methods import quantize_rtn
from fgq.quant import (
    checkpoint_source,
    fake_quantized,
    kept_layers,
    quantized_convolutions,
    require_full_precision,
    save_packed,
    weights_file,
)
from fgq.vggt import load_checkpoint


def add_quantize_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("checkpoint", type=Path, help="folder, .safetensors or .pt file")
    parser.add_argument("--out", type=Path, required=True, help="folder for the 4-bit checkpoint")
    parser.add_argument("--method", choices=["rtn"], default="rtn")
    parser.add_argument(
        "--search-steps",
        type=int,
        default=24,
        help="scales tried for each group of 32 weights; 0 takes the absolute maximum",
    )


def run_quantize(args: argparse.Namespace) -> None:
    """Quantize a checkpoint and print what became of its size; CheckpointError for bad input."""
    require_full_precision(args.checkpoint)
    model = load_checkpoint(args.checkpoint)
    full_bytes = sum(x.numel() * 4 for x in model.state_dict().values())
    quantize_rtn(model, search_steps=args.search_steps)
    recipe = {
        "method": args.method,
        "options": {"search_steps": args.search_steps},
        "source": checkpoint_source(args.checkpoint),
        "created_with": {"torch": torch.__version__},
    }
    save_packed(model, args.out, recipe)
    packed_bytes = weights_file(args.out).stat().st_size
    sites = fake_quantized(model)
    weights = sum(site.codes.numel() for site in sites.values())
    print(f"{len(sites)} linears with {weights:,} weights are in 4 bit,")
    print(f"{len(quantized_convolutions(model))} convolutions in 8 bit; these layers stay:")
    kept = kept_layers(model)
    for reason in sorted(set(kept.values())):
        names = [name for name, why in kept.items() if why == reason]
        print(f"  {len(names)}, {reason}: {names[0]}{', ...' if len(names) > 1 else ''}")
    print(
        f"{args.out}: {packed_bytes / 1e6:.2f} MB against {full_bytes / 1e6:.2f} MB in fp32"
        f" ({full_bytes / packed_bytes:.2f} times smaller)"
    )
