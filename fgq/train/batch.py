"""Training batches: sampled views, augmented, with their ground truth in VGGT's frame and scale."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from fgq.data.shards import Arrays, Shards
from fgq.geometry import encode_pose, unproject_depth
from fgq.train.losses import Scene, normalize_scene


@dataclass(frozen=True)
class Batch:
    """images [B,S,3,H,W] in [0,1]; intrinsic [B,S,3,3] in pixels; pose_enc [B,S,9]."""

    images: Tensor
    intrinsic: Tensor
    truth: Scene
    pose_enc: Tensor

    @property
    def mask(self) -> Tensor:
        """Where the depth is known, [B,S,H,W]."""
        return self.truth.depth > 0


def resize_clip(
    images: Tensor, depth: Tensor, intrinsic: Tensor, size: tuple[int, int]
) -> tuple[Tensor, Tensor, Tensor]:
    """Bring float images [...,3,h,w], depth [...,h,w] and intrinsics [...,3,3] to `size` (H, W).

    Images are averaged over area; depth is picked: a mean across an edge lies on no surface.
    """
    h, w = depth.shape[-2:]
    height, width = size
    if (h, w) == (height, width):
        return images, depth, intrinsic
    flat = images.flatten(0, -4)
    if h == 2 * height and w == 2 * width:
        flat = F.avg_pool2d(flat, 2)
    else:
        flat = F.interpolate(flat, size, mode="bilinear", antialias=True, align_corners=False)
    rows = ((torch.arange(height) + 0.5) * h / height).long()
    columns = ((torch.arange(width) + 0.5) * w / width).long()
    scale = torch.tensor([width / w, height / h, 1.0])
    return (
        flat.reshape(*images.shape[:-2], height, width),
        depth[..., rows[:, None], columns],
        intrinsic * scale[:, None],
    )


def scene_targets(extrinsic: Tensor, depth: Tensor, intrinsic: Tensor) -> Scene:
    """Ground truth of B scenes in the frame and scale that VGGT is trained in.

    extrinsic [B,S,3,4], depth [B,S,H,W] (0 = unknown), intrinsic [B,S,3,3].
    """
    identity = torch.eye(3, 4).expand_as(extrinsic)
    return normalize_scene(
        extrinsic,
        unproject_depth(depth, identity, intrinsic, pixel_centre=0.5),
        unproject_depth(depth, extrinsic, intrinsic, pixel_centre=0.5),
        depth,
        depth > 0,
    )


def clip_tensors(drawn: Arrays, size: tuple[int, int]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """What `Shards.sample` drew, at `size` (H, W): images [B,S,3,H,W] in [0,1], depth [B,S,H,W],
    extrinsic [B,S,3,4], intrinsic [B,S,3,3]."""
    images = torch.from_numpy(drawn["images"]).permute(0, 1, 4, 2, 3).float().div_(255)
    depth, extrinsic, intrinsic = (
        torch.from_numpy(drawn[name]).float() for name in ("depth", "extrinsic", "intrinsic")
    )
    images, depth, intrinsic = resize_clip(images, depth, intrinsic, size)
    return images, depth, extrinsic, intrinsic


def sample_batch(
    shards: Shards, rng: np.random.Generator, scenes: int, views: int, size: tuple[int, int]
) -> Batch:
    """Draw `scenes` random scenes with `views` random views each, at `size` (H, W), augmented."""
    drawn = shards.sample(rng, scenes, views)
    images, depth, extrinsic, intrinsic = clip_tensors(drawn, size)
    images, depth, extrinsic = _mirror(images, depth, extrinsic, rng)
    images = _jitter_colour(images, rng)
    truth = scene_targets(extrinsic, depth, intrinsic)
    return Batch(images, intrinsic, truth, encode_pose(truth.extrinsic, intrinsic, size))


def _mirror(
    images: Tensor, depth: Tensor, extrinsic: Tensor, rng: np.random.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    """Mirror half of the scenes left to right, and the world with them: poses stay rigid."""
    flip = torch.from_numpy(rng.random(len(images)) < 0.5)
    images[flip] = images[flip].flip(-1)
    depth[flip] = depth[flip].flip(-1)
    mirror = torch.tensor([-1.0, 1.0, 1.0])
    signs = torch.cat([mirror[:, None] * mirror, mirror[:, None]], 1)
    return images, depth, torch.where(flip.view(-1, 1, 1, 1), extrinsic * signs, extrinsic)


def _jitter_colour(images: Tensor, rng: np.random.Generator) -> Tensor:
    """Brightness, contrast, saturation, channel gains: one draw a scene, a smaller one a view."""
    b, s = images.shape[:2]

    def gain(scene: float, view: float, channels: int = 1) -> Tensor:
        log = rng.normal(0, scene, (b, 1, channels)) + rng.normal(0, view, (b, s, channels))
        return torch.from_numpy(np.exp(log)).float()[..., None, None]

    grey = images.mean(2, keepdim=True)
    saturation = gain(0.3, 0.1).clamp(max=1.5)
    images = grey + (images - grey) * saturation
    mean = images.mean((2, 3, 4), keepdim=True)
    images = mean + (images - mean) * gain(0.2, 0.07)
    return (images * gain(0.15, 0.08) * gain(0.05, 0.03, 3)).clamp_(0, 1)
