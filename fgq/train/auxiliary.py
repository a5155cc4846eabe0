"""Training-only heads: what makes matching between views appear early in a small VGGT.

Regression of pose alone stays at chance for a long time (see MODEL_CARD.md). Two cheap linear
heads, thrown away after training, tell every patch token where its surface point lies in another
view.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fgq.train.batch import Batch
from fgq.vggt.attention import Attention, rope_2d, rotate

PATCH = 14
DEPTH_AGREEMENT = 0.1


@dataclass(frozen=True)
class Correspondence:
    """Where each patch centre lies in its partner view (view 0; for view 0: view 1).

    position [B,S,n,2]: x, y in [-1,1] across the partner's image, may lie outside;
    valid [B,S,n]: known depth, in front of the partner and not far outside its image;
    visible [B,S,n]: inside the partner's image and not occluded there.
    """

    position: Tensor
    valid: Tensor
    visible: Tensor


def correspondence(batch: Batch) -> Correspondence:
    """Project the 3-D point of every patch centre into the partner view."""
    _, s, _, h, w = batch.images.shape
    centre = slice(PATCH // 2, None, PATCH)
    points = batch.truth.world_points[:, :, centre, centre].flatten(2, 3)
    known = batch.truth.depth[:, :, centre, centre].flatten(2) > 0
    partner = torch.zeros(s, dtype=torch.long)
    partner[0] = 1
    extrinsic = batch.truth.extrinsic[:, partner]
    camera = points @ extrinsic[..., :3].transpose(-1, -2) + extrinsic[..., None, :, 3]
    z = camera[..., 2]
    focal = batch.intrinsic[:, partner][..., [0, 1], [0, 1]]
    half = torch.tensor([w / 2, h / 2])
    position = camera[..., :2] / z.clamp(min=1e-3)[..., None] * (focal / half)[:, :, None]
    valid = known & (z > 0.02) & (position.abs() < 2).all(-1)
    inside = valid & (position.abs() < 1).all(-1)
    pixel = ((position + 1) * half).long()
    x, y = pixel[..., 0].clamp(0, w - 1), pixel[..., 1].clamp(0, h - 1)
    seen = batch.truth.depth[:, partner].flatten(2).gather(2, y * w + x)
    visible = inside & ((seen - z).abs() < DEPTH_AGREEMENT * z)
    return Correspondence(position, valid, visible)


class MatchingHeads(nn.Module):
    """Coordinate regression after every global block, and patch matching before the first one."""

    def __init__(self, channels: int, layers: int, descriptor: int = 64) -> None:
        super().__init__()
        self.regress = nn.ModuleList(
            nn.Sequential(nn.LayerNorm(channels), nn.Linear(channels, 2)) for _ in range(layers)
        )
        self.describe = nn.Sequential(nn.LayerNorm(channels), nn.Linear(channels, descriptor))
        self.log_temperature = nn.Parameter(torch.tensor(2.3))

    def forward(
        self, tokens: dict[int, Tensor], target: Correspondence, grid: tuple[int, int]
    ) -> tuple[Tensor, Tensor]:
        """tokens: layer -> [B,S,P,2C] -> (L1 of positions averaged over layers, matching loss)."""
        special = tokens[0].shape[2] - grid[0] * grid[1]
        channels = tokens[0].shape[-1] // 2
        valid = target.valid[..., None]
        count = valid.sum().clamp(min=1) * 2
        regression = torch.stack(
            [
                (
                    (head(tokens[i][:, :, special:, channels:].float()) - target.position).abs()
                    * valid
                ).sum()
                for i, head in enumerate(self.regress)
            ]
        ).mean()
        return regression / count, self._match(tokens[0][:, :, special:, :channels], target, grid)

    def _match(self, tokens: Tensor, target: Correspondence, grid: tuple[int, int]) -> Tensor:
        """Cross-entropy of view 0's patches against the four that surround the true position."""
        features = F.normalize(self.describe(tokens.float()), dim=-1)
        logits = features[:, 1:] @ features[:, :1].transpose(-1, -2) * self.log_temperature.exp()
        weights = bilinear_patch_weights(target.position[:, 1:], grid)
        loss = -(weights * logits.log_softmax(-1)).sum(-1)
        visible = target.visible[:, 1:]
        return (loss * visible).sum() / visible.sum().clamp(min=1)


