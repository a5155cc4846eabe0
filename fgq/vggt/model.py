"""VGGT: images of a scene in, cameras, depth and points out (arXiv 2503.11651), without tracker."""

from typing import TypedDict

import torch
from torch import Tensor, nn

from .aggregator import Aggregator
from .camera_head import CameraHead
from .config import VGGTConfig
from .dpt_head import DPTHead, inverse_log


class Predictions(TypedDict, total=False):
    """Output of `VGGT`; a head that the configuration leaves out has no entries.

    The world is the camera frame of the first view, in the scale of the network.
    """

    pose_enc: Tensor  # [B, S, 9] translation, quaternion xyzw, fov_h and fov_w in radians
    pose_enc_list: list[Tensor]  # the same after every iteration
    depth: Tensor  # [B, S, H, W, 1] along the optical axis
    depth_conf: Tensor  # [B, S, H, W] score >= 1
    world_points: Tensor  # [B, S, H, W, 3]
    world_points_conf: Tensor  # [B, S, H, W] score >= 1
    tokens: dict[int, Tensor]  # {layer: [B, S, P, 2C]}, on request


class VGGT(nn.Module):
    """Visual Geometry Grounded Transformer; parameters carry the names of the official release.

    `camera_head`, `depth_head` and `point_head` exist as `config.heads` says.
    """

    camera_head: CameraHead
    depth_head: DPTHead
    point_head: DPTHead

    def __init__(self, config: VGGTConfig) -> None:
        super().__init__()
        self.config = config
        self.aggregator = Aggregator(config)
        if "camera" in config.heads:
            self.camera_head = CameraHead(config)
        if "depth" in config.heads:
            self.depth_head = DPTHead(config, 1, torch.exp)
        if "point" in config.heads:
            self.point_head = DPTHead(config, 3, inverse_log)
        self._initialise()

    def _initialise(self) -> None:
        """Small truncated normal linears; convolutions keep torch's own initialisation."""
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=0.02)
                nn.init.zeros_(module.bias)
        if "camera" in self.config.heads:
            self.camera_head.start_at_identity()

    def forward(
        self, images: Tensor, return_tokens: bool = False, views_per_chunk: int | None = None
    ) -> Predictions:
        """images [B, S, 3, H, W] RGB in [0, 1], H and W multiples of 14 -> `Predictions`.

        Under autocast the aggregator runs in the lower precision and the heads in fp32. The dense
        heads take `views_per_chunk` views at a time (default: all). ValueError for a wrong shape.
        """
        self._check(images)
        tokens = self.aggregator(images)
        size = (images.shape[-2], images.shape[-1])
        out: Predictions = {}
        with torch.autocast(images.device.type, enabled=False):
            if "camera" in self.config.heads:
                out["pose_enc_list"] = self.camera_head(tokens[self.config.depth - 1])
                out["pose_enc"] = out["pose_enc_list"][-1]
            if "depth" in self.config.heads:
                out["depth"], out["depth_conf"] = self.depth_head(tokens, size, views_per_chunk)
            if "point" in self.config.heads:
                points, confidence = self.point_head(tokens, size, views_per_chunk)
                out["world_points"], out["world_points_conf"] = points, confidence
        if return_tokens:
            out["tokens"] = tokens
        return out

    def _check(self, images: Tensor) -> None:
        patch = self.config.patch_size
        shape = tuple(images.shape)
        if len(shape) != 5 or shape[2] != 3 or shape[3] % patch or shape[4] % patch:
            raise ValueError(
                f"images must be [B, S, 3, H, W] with H and W multiples of {patch}, got {shape}"
            )
