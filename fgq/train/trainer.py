"""Train a small VGGT on rendered scenes: one run is one stage of the curriculum.

Warm-up, constant learning rate, linear decay: a checkpoint of the constant part can go on for ever,
and a stage with a decay is started from it. Muon moves the matrices of the blocks, AdamW the rest.
"""

from __future__ import annotations

import io
import json
import math
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from fgq.data.shards import Shards, open_shards
from fgq.evaluate.depth import depth_metrics
from fgq.evaluate.pose import auc_shares, relative_pose_errors
from fgq.files import write_file
from fgq.train.batch import Batch, clip_tensors, sample_batch, scene_targets
from fgq.train.config import TrainConfig
from fgq.train.trainee import Trainee
from fgq.vggt import VGGT, VGGTConfig, load_checkpoint, save_checkpoint

STATE_NAME = "state.pt"


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
    rates = {str(kind): matmul_rate(kind) for kind in (torch.float32, torch.bfloat16)}
    trainee.bf16 = rates["torch.bfloat16"] > rates["torch.float32"]
    optimizers = _optimizers(trainee, config)
    first = _resume(out, trainee, optimizers)
    started = saved = time.monotonic()
    running: dict[str, float] = {}
    images = 0
    print(" ".join(f"{kind} {rate:.0f} GFLOP/s" for kind, rate in rates.items()), flush=True)
    parameters = sum(p.numel() for p in trainee.model.parameters())
    run = {"from_step": first, "parameters": parameters, "gflops": rates, "bf16": trainee.bf16}
    _log(out, {"config": asdict(config), **run})
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


def matmul_rate(dtype: torch.dtype, repeats: int = 10) -> float:
    """GFLOP/s of matrix products of the network's size: machines differ in whether bf16 pays."""
    a, b = torch.ones(4096, 192, dtype=dtype), torch.ones(192, 768, dtype=dtype)
    a @ b
    start = time.perf_counter()
    for _ in range(repeats):
        a @ b
    return 2e-9 * a.shape[0] * b.numel() * repeats / (time.perf_counter() - start)


def evaluate_held_out(
    trainee: Trainee, shards: Shards, config: TrainConfig, scenes: int = 48
) -> dict[str, float]:
    """Pose and depth errors of fixed held-out scenes; the motion itself is the chance level."""
    drawn = shards.sample(np.random.default_rng(0), scenes, max(2, config.max_views))
    images, depth, extrinsic, intrinsic = clip_tensors(drawn, config.sizes[0])
    truth = scene_targets(extrinsic, depth, intrinsic)
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
            worst = torch.maximum(rotation, direction).numpy()
            rows.append(
                [
                    rotation.mean(),
                    motion.mean(),
                    direction.mean(),
                    auc_shares(worst, 30).mean(),
                    metrics["abs_rel"],
                    metrics["delta1"],
                ]
            )
    trainee.train()
    names = ("rotation_deg", "motion_deg", "direction_deg", "auc30", "abs_rel", "delta1")
    return dict(zip(names, np.mean(np.array(rows, dtype=float), axis=0).tolist(), strict=True))


def _initial_trainee(config: TrainConfig) -> Trainee:
    """Random weights, those of a checkpoint, or those of an earlier stage with the training heads
    that both have."""
    if config.init is None:
        return Trainee(VGGT(VGGTConfig.nano()), config)
    stage = Path(config.init)
    if not (stage / STATE_NAME).exists():
        return Trainee(load_checkpoint(stage).train(), config)
    trainee = Trainee(load_checkpoint(stage / "checkpoint").train(), config)
    known = set(trainee.state_dict())
    earlier = torch.load(stage / STATE_NAME, weights_only=True)["trainee"]
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
    write_file(out / STATE_NAME, buffer.getbuffer())
    save_checkpoint(trainee.model, out / "checkpoint")


def _resume(out: Path, trainee: Trainee, optimizers: list[torch.optim.Optimizer]) -> int:
    path = out / STATE_NAME
    if not path.exists():
        return 0
    state = torch.load(path, weights_only=True)
    trainee.load_state_dict(state["trainee"])
    for optimizer, saved in zip(optimizers, state["optimizers"], strict=True):
        optimizer.load_state_dict(saved)
    return int(state["step"])


def _log(out: Path, entry: dict[str, Any]) -> None:
    with (out / "log.jsonl").open("a") as file:
        file.write(json.dumps(entry) + "\n")
