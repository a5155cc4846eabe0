"""The networks that are compared, as plain torch modules of one input.

Nothing heavier than torch and `fgq.vggt` is imported: the memory of torch's own rows is measured in
processes that load this file.
"""

from __future__ import annotations

from pathlib import Path
from typing import cast

import torch
from torch import Tensor, nn

from fgq.vggt import VGGT, load_checkpoint
from fgq.vggt.attention import Block, Rope, rope_2d
from mobile_export.outputs import output_names


class WholeNetwork(nn.Module):
    """Images [S, 3, H, W] in [0, 1] of one scene -> the tensors of `network_outputs`: pose_enc
    [S, 9], depth and confidences [S, H, W], world_points [S, H, W, 3]."""

    def __init__(self, model: VGGT) -> None:
        super().__init__()
        self.model = model
        self.names = network_outputs(model)

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        result = self.model(images[None])
        outputs = [result[name][0] for name in self.names]
        return tuple(
            x[..., 0] if name == "depth" else x for name, x in zip(self.names, outputs, strict=True)
        )


class BlockStack(nn.Module):
    """The frame and global blocks of a VGGT by turns; tokens [1, S P, C] -> [1, S P, C]."""

    def __init__(self, model: VGGT, views: int, size: tuple[int, int]) -> None:
        super().__init__()
        config = model.config
        self.views = views
        self.blocks = nn.ModuleList(block_order(model))
        grid = (size[0] // config.patch_size, size[1] // config.patch_size)
        head_dim = config.embed_dim // config.num_heads
        rope = rope_2d(*grid, head_dim, config.num_special_tokens)
        self.register_buffer("cos", rope.cos)
        self.register_buffer("sin", rope.sin)

    def forward(self, x: Tensor) -> Tensor:
        rope = Rope(self.get_buffer("cos"), self.get_buffer("sin"))
        whole = rope.repeat(self.views)
        shape = x.shape
        for i, block in enumerate(self.blocks):
            if i % 2 == 0:
                x = block(x.reshape(self.views, -1, shape[-1]), rope).reshape(shape)
            else:
                x = block(x, whole)
        return x


def block_order(model: VGGT) -> list[Block]:
    """First frame block, first global block, second frame block, ..."""
    aggregator = model.aggregator
    pairs = zip(aggregator.frame_blocks, aggregator.global_blocks, strict=True)
    return [cast(Block, block) for pair in pairs for block in pair]


def network_outputs(model: VGGT) -> list[str]:
    """What the network of a model returns, in its order."""
    if not model.config.heads:
        return ["tokens"]
    return output_names(model.config.heads)


def make_network(model: VGGT, views: int, size: tuple[int, int]) -> nn.Module:
    """The whole network for images of a size (H, W), or the stack of its blocks if the model has
    no heads."""
    network = WholeNetwork(model) if model.config.heads else BlockStack(model, views, size)
    return network.eval().requires_grad_(False)


def load_network(checkpoint: Path, views: int, size: tuple[int, int]) -> nn.Module:
    """The same of a checkpoint."""
    with torch.no_grad():
        return make_network(load_checkpoint(checkpoint), views, size)
