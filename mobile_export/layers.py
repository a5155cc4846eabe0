"""Building blocks of the device graph: norms, attention, transformer blocks."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fgq.quant.rotation import RotatedLayerNorm, RotatedPairNorm
from fgq.vggt import VGGTConfig
from fgq.vggt.attention import Attention, Block, Mlp, rope_2d
from mobile_export.linears import device_linear

# Numbers in one matrix of attention scores; 2^20 are 4 MiB in fp32. Where that is a few queries
# only (many heads, many tokens), a chunk has MIN_QUERIES all the same: thousands of small chunks
# would be slower, and take hours to lower.
MAX_SCORES = 2**20
MIN_QUERIES = 128


class DeviceLayerNorm(nn.Module):
    """LayerNorm of the last dimension [..., C]; gain and bias may be left out.

    The mean of a token is <x, mean> and is taken from channels in proportion to `share` (None:
    from all of them). In a rotated residual stream it sits in one channel.
    """

    average: Tensor
    eps: Tensor
    mean: Tensor | None
    share: Tensor | None
    weight: Tensor | None
    bias: Tensor | None

    def __init__(
        self, width: int, eps: float, weight: Tensor | None = None, bias: Tensor | None = None
    ) -> None:
        super().__init__()
        self.register_buffer("average", torch.full((1, width), 1.0 / width))
        self.register_buffer("eps", torch.tensor([eps]))
        self.register_buffer("mean", None)
        self.register_buffer("share", None)
        self.register_buffer("weight", weight)
        self.register_buffer("bias", bias)

    @classmethod
    def of(cls, norm: nn.Module, order: Tensor | None = None, gain: float = 1.0) -> DeviceLayerNorm:
        """The same norm, times `gain`, of channels put in another order."""
        if isinstance(norm, RotatedLayerNorm):
            return cls._of_rotated(norm)
        assert isinstance(norm, nn.LayerNorm)
        order = torch.arange(norm.weight.numel()) if order is None else order
        weight, bias = norm.weight.detach()[order] * gain, norm.bias.detach()[order] * gain
        return cls(weight.numel(), norm.eps, weight, bias)

    @classmethod
    def _of_rotated(cls, norm: RotatedLayerNorm) -> DeviceLayerNorm:
        weight = norm.weight.detach()
        result = cls(weight.numel(), norm.eps, weight)
        result.mean = torch.zeros(1, weight.numel())
        result.mean[0, 0] = 1.0
        result.share = result.mean[0]
        return result

    @classmethod
    def of_rotated_pair(cls, norm: RotatedPairNorm, width: int) -> DeviceLayerNorm:
        """For two rotated halves [..., width]: their first channels have one mean."""
        result = cls(width, norm.eps)
        result.share = torch.zeros(width)
        result.share[[0, width // 2]] = 1.0
        result.mean = result.share[None] / 2
        return result

    def forward(self, x: Tensor) -> Tensor:
        mean = F.linear(x, self.average if self.mean is None else self.mean)
        centred = x - (mean if self.share is None else mean * self.share)
        x = centred * torch.rsqrt(F.linear(centred * centred, self.average, self.eps))
        if self.weight is not None:
            x = x * self.weight
        return x if self.bias is None else x + self.bias


def rotation_order(head_dim: int) -> Tensor:
    """Channels (y1, y2, x1, x2) of a head as (y1, x1, y2, x2): rotation partners are one slice
    apart. Norms and products over a head do not depend on the order of its channels."""
    return torch.arange(head_dim).unflatten(0, (4, -1))[[0, 2, 1, 3]].flatten()


def rotary_tables(config: VGGTConfig, grid: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Cosines and sines [1, P, 1, D] of a view's tokens, for `rotate`; grid: (rows, columns)."""
    head_dim = config.embed_dim // config.num_heads
    rope = rope_2d(*grid, head_dim, config.num_special_tokens)
    order = rotation_order(head_dim)
    return rope.cos[None, :, None, order], rope.sin[None, :, None, order]


