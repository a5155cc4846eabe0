"""Images to patch tokens: a plain convolution, or a DINOv2 vision transformer with registers."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .attention import Block
from .config import VGGTConfig


class ConvPatchEmbed(nn.Module):
    """One token for every patch: images [N, 3, H, W] -> [N, H/14 W/14, C], row-major."""

    def __init__(self, dim: int, patch_size: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, dim, patch_size, stride=patch_size)

    def forward(self, images: Tensor) -> Tensor:
        return self.proj(images).flatten(2).transpose(1, 2)


class DinoPatchEmbed(nn.Module):
    """DINOv2 with registers (arXiv 2304.07193, 2309.16588); only its patch tokens are used."""

    def __init__(self, config: VGGTConfig) -> None:
        super().__init__()
        dim = config.embed_dim
        self.patch_size = config.patch_size
        self.grid = config.img_size // config.patch_size
        self.patch_embed = ConvPatchEmbed(dim, config.patch_size)
        self.cls_token = nn.Parameter(torch.empty(1, 1, dim))
        self.pos_embed = nn.Parameter(torch.empty(1, 1 + self.grid**2, dim))
        self.register_tokens = nn.Parameter(torch.empty(1, 4, dim))
        # Replaces hidden patches in DINOv2's own training; it is part of every checkpoint.
        self.mask_token = nn.Parameter(torch.zeros(1, dim))
        self.blocks = nn.ModuleList(
            Block(dim, config.patch_embed_heads, config.mlp_ratio, config.init_values, eps=1e-6)
            for _ in range(config.patch_embed_depth)
        )
        self.norm = nn.LayerNorm(dim, eps=1e-6)
        for token in (self.cls_token, self.pos_embed, self.register_tokens):
            nn.init.trunc_normal_(token, std=0.02)

    def forward(self, images: Tensor) -> Tensor:
        """images [N, 3, H, W], normalised -> patch tokens [N, H/14 W/14, C]."""
        height, width = (side // self.patch_size for side in images.shape[-2:])
        patches = self.patch_embed(images)
        position = resize_pos_embed(self.pos_embed, height, width)
        first = torch.cat((self.cls_token + position[:, :1], self.register_tokens), dim=1)
        x = torch.cat((first.expand(len(patches), -1, -1), patches + position[:, 1:]), dim=1)
        for block in self.blocks:
            x = block(x)
        return self.norm(x[:, first.shape[1] :])


def resize_pos_embed(pos_embed: Tensor, height: int, width: int) -> Tensor:
    """Position embedding [1, 1 + g g, C] of a square grid, for a grid of height x width patches.

    The first entry belongs to the class token and stays as it is. Bicubic with antialiasing, in
    fp32 whatever the precision of the weights.
    """
    grid = int((pos_embed.shape[1] - 1) ** 0.5)
    if (height, width) == (grid, grid):
        return pos_embed
    square = pos_embed[:, 1:].float().transpose(1, 2).unflatten(2, (grid, grid))
    resized = F.interpolate(square, (height, width), mode="bicubic", antialias=True)
    patches = resized.flatten(2).transpose(1, 2).to(pos_embed.dtype)
    return torch.cat((pos_embed[:, :1], patches), dim=1)
