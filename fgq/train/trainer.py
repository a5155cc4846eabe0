"""Train a small VGGT on rendered scenes: one run is one stage of the curriculum.

Warm-up, constant learning rate, linear decay: a checkpoint of the constant part can go on for ever,
and a stage with a decay is started from it. Muon moves the matrices of the blocks, AdamW the rest.
"""

from __future__ import annotations

import io
import json
import math
import os
import time
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from fgq.data.shards import Shards, open_shards
from fgq.evaluate.depth import depth_metrics
from fgq.evaluate.pose import relative_pose_errors
from fgq.geometry import decode_pose
from fgq.train.auxiliary import LinearDepthHead, MatchingHeads, correspondence
from fgq.train.batch import Batch, resize_clip, sample_batch, scene_targets
from fgq.train.losses import camera_loss, dense_terms, depth_loss, sum_terms
from fgq.vggt import VGGT, VGGTConfig, load_checkpoint, save_checkpoint

PATCH = 14


@dataclass(frozen=True)
class TrainConfig:
    """One stage, in steps; each step draws a size (H, W) in pixels and a number of views.

    `images_per_step` holds for the first size; a step of another size has as many pixels.
    `dense_share` is the share of a scene's views that the DPT heads are trained on in a step.
    """

    data: str
    held_out: str
    out: str
    init: str | None = None
    sizes: tuple[tuple[int, int], ...] = ((84, 112),)
    min_views: int = 2
    max_views: int = 2
    images_per_step: int = 96
    steps: int = 6000
    warmup: int = 100
    decay: int = 1000
    dense: str = "linear"
    dense_share: float = 0.5
    muon_lr: float = 0.02
    adam_lr: float = 2e-3
    camera_weight: float = 5.0
    point_weight: float = 0.3
    correspondence_weight: float = 3.0
    matching_weight: float = 0.3
    clip: float = 1.0
    bf16: bool = True
    seed: int = 0
    threads: int = 2
    save_minutes: float = 3.0
    evaluate_every: int = 200


