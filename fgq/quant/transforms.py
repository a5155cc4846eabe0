"""Exact changes of the weights that leave the network's function as it is."""

from __future__ import annotations

import torch
from torch import nn

from fgq.vggt.attention import Block


@torch.no_grad()
def fold_layer_scale(model: nn.Module) -> None:
    """Multiply every LayerScale into the linear before it and set its gain to 1, in place.

    The device then needs no multiplication for it. Quantization always acts on the folded
    network, so that codes and scales belong to the weights that the device holds.
    """
    for block in model.modules():
        if isinstance(block, Block):
            for linear, scale in ((block.attn.proj, block.ls1), (block.mlp.fc2, block.ls2)):
                linear.weight.mul_(scale.gamma[:, None])
                linear.bias.mul_(scale.gamma)
                scale.gamma.fill_(1.0)