class WatchedAttention:
    """Keeps queries and keys of one head of every global block of a forward pass."""

    HEAD = 0

    def __init__(self, blocks: Iterable[nn.Module]) -> None:
        self.queries: list[Tensor] = []
        self.keys: list[Tensor] = []
        for block in blocks:
            attention = cast(Attention, block.attn)
            attention.q_norm.register_forward_hook(partial(self._keep, self.queries))
            attention.k_norm.register_forward_hook(partial(self._keep, self.keys))

    def _keep(self, kept: list[Tensor], _module: nn.Module, _given: object, x: Tensor) -> None:
        if torch.is_grad_enabled():
            kept.append(x[:, self.HEAD])

    def loss(self, target: Correspondence, grid: tuple[int, int]) -> Tensor:
        """Cross-entropy, mean over blocks, of how that head shares a patch's attention among the
        patches of its partner view (`Correspondence`), against the four patches around the true
        place. Forgets the pass."""
        s, n = target.visible.shape[1:]
        partner = torch.tensor([1] + [0] * (s - 1))
        weights = bilinear_patch_weights(target.position, grid)
        count = target.visible.sum().clamp(min=1)
        losses = []
        for q, k in zip(self.queries, self.keys, strict=True):
            q, k = (x.unflatten(1, (s, -1)) for x in (q, k))
            special = q.shape[2] - n
            rope = rope_2d(*grid, q.shape[-1], special)
            q, k = rotate(q.float(), rope)[:, :, special:], rotate(k.float(), rope)[:, :, special:]
            logits = q @ k[:, partner].mT * q.shape[-1] ** -0.5
            entropy = -(weights * logits.log_softmax(-1)).sum(-1)
            losses.append((entropy * target.visible).sum() / count)
        self.queries.clear()
        self.keys.clear()
        return torch.stack(losses).mean()


def bilinear_patch_weights(position: Tensor, grid: tuple[int, int]) -> Tensor:
    """Share a position [...,2] in [-1,1] among the patches of a (h, w) grid -> [..., h*w]."""
    rows, columns = grid
    x = ((position[..., 0] + 1) / 2 * columns - 0.5).clamp(0, columns - 1)
    y = ((position[..., 1] + 1) / 2 * rows - 0.5).clamp(0, rows - 1)
    along_x = (1 - (x[..., None] - torch.arange(columns)).abs()).clamp(min=0)
    along_y = (1 - (y[..., None] - torch.arange(rows)).abs()).clamp(min=0)
    return (along_y[..., :, None] * along_x[..., None, :]).flatten(-2)


class LinearDepthHead(nn.Module):
    """Depth and confidence of a patch straight from its token: five times cheaper than a DPT."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(channels)
        self.project = nn.Linear(channels, PATCH * PATCH * 2)
        nn.init.zeros_(self.project.bias)

    def forward(self, tokens: Tensor, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
        """tokens [B,S,P,2C] -> depth [B,S,H,W,1], confidence [B,S,H,W]."""
        b, s, p, _ = tokens.shape
        rows, columns = size[0] // PATCH, size[1] // PATCH
        patches = self.project(self.norm(tokens[:, :, p - rows * columns :].float()))
        maps = patches.view(b, s, rows, columns, PATCH, PATCH, 2).permute(0, 1, 2, 4, 3, 5, 6)
        maps = maps.reshape(b, s, *size, 2).float()
        return maps[..., :1].exp(), 1 + maps[..., 1].exp()
