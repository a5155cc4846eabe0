"""Transformer block of VGGT: multi-head attention with 2-D rotary positions, MLP, LayerScale."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

ROPE_BASE = 100.0
PLAIN_ATTENTION = 512  # tokens


class Rope(NamedTuple):
    """Rotation of every token, fp32 [P, head_dim]: four quarters (y, y, x, x) of frequencies.

    Quarters of one axis are the two components of a rotation; `sin` has the sign for each.
    """

    cos: Tensor
    sin: Tensor

    def to(self, dtype: torch.dtype) -> "Rope":
        return Rope(self.cos.to(dtype), self.sin.to(dtype))

    def repeat(self, views: int) -> "Rope":
        """The same positions for each of several views, [views P, head_dim]."""
        return Rope(self.cos.repeat(views, 1), self.sin.repeat(views, 1))


def rope_2d(
    height: int, width: int, head_dim: int, num_special: int = 0, device: torch.device | None = None
) -> Rope:
    """Rotary tables of a view of `num_special` tokens and height x width patches, row-major.

    The patch in row r, column c is at position (r + 1, c + 1) and special tokens are at (0, 0),
    so they are not rotated. The first half of a head turns with y, the second with x, each with
    head_dim / 4 frequencies 100^(-k / (head_dim / 4)).
    """
    # Small enough (0.1 ms) to be made once a forward: a cache would have to be told apart by
    # device, inference mode and tracing.
    y = torch.arange(1, height + 1, device=device).repeat_interleave(width)
    x = torch.arange(1, width + 1, device=device).repeat(height)
    position = F.pad(torch.stack((y, x), dim=-1), (0, 0, num_special, 0)).float()
    return rope_from_positions(position, head_dim)


def rope_from_positions(position: Tensor, head_dim: int) -> Rope:
    """Rotary tables of tokens at position [..., 2] = (y, x)."""
    count = head_dim // 4
    exponent = torch.arange(count, dtype=torch.float32, device=position.device) / count
    angle = position.float()[..., None] / ROPE_BASE**exponent
    cos, sin = angle.cos(), angle.sin()
    return Rope(
        torch.stack((cos, cos), dim=-2).flatten(-3), torch.stack((-sin, sin), dim=-2).flatten(-3)
    )


def rotate(x: Tensor, rope: Rope) -> Tensor:
    """Turn queries or keys [..., P, head_dim] by their positions; computed in fp32 or better."""
    y1, y2, x1, x2 = x.chunk(4, dim=-1)
    partner = torch.cat((y2, y1, x2, x1), dim=-1)
    return torch.addcmul(x * rope.cos, partner, rope.sin).to(x.dtype)


def attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Attention of [B, heads, P, head_dim] each, scaled by head_dim^-0.5.

    On a CPU the fused kernel's bf16 gradient is 2 to 6 times slower than plain products as long
    as the attention matrix is small, which is what the training of a small network needs.
    """
    if torch.is_grad_enabled() and q.dtype == torch.bfloat16 and q.shape[-2] <= PLAIN_ATTENTION:
        scores = q * q.shape[-1] ** -0.5 @ k.transpose(-1, -2)
        return scores.softmax(-1, dtype=q.dtype) @ v
    return F.scaled_dot_product_attention(q, k, v)


class Attention(nn.Module):
    """Multi-head self-attention; queries and keys optionally normalised per head, then rotated."""

    def __init__(self, dim: int, num_heads: int, qk_norm: bool = False) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.qkv = nn.Linear(dim, 3 * dim)
        self.q_norm = nn.LayerNorm(dim // num_heads) if qk_norm else nn.Identity()
        self.k_norm = nn.LayerNorm(dim // num_heads) if qk_norm else nn.Identity()
        self.proj = nn.Linear(dim, dim)

    def forward(self, x: Tensor, rope: Rope | None = None) -> Tensor:
        """x [B, P, C] -> [B, P, C]."""
        qkv = self.qkv(x).unflatten(-1, (3, self.num_heads, -1))
        q, k, v = qkv.permute(2, 0, 3, 1, 4).unbind(0)
        q, k = self.q_norm(q), self.k_norm(k)
        if rope is not None:
            q, k = rotate(q, rope), rotate(k, rope)
        return self.proj(attend(q, k, v).transpose(1, 2).flatten(2))


class Mlp(nn.Module):
    """fc2(GELU(fc1 x)), with the exact GELU."""

    def __init__(self, dim: int, hidden: int, out: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(dim, hidden)
        self.fc2 = nn.Linear(hidden, out)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(F.gelu(self.fc1(x)))


class LayerScale(nn.Module):
    """A gain for every channel of a residual branch."""

    def __init__(self, dim: int, init_value: float) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.full((dim,), init_value))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gamma


class Block(nn.Module):
    """Pre-norm transformer block: attention, then MLP, each scaled and added to its input.

    The sum keeps the precision of x and gamma, so that under autocast the residual stays in fp32.
    """

    def __init__(
        self,
        dim: int,
        num_heads: int,
        mlp_ratio: float,
        init_values: float,
        *,
        qk_norm: bool = False,
        eps: float = 1e-5,
    ) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(dim, eps=eps)
        self.attn = Attention(dim, num_heads, qk_norm)
        self.ls1 = LayerScale(dim, init_values)
        self.norm2 = nn.LayerNorm(dim, eps=eps)
        self.mlp = Mlp(dim, int(dim * mlp_ratio), dim)
        self.ls2 = LayerScale(dim, init_values)

    def forward(self, x: Tensor, rope: Rope | None = None) -> Tensor:
        """x [B, P, C] -> [B, P, C]."""
        x = x + self.ls1(self.attn(self.norm1(x), rope))
        return x + self.ls2(self.mlp(self.norm2(x)))
