"""`python -m fgq train`: one stage of training."""

from __future__ import annotations

import argparse
from dataclasses import fields

from fgq.arguments import parse_size
from fgq.train.config import TrainConfig
from fgq.train.trainer import train


def add_train_arguments(parser: argparse.ArgumentParser) -> None:
    """One flag for every field of TrainConfig that is worth choosing."""
    defaults = {field.name: field.default for field in fields(TrainConfig)}
    parser.add_argument("--data", required=True, help="shards of `fgq render`")
    parser.add_argument("--held-out", required=True, help="shards of held-out seeds")
    parser.add_argument("--out", required=True, help="run folder; an unfinished run there goes on")
    parser.add_argument("--init", help="run folder of the stage, or checkpoint, to start from")
    parser.add_argument("--sizes", default="84x112", help="HxW,HxW,... multiples of 14")
    parser.add_argument("--views", default="2", help="views a scene, N or MIN-MAX")
    parser.add_argument(
        "--dense", choices=("linear", "dpt"), default="linear", help="depth head: cheap or final"
    )
    for name, text in (
        ("images_per_step", "views in a step of the first size"),
        ("dense_share", "share of views that the DPT heads are trained on"),
        ("steps", "length of the stage"),
        ("warmup", "steps of linear warm-up"),
        ("decay", "steps of linear decay to zero at the end; 0 for none"),
        ("muon_lr", "learning rate of the blocks' matrices"),
        ("adam_lr", "learning rate of everything else"),
        ("camera_weight", "weight of the pose loss"),
        ("pair_weight", "weight of the loss of rotation and direction between all views"),
        ("point_weight", "weight of the point head's loss"),
        ("correspondence_weight", "weight of the projected-position loss"),
        ("matching_weight", "weight of the patch-matching loss"),
        ("attention_weight", "weight of attention that looks where the patch's point is seen"),
        ("seed", "random seed"),
        ("threads", "torch threads"),
        ("save_minutes", "minutes between checkpoints"),
        ("evaluate_every", "steps between held-out evaluations"),
    ):
        default = defaults[name]
        parser.add_argument(
            f"--{name.replace('_', '-')}",
            type=type(default),
            default=default,
            help=f"{text} ({default})",
        )


def run_train(args: argparse.Namespace) -> None:
    """Parse sizes and view ranges, then train."""
    values = {k: v for k, v in vars(args).items() if k in {f.name for f in fields(TrainConfig)}}
    values["sizes"] = tuple(parse_size(text) for text in args.sizes.split(","))
    low, _, high = args.views.partition("-")
    values["min_views"], values["max_views"] = int(low), int(high or low)
    train(TrainConfig(**values))
