"""Shape of a VGGT: all that is needed to build the network, nothing about its weights."""

import json
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, Self

HEAD_NAMES = ("camera", "depth", "point")


@dataclass(frozen=True)
class VGGTConfig:
    """Configuration of `VGGT`; saved beside the weights as config.json.

    img_size is the side in pixels of the square image whose patch grid the position embedding of
    the "dinov2" embedder is stored for; images of any other size are accepted all the same.
    dpt_layers are the four aggregator layers that the dense heads read, shallow to deep.
    """

    embed_dim: int
    depth: int
    num_heads: int
    img_size: int = 518
    patch_size: int = 14
    num_register_tokens: int = 4
    mlp_ratio: float = 4.0
    init_values: float = 0.01  # LayerScale at the start of training
    patch_embed: Literal["conv", "dinov2"] = "dinov2"
    patch_embed_depth: int = 24
    patch_embed_heads: int = 16
    camera_trunk_depth: int = 4
    camera_trunk_heads: int = 16
    camera_iterations: int = 4
    dpt_features: int = 256
    dpt_out_channels: tuple[int, ...] = (256, 512, 1024, 1024)
    dpt_layers: tuple[int, ...] = (4, 11, 17, 23)
    heads: tuple[str, ...] = HEAD_NAMES

    def __post_init__(self) -> None:
        problems = [
            (self.patch_embed not in ("conv", "dinov2"), "patch_embed must be conv or dinov2"),
            (self.img_size % self.patch_size, "img_size must be a multiple of patch_size"),
            (self.embed_dim % (4 * self.num_heads), "embed_dim must be a multiple of 4 num_heads"),
            (self.embed_dim % self.patch_embed_heads, "patch_embed_heads must divide embed_dim"),
            (2 * self.embed_dim % self.camera_trunk_heads, "bad number of camera_trunk_heads"),
            (len(self.dpt_layers) != 4, "dpt_layers must be four indices"),
            (list(self.dpt_layers) != sorted(self.dpt_layers), "dpt_layers must be ascending"),
            (not all(0 <= i < self.depth for i in self.dpt_layers), "dpt_layers must be < depth"),
            (len(self.dpt_out_channels) != 4, "dpt_out_channels must be four widths"),
            (any(c % 4 for c in self.dpt_out_channels), "dpt_out_channels: multiples of 4"),
            (self.dpt_features % 8, "dpt_features must be a multiple of 8"),
            (not set(self.heads) <= set(HEAD_NAMES), f"heads must be among {HEAD_NAMES}"),
        ]
        for wrong, message in problems:
            if wrong:
                raise ValueError(f"bad VGGTConfig: {message}")

    @classmethod
    def vggt_1b(cls) -> Self:
        """The released VGGT-1B without its tracker: 1.19 billion parameters."""
        return cls(embed_dim=1024, depth=24, num_heads=16)

    @classmethod
    def nano(cls) -> Self:
        """The small network embedded in this project."""
        return cls(
            embed_dim=192,
            depth=5,
            num_heads=6,
            img_size=224,
            init_values=0.3,
            patch_embed_depth=2,
            patch_embed_heads=6,
            camera_trunk_depth=1,
            camera_trunk_heads=6,
            dpt_features=32,
            dpt_out_channels=(32, 64, 96, 96),
            dpt_layers=(1, 2, 3, 4),
        )

    @property
    def num_special_tokens(self) -> int:
        """Tokens of a view before its patches: one camera token and the registers."""
        return 1 + self.num_register_tokens

    @property
    def kept_layers(self) -> tuple[int, ...]:
        """Aggregator layers that some head reads, ascending."""
        layers = {self.depth - 1} if "camera" in self.heads else set()
        if {"depth", "point"} & set(self.heads):
            layers |= set(self.dpt_layers)
        return tuple(sorted(layers))

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Inverse of `to_json`; ValueError if a field is missing, unknown or out of range."""
        values: Any = json.loads(text)
        names = {field.name for field in fields(cls)}
        if not isinstance(values, dict) or set(values) != names:
            given = set(values) if isinstance(values, dict) else set()
            raise ValueError(f"not a VGGTConfig; fields that differ: {sorted(names ^ given)}")
        for name in ("dpt_out_channels", "dpt_layers", "heads"):
            values[name] = tuple(values[name])
        return cls(**values)
