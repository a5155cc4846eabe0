"""Small networks: TINY is as small as the rules allow, the others have every part that the device
graph rewrites."""

from dataclasses import replace

from fgq.vggt import VGGTConfig

TINY = VGGTConfig(
    embed_dim=32,
    depth=1,
    num_heads=1,
    img_size=56,
    patch_embed="conv",
    camera_trunk_depth=1,
    camera_trunk_heads=2,
    camera_iterations=2,
    dpt_features=8,
    dpt_out_channels=(8, 8, 8, 8),
    dpt_layers=(0, 0, 0, 0),
)
HEADS = ("camera", "depth", "point")
CONV = VGGTConfig(
    embed_dim=64,
    depth=2,
    num_heads=2,
    img_size=56,
    patch_embed="conv",
    camera_trunk_depth=1,
    camera_trunk_heads=2,
    dpt_features=8,
    dpt_out_channels=(8, 12, 16, 8),
    dpt_layers=(0, 0, 1, 1),
)
DINO = replace(CONV, patch_embed="dinov2", patch_embed_depth=1, patch_embed_heads=4)
