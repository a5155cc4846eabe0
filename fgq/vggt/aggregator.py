"""The trunk of VGGT: attention within each view and over all views, in turns."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from .attention import Block, rope_2d
from .config import VGGTConfig
from .patch_embed import ConvPatchEmbed, DinoPatchEmbed

IMAGE_MEAN = (0.485, 0.456, 0.406)
IMAGE_STD = (0.229, 0.224, 0.225)


class Aggregator(nn.Module):
    """Turns the images of a scene into tokens that know of each other.

    The tokens of a view are one camera token, the registers and its patches. Views are told apart
    by nothing but these first tokens: the first view of a scene has its own, all others share one.
    """

    def __init__(self, config: VGGTConfig) -> None:
        super().__init__()
        dim = config.embed_dim
        self.config = config
        self.patch_embed = (
            ConvPatchEmbed(dim, config.patch_size)
            if config.patch_embed == "conv"
            else DinoPatchEmbed(config)
        )
        self.camera_token = nn.Parameter(torch.empty(1, 2, 1, dim))
        self.register_token = nn.Parameter(torch.empty(1, 2, config.num_register_tokens, dim))
        self.frame_blocks = self._blocks()
        self.global_blocks = self._blocks()
        nn.init.normal_(self.camera_token, std=0.02)
        nn.init.normal_(self.register_token, std=0.02)

    def _blocks(self) -> nn.ModuleList:
        c = self.config
        return nn.ModuleList(
            Block(c.embed_dim, c.num_heads, c.mlp_ratio, c.init_values, qk_norm=True)
            for _ in range(c.depth)
        )

    def forward(self, images: Tensor, layers: Sequence[int] | None = None) -> dict[int, Tensor]:
        """images [B, S, 3, H, W] RGB in [0, 1] -> {layer: tokens [B, S, P, 2C]}.

        P counts the special tokens, then H/14 x W/14 patches row-major. The channels are the
        output of the layer's frame block, then of its global block. Only `layers` are kept
        (default: those that the heads of the configuration read).
        """
        batch, views, _, image_height, image_width = images.shape
        c = self.config
        height, width = image_height // c.patch_size, image_width // c.patch_size
        kept = c.kept_layers if layers is None else layers

        x = self.embed(images)
        tokens = x.shape[1]
        head_dim = c.embed_dim // c.num_heads
        rope = rope_2d(height, width, head_dim, c.num_special_tokens, images.device)
        if x.dtype == torch.bfloat16:  # training: fp32 tables would turn half of it back to fp32
            rope = rope.to(x.dtype)
        rope_all = rope.repeat(views)

        outputs = {}
        for i, (frame, across) in enumerate(
            zip(self.frame_blocks, self.global_blocks, strict=True)
        ):
            x_frame = frame(x, rope)
            x_scene = across(x_frame.view(batch, views * tokens, -1), rope_all)
            x = x_scene.view(batch * views, tokens, -1)
            if i in kept:
                outputs[i] = torch.cat((x_frame, x), dim=-1).unflatten(0, (batch, views))
        return outputs

    def embed(self, images: Tensor) -> Tensor:
        """images [B, S, 3, H, W] -> all tokens of all views [B S, P, C]."""
        batch, views = images.shape[:2]
        mean = images.new_tensor(IMAGE_MEAN).view(3, 1, 1)
        std = images.new_tensor(IMAGE_STD).view(3, 1, 1)
        patches = self.patch_embed(((images - mean) / std).flatten(0, 1))
        special = torch.cat((self.camera_token, self.register_token), dim=2)
        first, others = special[:, :1], special[:, 1:].expand(-1, views - 1, -1, -1)
        special = torch.cat((first, others), dim=1).expand(batch, -1, -1, -1).flatten(0, 1)
        return torch.cat((special, patches), dim=1)
