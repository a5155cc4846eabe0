"""The network in training: its heads, those that only training uses, and all losses."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from fgq.geometry import decode_pose
from fgq.train.auxiliary import PATCH, LinearDepthHead, MatchingHeads, correspondence
from fgq.train.batch import Batch
from fgq.train.config import TrainConfig
from fgq.train.losses import camera_loss, dense_terms, depth_loss, sum_terms
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
        self.linear_depth = LinearDepthHead(2 * width) if config.dense == "linear" else None
        if config.dense == "dpt":
            # A fifth faster on CPUs.
            model.depth_head.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
            model.point_head.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Every weighted part of the loss, by name."""
        config = self.config
        size = (batch.images.shape[-2], batch.images.shape[-1])
        with torch.autocast("cpu", torch.bfloat16, enabled=self.bf16):
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
        with torch.autocast("cpu", torch.bfloat16, enabled=self.bf16):
            depth, confidence = self.model.depth_head(some, size)
            points, point_confidence = self.model.point_head(some, size)
        mask = mask[:, chosen]
        parts["depth"] = depth_loss(depth, confidence, target[:, chosen], mask)
        true_points = batch.truth.world_points[:, chosen]
        # The loss of the paper compares normals too; on a CPU their forward pass is 7 % of a step.
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
