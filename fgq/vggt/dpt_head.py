"""Dense heads (DPT, arXiv 2103.13413): depth or 3-D points with a confidence for every pixel."""

from collections.abc import Callable, Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .config import VGGTConfig

POSITION_BASE = 100.0
POSITION_GAIN = 0.1


class ResidualConvUnit(nn.Module):
    """Two convolutions added to the *rectified* input, as the released weights expect."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(features, features, 3, padding=1)
        self.conv2 = nn.Conv2d(features, features, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = x.relu()
        return x + self.conv2(self.conv1(x).relu())


class FusionBlock(nn.Module):
    """Adds a finer level to the running map and brings the sum to the next size."""

    def __init__(self, features: int, has_skip: bool) -> None:
        super().__init__()
        if has_skip:
            self.resConfUnit1 = ResidualConvUnit(features)
        self.resConfUnit2 = ResidualConvUnit(features)
        self.out_conv = nn.Conv2d(features, features, 1)

    def forward(self, x: Tensor, skip: Tensor | None, size: tuple[int, int]) -> Tensor:
        """x, skip [N, F, h, w] -> [N, F, *size]."""
        if skip is not None:
            x = x + self.resConfUnit1(skip)
        # A 1x1 convolution commutes with interpolation: it is cheaper at the smaller size.
        return upsample(self.out_conv(self.resConfUnit2(x)), size)


class FusionPyramid(nn.Module):
    """Fuses four levels, deepest first, and holds the output convolutions."""

    def __init__(self, features: int, in_channels: tuple[int, ...], out_channels: int) -> None:
        super().__init__()
        self.layer1_rn, self.layer2_rn, self.layer3_rn, self.layer4_rn = (
            nn.Conv2d(c, features, 3, padding=1, bias=False) for c in in_channels
        )
        self.refinenet1 = FusionBlock(features, has_skip=True)
        self.refinenet2 = FusionBlock(features, has_skip=True)
        self.refinenet3 = FusionBlock(features, has_skip=True)
        self.refinenet4 = FusionBlock(features, has_skip=False)
        self.output_conv1 = nn.Conv2d(features, features // 2, 3, padding=1)
        self.output_conv2 = nn.Sequential(
            nn.Conv2d(features // 2, 32, 3, padding=1), nn.ReLU(), nn.Conv2d(32, out_channels, 1)
        )

    def forward(self, levels: list[Tensor]) -> Tensor:
        """levels of 4, 2, 1 and 1/2 times the patch grid -> [N, F/2, 8h, 8w]."""
        level1 = self.layer1_rn(levels[0])
        level2 = self.layer2_rn(levels[1])
        level3 = self.layer3_rn(levels[2])
        level4 = self.layer4_rn(levels[3])
        x = self.refinenet4(level4, None, level3.shape[-2:])
        x = self.refinenet3(x, level3, level2.shape[-2:])
        x = self.refinenet2(x, level2, level1.shape[-2:])
        height, width = level1.shape[-2:]
        x = self.refinenet1(x, level1, (2 * height, 2 * width))
        return self.output_conv1(x)


class DPTHead(nn.Module):
    """Four layers of patch tokens -> one map per view; views do not see each other here.

    `activation` turns the value channels (all but the last) into depth or points.
    """

    def __init__(
        self, config: VGGTConfig, value_channels: int, activation: Callable[[Tensor], Tensor]
    ) -> None:
        super().__init__()
        dim, widths = 2 * config.embed_dim, config.dpt_out_channels
        self.config = config
        self.activation = activation
        self.norm = nn.LayerNorm(dim)
        self.projects = nn.ModuleList(nn.Conv2d(dim, width, 1) for width in widths)
        self.resize_layers = nn.ModuleList(
            (
                nn.ConvTranspose2d(widths[0], widths[0], 4, stride=4),
                nn.ConvTranspose2d(widths[1], widths[1], 2, stride=2),
                nn.Identity(),
                nn.Conv2d(widths[3], widths[3], 3, stride=2, padding=1),
            )
        )
        self.scratch = FusionPyramid(config.dpt_features, widths, value_channels + 1)

    def forward(
        self,
        tokens: Mapping[int, Tensor],
        size: tuple[int, int],
        views_per_chunk: int | None = None,
    ) -> tuple[Tensor, Tensor]:
        """tokens {layer: [B, S, P, 2C]}, size (H, W) in pixels -> values, confidence.

        Values are [B, S, H, W, value_channels]; the confidence [B, S, H, W] is a score >= 1
        without an upper bound. `views_per_chunk` bounds the memory: so many views are computed at
        a time (default: all).
        """
        batch, views = tokens[self.config.dpt_layers[0]].shape[:2]
        levels = [
            tokens[layer][:, :, self.config.num_special_tokens :].flatten(0, 1)
            for layer in self.config.dpt_layers
        ]
        step = views_per_chunk or batch * views
        maps = [
            self._decode([level[i : i + step] for level in levels], size)
            for i in range(0, batch * views, step)
        ]
        values = torch.cat([value for value, _ in maps]).unflatten(0, (batch, views))
        confidence = torch.cat([score for _, score in maps]).unflatten(0, (batch, views))
        return values, confidence

    def _decode(self, levels: list[Tensor], size: tuple[int, int]) -> tuple[Tensor, Tensor]:
        """Patch tokens [N, n, 2C] of four layers -> values [N, H, W, C'], confidence [N, H, W]."""
        height, width = (side // self.config.patch_size for side in size)
        aspect = size[1] / size[0]
        maps = []
        for tokens, project, resize in zip(levels, self.projects, self.resize_layers, strict=True):
            x = self.norm(tokens).transpose(1, 2).unflatten(2, (height, width))
            maps.append(resize(add_position(project(x), aspect)))
        x = add_position(upsample(self.scratch(maps), size), aspect)
        # Back from autocast: an exponential of 8 bits would be 1 % off.
        logits = self.scratch.output_conv2(x).to(levels[0].dtype)
        return activate_map(logits, self.activation)


def activate_map(logits: Tensor, activation: Callable[[Tensor], Tensor]) -> tuple[Tensor, Tensor]:
    """Logits [N, C' + 1, H, W] -> values [N, H, W, C'], confidence [N, H, W] = 1 + exp(last)."""
    return activation(logits[:, :-1]).movedim(1, -1), 1 + logits[:, -1].exp()


def upsample(x: Tensor, size: tuple[int, int]) -> Tensor:
    """Bilinear, corner pixels onto corner pixels."""
    return F.interpolate(x, size, mode="bilinear", align_corners=True)


def inverse_log(x: Tensor) -> Tensor:
    """sign(x) (e^|x| - 1): coordinates of any size from logits of moderate size."""
    return x.sign() * x.abs().expm1()


def add_position(x: Tensor, aspect: float) -> Tensor:
    """Add a small sinusoidal code of the place in the image to a map [N, C, h, w]."""
    columns, rows = position_codes(x, aspect)
    left, right = x.chunk(2, dim=1)
    return torch.cat((left + POSITION_GAIN * columns, right + POSITION_GAIN * rows), dim=1)


def position_codes(x: Tensor, aspect: float) -> tuple[Tensor, Tensor]:
    """Codes of the columns [C/2, 1, w] and of the rows [C/2, h, 1] of a map x [..., C, h, w].

    Pixel centres of an image of width / height = aspect whose half diagonal is 1; for each axis
    C/4 frequencies as sine, then as cosine. Computed in fp64: they are few.
    """
    channels, height, width = x.shape[-3:]
    diagonal = (aspect**2 + 1) ** 0.5
    exponent = torch.arange(channels // 4, dtype=torch.float64, device=x.device) / (channels // 4)
    frequency = POSITION_BASE**-exponent

    def codes(extent: float, count: int) -> Tensor:
        end = extent * (count - 1) / count
        place = torch.linspace(-end, end, count, dtype=torch.float64, device=x.device)
        angle = frequency[:, None] * place
        return torch.cat((angle.sin(), angle.cos())).to(x.dtype)

    return codes(aspect / diagonal, width)[:, None, :], codes(1 / diagonal, height)[:, :, None]