class Trainee(nn.Module):
    """The network with the heads that only training uses."""

    def __init__(self, model: VGGT, config: TrainConfig) -> None:
        super().__init__()
        self.model = model
        self.config = config
        width, depth = model.config.embed_dim, model.config.depth
        self.matching = MatchingHeads(width, depth)
        self.linear_depth = LinearDepthHead(2 * width) if config.dense == "linear" else None
        if config.dense == "dpt":
            # A fifth faster on CPUs.
            model.depth_head.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
            model.point_head.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Every weighted part of the loss, by name."""
        config = self.config
        size = (batch.images.shape[-2], batch.images.shape[-1])
        with torch.autocast("cpu", torch.bfloat16) if config.bf16 else nullcontext():
            tokens = self.model.aggregator(batch.images, layers=range(self.model.config.depth))
        last = tokens[self.model.config.depth - 1]
        grid = (size[0] // PATCH, size[1] // PATCH)
        regression, matching = self.matching(tokens, correspondence(batch), grid)
        poses = self.model.camera_head(last)
        parts = {
            "camera": config.camera_weight * camera_loss(poses, batch.pose_enc),
            "correspondence": config.correspondence_weight * regression,
            "matching": config.matching_weight * matching,
        }
        target, mask = batch.truth.depth[..., None], batch.mask
        if self.linear_depth is not None:
            depth, confidence = self.linear_depth(last, size)
            parts["depth"] = depth_loss(depth, confidence, target, mask)
            return parts
        views = len(mask[0])
        chosen = torch.randperm(views)[: math.ceil(views * config.dense_share)]
        some = {layer: x[:, chosen] for layer, x in tokens.items()}
        with torch.autocast("cpu", torch.bfloat16) if config.bf16 else nullcontext():
            depth, confidence = self.model.depth_head(some, size)
            points, point_confidence = self.model.point_head(some, size)
        mask = mask[:, chosen]
        parts["depth"] = depth_loss(depth, confidence, target[:, chosen], mask)
        true_points = batch.truth.world_points[:, chosen]
        # The loss of the paper compares normals too; on a CPU they cost a fifth of the step.
        terms = dense_terms(points, point_confidence, true_points, mask, "difference", 0.98)
        parts["points"] = config.point_weight * sum_terms(terms)
        return parts

    @torch.no_grad()
    def predict(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """images [B,S,3,H,W] -> extrinsic [B,S,3,4], depth [B,S,H,W]."""
        size = (images.shape[-2], images.shape[-1])
        tokens = self.model.aggregator(images, layers=range(self.model.config.depth))
        last = tokens[self.model.config.depth - 1]
        extrinsic, _ = decode_pose(self.model.camera_head(last)[-1], size)
        if self.linear_depth is not None:
            depth, _ = self.linear_depth(last, size)
        else:
            depth, _ = self.model.depth_head(tokens, size, views_per_chunk=1)
        return extrinsic, depth[..., 0]


def train(config: TrainConfig) -> None:
    """Run one stage to its end; goes on from `out/state.pt` where there is one.

    Writes `out/log.jsonl`, `out/state.pt` (everything needed to resume) and `out/checkpoint/` (the
    network in official key names). Raises ValueError for data that does not fit.
    """
    torch.set_num_threads(config.threads)
    torch.manual_seed(config.seed)
    out = Path(config.out)
    out.mkdir(parents=True, exist_ok=True)
    shards, held_out = open_shards(Path(config.data)), open_shards(Path(config.held_out))
    trainee = _initial_trainee(config)
    optimizers = _optimizers(trainee, config)
    first = _resume(out, trainee, optimizers)
    started = saved = time.monotonic()
    running: dict[str, float] = {}
    images = 0
    _log(out, {"config": asdict(config), "from_step": first, "parameters": _count(trainee.model)})
    for step in range(first, config.steps):
        torch.manual_seed(1_000_003 * config.seed + step)
        batch = _batch_of_step(shards, config, step)
        parts = trainee.losses(batch)
        total = torch.stack(list(parts.values())).sum()
        for optimizer in optimizers:
            optimizer.zero_grad(set_to_none=True)
        total.backward()
        norm = nn.utils.clip_grad_norm_(trainee.parameters(), config.clip)
        if not torch.isfinite(norm):
            _log(out, {"step": step, "skipped": "gradient is not finite"})
            continue
        for optimizer in optimizers:
            for group in optimizer.param_groups:
                group["lr"] = group["initial_lr"] * _schedule(config, step)
            optimizer.step()
        images += batch.images.shape[0] * batch.images.shape[1]
        for name, value in parts.items():
            running[name] = 0.98 * running.get(name, value.item()) + 0.02 * value.item()
        done = step + 1
        if done % 25 == 0:
            rate = images / (time.monotonic() - started)
            shown = " ".join(f"{k} {v:.4f}" for k, v in running.items())
            print(f"step {done}/{config.steps}  {rate:.0f} views/s  {shown}", flush=True)
        if done % config.evaluate_every == 0 or done == config.steps:
            metrics = evaluate_held_out(trainee, held_out, config)
            _log(out, {"step": done, "views": images, **running, **metrics})
            print("held out: " + " ".join(f"{k} {v:.3f}" for k, v in metrics.items()), flush=True)
        if time.monotonic() - saved > config.save_minutes * 60 or done == config.steps:
            _save(out, trainee, optimizers, done)
            saved = time.monotonic()


def evaluate_held_out(
    trainee: Trainee, shards: Shards, config: TrainConfig, scenes: int = 48
) -> dict[str, float]:
    """Pose and depth errors of fixed held-out scenes; the motion itself is the chance level."""
    drawn = shards.sample(np.random.default_rng(0), scenes, max(2, config.max_views))
    images = torch.from_numpy(drawn["images"]).permute(0, 1, 4, 2, 3).float().div_(255)
    images, depth, intrinsic = resize_clip(
        images,
        torch.from_numpy(drawn["depth"]).float(),
        torch.from_numpy(drawn["intrinsic"]).float(),
        config.sizes[0],
    )
    truth = scene_targets(torch.from_numpy(drawn["extrinsic"]).float(), depth, intrinsic)
    still = torch.eye(3, 4).expand(truth.extrinsic.shape[1], 3, 4)
    trainee.eval()
    rows = []
    for i in range(0, scenes, 8):
        predicted, predicted_depth = trainee.predict(images[i : i + 8])
        for j in range(len(predicted)):
            extrinsic = truth.extrinsic[i + j]
            rotation, direction = relative_pose_errors(predicted[j], extrinsic)
            motion, _ = relative_pose_errors(still, extrinsic)
            metrics = depth_metrics(predicted_depth[j], truth.depth[i + j])
            rows.append(
                [
                    rotation.mean(),
                    motion.mean(),
                    direction.mean(),
                    metrics["abs_rel"],
                    metrics["delta1"],
                ]
            )
    trainee.train()
    names = ("rotation_deg", "motion_deg", "direction_deg", "abs_rel", "delta1")
    return dict(zip(names, np.mean(np.array(rows, dtype=float), axis=0).tolist(), strict=True))


def _initial_trainee(config: TrainConfig) -> Trainee:
    """Random weights, or those of an earlier stage with whatever training heads both have."""
    if config.init is None:
        return Trainee(VGGT(VGGTConfig.nano()), config)
    stage = Path(config.init)
    trainee = Trainee(load_checkpoint(stage / "checkpoint").train(), config)
    known = set(trainee.state_dict())
    earlier = torch.load(stage / "state.pt", weights_only=True)["trainee"]
    trainee.load_state_dict({k: v for k, v in earlier.items() if k in known}, strict=False)
    return trainee


def _batch_of_step(shards: Shards, config: TrainConfig, step: int) -> Batch:
    """The batch depends on seed and step alone: a resumed run sees what it would have seen."""
    rng = np.random.default_rng([config.seed, step])
    views = int(rng.integers(config.min_views, config.max_views + 1))
    size = config.sizes[rng.integers(len(config.sizes))]
    images = config.images_per_step * math.prod(config.sizes[0]) / math.prod(size)
    return sample_batch(shards, rng, max(1, round(images / views)), views, size)


def _optimizers(trainee: Trainee, config: TrainConfig) -> list[torch.optim.Optimizer]:
    matrices: list[nn.Parameter] = []
    rest: list[nn.Parameter] = []
    for name, parameter in trainee.named_parameters():
        in_block = "blocks." in name or ".trunk." in name
        (matrices if parameter.ndim == 2 and in_block else rest).append(parameter)
    muon = torch.optim.Muon(matrices, lr=config.muon_lr, weight_decay=0.01, momentum=0.95)
    adam = torch.optim.AdamW(rest, lr=config.adam_lr, betas=(0.9, 0.98), weight_decay=0.01)
    for optimizer in (muon, adam):
        for group in optimizer.param_groups:
            group["initial_lr"] = group["lr"]
    return [muon, adam]


def _schedule(config: TrainConfig, step: int) -> float:
    warm = min(1.0, (step + 1) / max(1, config.warmup))
    left = (config.steps - step) / max(1, config.decay)
    return min(warm, left, 1.0)


def _save(out: Path, trainee: Trainee, optimizers: list[torch.optim.Optimizer], step: int) -> None:
    state: dict[str, Any] = {
        "step": step,
        "trainee": trainee.state_dict(),
        "optimizers": [o.state_dict() for o in optimizers],
    }
    buffer = io.BytesIO()  # writing it ourselves, a full disk is called so
    torch.save(state, buffer)
    temporary = out / ".state.pt.part"
    try:
        temporary.write_bytes(buffer.getbuffer())
        os.replace(temporary, out / "state.pt")
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise OSError(f"cannot save {out / 'state.pt'}: {error.strerror}") from error
    save_checkpoint(trainee.model, out / "checkpoint")


def _resume(out: Path, trainee: Trainee, optimizers: list[torch.optim.Optimizer]) -> int:
    path = out / "state.pt"
    if not path.exists():
        return 0
    state = torch.load(path, weights_only=True)
    trainee.load_state_dict(state["trainee"])
    for optimizer, saved in zip(optimizers, state["optimizers"], strict=True):
        optimizer.load_state_dict(saved)
    return int(state["step"])


def _count(model: nn.Module) -> int:
    return sum(p.numel() for p in model.parameters())


def _log(out: Path, entry: dict[str, Any]) -> None:
    with (out / "log.jsonl").open("a") as file:
        file.write(json.dumps(entry) + "\n")
