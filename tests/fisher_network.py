"""The network whose Fisher information is tested."""

import torch
from torch import Tensor, nn

from fgq.vggt import VGGT, VGGTConfig

TINY = VGGTConfig(
    embed_dim=8,
    depth=2,
    num_heads=2,
    img_size=28,
    num_register_tokens=2,
    init_values=0.5,
    patch_embed_depth=1,
    patch_embed_heads=2,
    camera_trunk_depth=1,
    camera_trunk_heads=2,
    camera_iterations=3,
    dpt_features=8,
    dpt_out_channels=(4, 4, 4, 4),
    dpt_layers=(0, 0, 1, 1),
)
VIEWS, SIZE = 2, (14, 28)


def make_model(config: VGGTConfig = TINY) -> VGGT:
    """A network whose linears and convolutions are large enough for everything to depend on
    everything."""
    torch.manual_seed(0)
    model = VGGT(config).double().eval()
    for module in model.modules():
        if isinstance(module, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
            fan_in = module.weight[0].numel()
            nn.init.normal_(module.weight, std=fan_in**-0.5)
    return model


def make_images() -> Tensor:
    """[1, VIEWS, 3, *SIZE] in [0, 1]."""
    generator = torch.Generator().manual_seed(1)
    return torch.rand(1, VIEWS, 3, *SIZE, generator=generator).double()
