"""The network in training: its heads, those that only training uses, and all losses."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.func import functional_call

from fgq.geometry import decode_pose
from fgq.train.auxiliary import (
    PATCH,
    LinearDepthHead,
    MatchingHeads,
    WatchedAttention,
    correspondence,
)
from fgq.train.batch import Batch
from fgq.train.config import TrainConfig
from fgq.train.losses import camera_loss, dense_terms, pair_loss, sum_terms
from fgq.vggt import VGGT


class Trainee(nn.Module):
    """The network with the heads that only training uses."""

    def __init__(self, model: VGGT, config: TrainConfig) -> None:
        super().__init__()
        self.model = model
        self.bf16 = False
        self.config = config
        width, depth = model.config.embed_dim, model.config.depth
        self.matching = MatchingHeads(width, depth)
        self.watched = (
            WatchedAttention(model.aggregator.global_blocks) if config.attention_weight else None
        )
        self.linear_depth = LinearDepthHead(2 * width) if config.dense == "linear" else None
        if config.dense == "dpt":
            # A fifth faster on CPUs.
            model.depth_head.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
            model.point_head.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Every weighted part of the loss, by name."""
        config = self.config
        size = (batch.images.shape[-2], batch.images.shape[-1])
        tokens = self._tokens(batch.images)
        last = tokens[self.model.config.depth - 1]
        grid = (size[0] // PATCH, size[1] // PATCH)
        places = correspondence(batch)
        regression, matching = self.matching(tokens, places, grid)
        poses = self.model.camera_head(last[:, :, :1].float())
        parts = {
            "camera": config.camera_weight * camera_loss(poses, batch.pose_enc),
            "correspondence": config.correspondence_weight * regression,
            "matching": config.matching_weight * matching,
        }
        if config.pair_weight:
            parts["pairs"] = config.pair_weight * pair_loss(poses, batch.truth.extrinsic)
        if self.watched is not None:
            parts["attention"] = config.attention_weight * self.watched.loss(places, grid)
        target, mask = batch.truth.depth[..., None], batch.mask
        if self.linear_depth is not None:
            with torch.autocast("cpu", torch.bfloat16, enabled=self.bf16):
                depth, confidence = self.linear_depth(last, size)
            terms = dense_terms(depth, confidence, target, mask, "difference")
            parts["depth"] = sum_terms(terms)
            return parts
        views = len(mask[0])
        chosen = torch.randperm(views)[: math.ceil(views * config.dense_share)]
        some = {layer: x[:, chosen].float() for layer, x in tokens.items()}
        with torch.autocast("cpu", torch.bfloat16, enabled=self.bf16):
            depth, confidence = self.model.depth_head(some, size)
            points, point_confidence = self.model.point_head(some, size)
        mask = mask[:, chosen]
        terms = dense_terms(depth, confidence, target[:, chosen], mask, "difference")
        parts["depth"] = sum_terms(terms)
        true_points = batch.truth.world_points[:, chosen]
        # The loss of the paper compares normals too; on a CPU their forward pass is 7 % of a step.
        terms = dense_terms(points, point_confidence, true_points, mask, "difference")
        parts["points"] = config.point_weight * sum_terms(terms)
        return parts

    def _tokens(self, images: Tensor) -> dict[int, Tensor]:
        """Tokens of every layer, in bf16 where that is faster.

        All of the aggregator then computes in bf16 from copies of its weights, which are cast once
        a step: autocast would cast back and forth around every product, and on a CPU that costs
        as much as the products.
        """
        aggregator, layers = self.model.aggregator, range(self.model.config.depth)
        if not self.bf16:
            return aggregator(images, layers=layers)
        weights = {name: p.bfloat16() for name, p in aggregator.named_parameters()}
        return functional_call(aggregator, weights, (images.bfloat16(), layers))

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
