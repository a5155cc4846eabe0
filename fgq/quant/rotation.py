"""One rotation of the residual stream, folded into the weights without a trace in the function.

With tokens as rows, z = x Q for an orthogonal Q [C, C] shared by all blocks of the aggregator.
Q's first column is 1/sqrt(C), so that the mean of a token is its rotated coordinate 0 (times
sqrt(C)) and LayerNorm's centring becomes the loss of that coordinate: LayerNorm without its affine
part commutes with Q. What remains of Q sits in weights, but for two places (method note 7.3 B1;
the idea for networks with RMSNorm: SliceGPT, arXiv 2401.15024, QuaRot, arXiv 2404.00456):

    entry    the patch tokens: inside the convolution, or one product after DINOv2's last norm;
             special tokens are stored rotated
    blocks   norm1, norm2 -> `RotatedLayerNorm`; gain, bias and Q in qkv and fc1; LayerScale and Q
             in proj and fc2
    camera   the camera tokens, one per view, are rotated back: `UnrotatingNorm`
    dense    norm -> `RotatedPairNorm`; gain, bias and both Q in the 1x1 projections

Every module keeps its name. The tokens that the aggregator returns are rotated, both halves.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fgq.quant.hadamard import hadamard, has_hadamard, orthogonal_with_mean
from fgq.quant.transforms import fold_layer_scale
from fgq.vggt import VGGT
from fgq.vggt.attention import Block
from fgq.vggt.dpt_head import DPTHead
from fgq.vggt.patch_embed import DinoPatchEmbed

TOLERANCE = 1e-5


class RotatedLayerNorm(nn.Module):
    """LayerNorm of rotated tokens [..., C]: coordinate 0 goes, the rest gets a mean square of 1.

    `weight` [C] starts as ones and is there for a diagonal transform. The linear that reads the
    output has zeros in column 0, so weight[0] is without effect.
    """

    def __init__(self, norm: nn.LayerNorm) -> None:
        super().__init__()
        self.eps = norm.eps
        self.weight = nn.Parameter(torch.ones_like(norm.weight))

    def forward(self, z: Tensor) -> Tensor:
        centred = F.pad(z[..., 1:], (1, 0))
        return F.rms_norm(centred, self.weight.shape, self.weight, self.eps)


class RotatedPairNorm(nn.Module):
    """LayerNorm without affine part of two concatenated halves [..., 2C], each rotated by itself.

    Both halves have one mean in common, of which each holds a part in its coordinate 0.
    """

    def __init__(self, norm: nn.LayerNorm) -> None:
        super().__init__()
        self.eps = norm.eps

    def forward(self, z: Tensor) -> Tensor:
        mean, rest = z.unflatten(-1, (2, -1)).split((1, z.shape[-1] // 2 - 1), dim=-1)
        centred = torch.cat((mean - mean.mean(-2, keepdim=True), rest), dim=-1).flatten(-2)
        return F.rms_norm(centred, centred.shape[-1:], eps=self.eps)


class RotatingNorm(nn.Module):
    """LayerNorm [..., C], its affine part and the rotation after it being one product.

    Deliberately no nn.Linear: its output is the residual stream, which stays in floating point.
    """

    def __init__(self, norm: nn.LayerNorm) -> None:
        super().__init__()
        self.eps = norm.eps
        width = norm.weight.shape[0]
        self.weight = nn.Parameter(norm.weight.new_zeros(width, width))
        self.bias = nn.Parameter(norm.weight.new_zeros(width))

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(F.layer_norm(x, x.shape[-1:], eps=self.eps), self.weight, self.bias)


class UnrotatingNorm(nn.Module):
    """The old LayerNorm of two concatenated halves [..., 2C], which are rotated back before it."""

    def __init__(self, norm: nn.LayerNorm) -> None:
        super().__init__()
        width = norm.weight.shape[0] // 2
        self.rotation = nn.Parameter(norm.weight.new_zeros(width, width))
        self.norm = norm

    def forward(self, z: Tensor) -> Tensor:
        # F.linear multiplies by the transpose, which is the inverse.
        return self.norm(F.linear(z.unflatten(-1, (2, -1)), self.rotation).flatten(-2))


def residual_rotation(width: int, seed: int = 0) -> Tensor:
    """A rotation [C, C] float64 for `rotate_residual`.

    A Hadamard matrix, its rows in an order drawn from the seed (0: as built), or a random
    orthogonal matrix for a width without one.
    """
    if not has_hadamard(width):
        return orthogonal_with_mean(width, seed)
    if seed == 0:
        return hadamard(width)
    return hadamard(width)[torch.randperm(width, generator=torch.Generator().manual_seed(seed))]


@torch.no_grad()
def rotate_residual(model: VGGT, rotation: Tensor) -> None:
    """Rotate the aggregator's residual stream by Q [C, C], in place; the function stays the same.

    Products are computed in float64 and stored in the precision of the weights. LayerScale is
    folded everywhere. ValueError, before anything is changed, if Q is not orthogonal with a first
    column of 1/sqrt(C), or if the network is rotated already or its blocks are quantized.
    """
    aggregator, embed = model.aggregator, model.aggregator.patch_embed
    blocks = _aggregator_blocks(model)
    if is_rotated(model):
        raise ValueError("the network is rotated already")
    for block in blocks:
        _check_linears(block)
    q = _checked_rotation(rotation, model.config.embed_dim).to(aggregator.camera_token.device)

    fold_layer_scale(model)
    for token in (aggregator.camera_token, aggregator.register_token):
        token.copy_(token.double() @ q)
    for block in blocks:
        for norm, linear in ((block.norm1, block.attn.qkv), (block.norm2, block.mlp.fc1)):
            _fold_input(linear, norm, q)
            linear.weight[:, 0] = 0.0  # it meets the coordinate that the norm takes away
        _fold_output(block.attn.proj, q)
        _fold_output(block.mlp.fc2, q)
    for head in _dense_heads(model):
        for project in head.projects:
            assert isinstance(project, nn.Conv2d)
            _fold_input(project, head.norm, torch.block_diag(q, q))

    last_norm = embed.norm if isinstance(embed, DinoPatchEmbed) else None
    insert_rotation(model)
    if isinstance(embed, DinoPatchEmbed):
        assert last_norm is not None
        embed.norm.weight.copy_((last_norm.weight.double()[:, None] * q).T)
        embed.norm.bias.copy_(last_norm.bias.double() @ q)
    else:
        _fold_output(embed.proj, q)
    if "camera" in model.config.heads:
        model.get_parameter("camera_head.token_norm.rotation").copy_(q)


def insert_rotation(model: VGGT) -> None:
    """Give a network the modules of a rotated one, their parameters to be loaded; in place.

    Works on the meta device. ValueError if the network is rotated already.
    """
    if is_rotated(model):
        raise ValueError("the network is rotated already")
    for block in _aggregator_blocks(model):
        block.set_submodule("norm1", RotatedLayerNorm(block.norm1))
        block.set_submodule("norm2", RotatedLayerNorm(block.norm2))
    embed = model.aggregator.patch_embed
    if isinstance(embed, DinoPatchEmbed):
        embed.set_submodule("norm", RotatingNorm(embed.norm))
    if "camera" in model.config.heads:
        head = model.camera_head
        head.set_submodule("token_norm", UnrotatingNorm(head.token_norm))
    for dense in _dense_heads(model):
        dense.set_submodule("norm", RotatedPairNorm(dense.norm))


def is_rotated(model: VGGT) -> bool:
    """Whether the residual stream of a network is rotated."""
    return any(isinstance(block.norm1, RotatedLayerNorm) for block in _aggregator_blocks(model))


def rotation_of(model: VGGT) -> Tensor | None:
    """The rotation Q [C, C] of a network's residual stream, where tokens are stored as x Q."""
    if not is_rotated(model):
        return None
    norm = model.camera_head.token_norm
    assert isinstance(norm, UnrotatingNorm)
    return norm.rotation