class DeviceAttention(nn.Module):
    """`fgq.vggt.attention.Attention` on the flat tokens of all views; see `forward`.

    With `rotary` the channels of a head are reordered for `rotate`.
    """

    def __init__(self, attention: Attention, rotary: bool) -> None:
        super().__init__()
        dim = attention.proj.in_features
        self.num_heads = attention.num_heads
        self.head_dim = dim // self.num_heads
        scale = self.head_dim**-0.5
        rows = torch.arange(3 * dim)
        order = torch.arange(self.head_dim)
        if rotary:
            order = rotation_order(self.head_dim)
            rows = rows.unflatten(0, (3 * self.num_heads, self.head_dim))
            rows = torch.cat((rows[: 2 * self.num_heads, order], rows[2 * self.num_heads :]))
            rows = rows.flatten()
        self.qkv = device_linear(attention.qkv, rows)
        self.proj = device_linear(attention.proj)
        self.q_norm = self.k_norm = None
        self.query_scale = scale
        if isinstance(attention.q_norm, nn.LayerNorm):
            assert isinstance(attention.k_norm, nn.LayerNorm)
            self.q_norm = DeviceLayerNorm.of(attention.q_norm, order, gain=scale)
            self.k_norm = DeviceLayerNorm.of(attention.k_norm, order)

    def forward(
        self, x: Tensor, views: int, groups: int, rope: tuple[Tensor, Tensor] | None
    ) -> Tensor:
        """x [1, S P, C] of S views; attention within each of `groups` equal parts of the tokens.

        As many groups as views keep to each view, one group spans them all. rope: cosines and
        sines [1, P, 1, D].
        """
        tokens, dim = x.shape[1:]
        q, k, v = thirds(self.qkv(x))
        q, k = (t.reshape(views, -1, self.num_heads, self.head_dim) for t in (q, k))
        if self.q_norm is None or self.k_norm is None:
            q = q * self.query_scale
        else:
            q, k = self.q_norm(q), self.k_norm(k)
        if rope is not None:
            q, k = rotate(q, *rope), rotate(k, *rope)
        shape = (groups, tokens // groups, self.num_heads, self.head_dim)
        batch = groups * self.num_heads
        q = q.reshape(shape).permute(0, 2, 1, 3).reshape(batch, -1, self.head_dim)
        k = k.reshape(shape).permute(0, 2, 3, 1).reshape(batch, self.head_dim, -1)
        v = v.reshape(shape).permute(0, 2, 1, 3).reshape(batch, -1, self.head_dim)
        out = attend(q, k, v)
        out = out.reshape(groups, self.num_heads, -1, self.head_dim).permute(0, 2, 1, 3)
        return self.proj(out.reshape(1, tokens, dim))


def thirds(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Three equal slices of the last dimension; `split` would stay outside the delegate."""
    width = x.shape[-1] // 3
    return x[..., :width], x[..., width : 2 * width], x[..., 2 * width :]


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Turn queries or keys [S, P, H, D], their channels in `rotation_order`."""
    half = x.shape[-1] // 2
    partner = torch.cat((x[..., half:], x[..., :half]), dim=-1)
    return x * cos + partner * sin


def attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Softmax attention of q [B, N, D], k [B, D, M], v [B, M, D], in chunks of queries."""
    batch, queries, _ = q.shape
    largest = max(MIN_QUERIES, MAX_SCORES // (batch * k.shape[-1]))
    if queries <= largest:
        return torch.bmm(torch.softmax(torch.bmm(q, k), dim=-1), v)
    chunks = -(-queries // largest)
    size = -(-queries // chunks)
    parts = [attend(q[:, i : i + size], k, v) for i in range(0, queries, size)]
    return torch.cat(parts, dim=1)


class DeviceMlp(nn.Module):
    """fc2(GELU(fc1 x)), with the exact GELU."""

    def __init__(self, mlp: Mlp) -> None:
        super().__init__()
        self.fc1, self.fc2 = device_linear(mlp.fc1), device_linear(mlp.fc2)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(F.gelu(self.fc1(x)))


class DeviceBlock(nn.Module):
    """Pre-norm transformer block; ValueError if LayerScale is not folded into its linears."""

    def __init__(self, block: nn.Module, rotary: bool) -> None:
        super().__init__()
        assert isinstance(block, Block)
        if not all(torch.all(scale.gamma == 1) for scale in (block.ls1, block.ls2)):
            raise ValueError("LayerScale must be folded into the linears before export")
        self.norm1 = DeviceLayerNorm.of(block.norm1)
        self.attention = DeviceAttention(block.attn, rotary)
        self.norm2 = DeviceLayerNorm.of(block.norm2)
        self.mlp = DeviceMlp(block.mlp)

    def forward(
        self, x: Tensor, views: int, groups: int, rope: tuple[Tensor, Tensor] | None = None
    ) -> Tensor:
        x = x + self.attention(self.norm1(x), views, groups, rope)
        return x + self.mlp(self.norm2(x))
