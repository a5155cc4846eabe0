"""A VGGT rewritten in operators that every delegate takes; equal to fgq.vggt to rounding.

What differs from fgq.vggt, and why:
- The residual stream is [1, S P, C] everywhere: int4 linears with a leading batch are silently
  wrong on Vulkan. Heads are split off around the attention only.
- Attention is batched matmuls and a softmax; the fused operator decomposes into masks and copies
  outside the delegate. Queries are taken in chunks, so that scores never exceed a fixed size.
- LayerNorm takes its means as products with a constant vector. As an operator of its own it would
  cut the network into dozens of delegates.
- Everything that depends on the image size only is a table made here: rotary angles, resized
  position embedding, sinusoidal codes of the dense heads, first tokens of every view.
- The image normalisation is part of the patch convolution, 1/sqrt(D) part of the query norm, the
  norm's gain of the dense heads part of their projections. LayerScale must be folded already.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn

from fgq.quant.rotation import RotatingNorm
from fgq.vggt import VGGT
from fgq.vggt.aggregator import IMAGE_MEAN, IMAGE_STD
from fgq.vggt.patch_embed import ConvPatchEmbed, DinoPatchEmbed, resize_pos_embed
from mobile_export.heads import DeviceCameraHead, DeviceDenseHead
from mobile_export.layers import DeviceBlock, DeviceLayerNorm, rotary_tables
from mobile_export.linears import plain_linear


def method_names(view_counts: Sequence[int]) -> dict[int, str]:
    """{number of views: name of its method}."""
    return {views: f"forward_s{views}" for views in view_counts}


class DeviceVGGT(nn.Module):
    """`forward(images [S, 3, H, W] in [0, 1])` -> outputs in the order of `output_names`:

    pose_enc [S, 9]; depth, depth_conf [S, H, W]; world_points [S, H, W, 3] and its conf [S, H, W].
    One scene; H, W and the possible S are fixed. The network's integer codes are taken as they are.
    `gpu`: for delegates that take convolutions of one image only and no integer weight twice.

    Raises ValueError if a head is missing or LayerScale is not folded.
    """

    def __init__(
        self,
        model: VGGT,
        view_counts: Sequence[int],
        size: tuple[int, int],
        heads: Sequence[str],
        gpu: bool = False,
    ) -> None:
        super().__init__()
        missing = [head for head in heads if head not in model.config.heads]
        if missing:
            raise ValueError(f"the checkpoint has no {' and no '.join(missing)} head")
        config = model.config
        self.config, self.size = config, size
        self.view_counts, self.heads = tuple(view_counts), tuple(heads)
        self.grid = (size[0] // config.patch_size, size[1] // config.patch_size)
        aggregator = model.aggregator
        self.patch_embed = DevicePatchEmbed(aggregator.patch_embed, self.grid, view_counts, gpu)
        special = torch.cat((aggregator.camera_token, aggregator.register_token), dim=2)[0]
        for views in view_counts:
            tokens = torch.cat((special[:1], special[1:].expand(views - 1, -1, -1)))
            self.register_buffer(f"special_{views}", tokens.detach().clone())

        cos, sin = rotary_tables(config, self.grid)
        self.register_buffer("cos", cos)
        self.register_buffer("sin", sin)
        self.frame_blocks = nn.ModuleList(
            DeviceBlock(b, rotary=True) for b in aggregator.frame_blocks
        )
        self.global_blocks = nn.ModuleList(
            DeviceBlock(b, rotary=True) for b in aggregator.global_blocks
        )
        self.camera_head = (
            DeviceCameraHead(model.camera_head, unrolled=gpu) if "camera" in heads else None
        )
        self.depth_head = (
            DeviceDenseHead(model.depth_head, size, view_by_view=gpu) if "depth" in heads else None
        )
        self.point_head = (
            DeviceDenseHead(model.point_head, size, view_by_view=gpu) if "point" in heads else None
        )
        self.eval().requires_grad_(False)

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        views = images.shape[0]
        patches = self.patch_embed(images)
        special = self.get_buffer(f"special_{views}")
        x = torch.cat((special, patches), dim=1).reshape(1, -1, self.config.embed_dim)
        rope = (self.cos, self.sin)
        layers: dict[int, Tensor] = {}
        for i, (frame, across) in enumerate(
            zip(self.frame_blocks, self.global_blocks, strict=True)
        ):
            x_frame = frame(x, views, views, rope)
            x = across(x_frame, views, 1, rope)
            if i in self.config.kept_layers:
                layers[i] = torch.cat((x_frame, x), dim=-1).reshape(views, -1, 2 * x.shape[-1])

        outputs: tuple[Tensor, ...] = ()
        if self.camera_head is not None:
            last = layers[self.config.depth - 1]
            outputs += (self.camera_head(last[:, :1].reshape(1, views, -1)),)
        for head in (self.depth_head, self.point_head):
            if head is not None:
                first_patch = self.config.num_special_tokens
                levels = [layers[i][:, first_patch:] for i in self.config.dpt_layers]
                outputs += head(levels)
        return outputs


class DevicePatchEmbed(nn.Module):
    """Images [S, 3, H, W] in [0, 1] -> patch tokens [S, H/14 W/14, C]."""

    first: Tensor
    position: Tensor

    def __init__(
        self,
        embed: ConvPatchEmbed | DinoPatchEmbed,
        grid: tuple[int, int],
        view_counts: Sequence[int],
        view_by_view: bool = False,
    ) -> None:
        super().__init__()
        self.view_by_view = view_by_view
        convolution = embed.proj if isinstance(embed, ConvPatchEmbed) else embed.patch_embed.proj
        self.convolution = _with_normalisation(convolution)
        self.blocks = nn.ModuleList()
        self.norm: nn.Module | None = None
        self.num_first = 0
        if isinstance(embed, DinoPatchEmbed):
            position = resize_pos_embed(embed.pos_embed.detach(), *grid)
            first = torch.cat((embed.cls_token + position[:, :1], embed.register_tokens), dim=1)
            self.num_first = first.shape[1]
            for views in view_counts:
                self.register_buffer(f"first_{views}", first.detach().repeat(views, 1, 1))
            self.register_buffer("position", position[:, 1:].clone())
            self.blocks.extend(DeviceBlock(block, rotary=False) for block in embed.blocks)
            norm: nn.Module = embed.norm
            if isinstance(norm, RotatingNorm):
                rotating = plain_linear(norm.weight, norm.bias)
                width = embed.pos_embed.shape[-1]
                self.norm = nn.Sequential(DeviceLayerNorm(width, norm.eps), rotating)
            else:
                self.norm = DeviceLayerNorm.of(norm)

    def forward(self, images: Tensor) -> Tensor:
        views = images.shape[0]
        parts = [images[i : i + 1] for i in range(views)] if self.view_by_view else [images]
        parts = [self.convolution(part).flatten(2).permute(0, 2, 1) for part in parts]
        patches = torch.cat(parts) if len(parts) > 1 else parts[0]
        if self.norm is None:
            return patches
        first = self.get_buffer(f"first_{views}")
        x = torch.cat((first, patches + self.position), dim=1)
        dim = x.shape[-1]
        x = x.reshape(1, -1, dim)
        for block in self.blocks:
            x = block(x, views, views)
        patches = x.reshape(views, -1, dim)[:, self.num_first :]
        return cast(Tensor, self.norm(patches))


def _with_normalisation(convolution: nn.Conv2d) -> nn.Conv2d:
    """The patch convolution for images that are not normalised; it has no padding."""
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in (IMAGE_MEAN, IMAGE_STD))
    weight, bias = convolution.weight.detach(), convolution.bias
    assert bias is not None
    patch = weight.shape[-1]
    result = nn.Conv2d(3, len(weight), patch, stride=patch)
    result.weight = nn.Parameter(weight / std)
    result.bias = nn.Parameter(bias.detach() - (weight * (mean / std)).sum((1, 2, 3)))
    return result