@torch.no_grad()
def rotate_values(block: Block, rotation: Tensor) -> None:
    """Multiply the values of each head by its own matrix P [H, D, D], undone in proj; in place.

    Attention mixes tokens, P mixes the channels of a head: they commute. P may be any invertible
    matrix, its inverse goes into proj. Computed in float64. ValueError, before anything is changed,
    for a wrong shape, a singular matrix or a quantized block.
    """
    _check_linears(block)
    qkv, proj = block.attn.qkv, block.attn.proj
    heads, width = block.attn.num_heads, proj.in_features
    size = width // heads
    if rotation.shape != (heads, size, size):
        raise ValueError(
            f"value rotations of shape {tuple(rotation.shape)}, expected {(heads, size, size)}"
        )
    p = rotation.to(proj.weight.device, torch.float64)
    inverse, failed = torch.linalg.inv_ex(p)
    if failed.any() or not torch.isfinite(inverse).all():
        raise ValueError("a value rotation has no inverse")
    values = slice(2 * width, None)
    weight = qkv.weight[values].double().unflatten(0, (heads, size))
    bias = qkv.bias[values].double().unflatten(0, (heads, size))
    columns = proj.weight.double().unflatten(1, (heads, size))
    qkv.weight[values] = torch.einsum("hde,hdc->hec", p, weight).flatten(0, 1).to(qkv.weight.dtype)
    qkv.bias[values] = torch.einsum("hde,hd->he", p, bias).flatten().to(qkv.bias.dtype)
    proj.weight.copy_(torch.einsum("hed,nhd->nhe", inverse, columns).flatten(1))


def _aggregator_blocks(model: VGGT) -> list[Block]:
    blocks = (*model.aggregator.frame_blocks, *model.aggregator.global_blocks)
    return [block for block in blocks if isinstance(block, Block)]


def _dense_heads(model: VGGT) -> list[DPTHead]:
    return [getattr(model, f"{n}_head") for n in ("depth", "point") if n in model.config.heads]


def _check_linears(block: Block) -> None:
    linears = (block.attn.qkv, block.attn.proj, block.mlp.fc1, block.mlp.fc2)
    if not all(isinstance(linear, nn.Linear) for linear in linears):
        raise ValueError("rotations go into floating-point weights: rotate before quantizing")


def _checked_rotation(rotation: Tensor, width: int) -> Tensor:
    if rotation.shape != (width, width):
        raise ValueError(f"a rotation of shape {tuple(rotation.shape)}, expected {(width, width)}")
    q = rotation.detach().double()
    identity = torch.eye(width, dtype=q.dtype, device=q.device)
    if not torch.allclose(q.T @ q, identity, rtol=0, atol=TOLERANCE):
        raise ValueError("the rotation is not orthogonal")
    if not torch.allclose(q[:, 0], torch.full_like(q[:, 0], width**-0.5), rtol=0, atol=TOLERANCE):
        raise ValueError(f"the first column of the rotation must be 1/sqrt({width})")
    return q


def _fold_input(linear: nn.Linear | nn.Conv2d, norm: nn.LayerNorm, rotation: Tensor) -> None:
    """Put a norm's gain and bias, then the way back from rotated inputs, into what reads it."""
    weight = linear.weight.double().flatten(1)
    assert linear.bias is not None
    linear.bias.copy_(linear.bias.double() + weight @ norm.bias.double())
    weight = (weight * norm.weight.double()) @ rotation
    linear.weight.copy_(weight.view_as(linear.weight))


def _fold_output(linear: nn.Linear | nn.Conv2d, rotation: Tensor) -> None:
    """Let a linear or convolution give its output channels rotated."""
    weight = rotation.T @ linear.weight.double().flatten(1)
    assert linear.bias is not None
    linear.weight.copy_(weight.view_as(linear.weight))
    linear.bias.copy_(linear.bias.double() @ rotation)
