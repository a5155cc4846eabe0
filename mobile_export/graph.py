"""A VGGT rewritten in operators that every delegate takes; equal to fgq.vggt to rounding.

What differs from fgq.vggt, and why:
- The residual stream is [1, S P, C] everywhere: int4 linears with a leading batch are silently
  wrong on Vulkan. Heads are split off around the attention only.
- Attention is batched matmuls and a softmax; the fused operator decomposes into masks and copies
  outside the delegate. Queries are taken in chunks, so that scores never exceed a fixed size.
- LayerNorm takes its means as products with a constant vector. As an operator of its own it would
  cut the network into dozens of delegates.
- Everything that depends on the image size only is a table made here: rotary angles, resized
  position embedding, sinusoidal codes of the dense heads, first tokens of every view.
- The image normalisation is part of the patch convolution, 1/sqrt(D) part of the query norm, the
  norm's gain of the dense heads part of their projections. LayerScale must be folded already.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchao.quantization.quantize_.workflows.intx.intx_unpacked_to_int8_tensor import (
    IntxUnpackedToInt8Tensor,
    IntxUnpackedToInt8TensorActivationQuantization,
)

from fgq.quant.grids import GROUP_SIZE, FakeQuantLinear
from fgq.vggt import VGGT
from fgq.vggt.aggregator import IMAGE_MEAN, IMAGE_STD
from fgq.vggt.attention import Attention, Block, Mlp, rope_2d
from fgq.vggt.camera_head import CameraHead
from fgq.vggt.dpt_head import (
    POSITION_GAIN,
    DPTHead,
    position_codes,
    upsample,
)
from fgq.vggt.patch_embed import ConvPatchEmbed, DinoPatchEmbed, resize_pos_embed

# Numbers in one matrix of attention scores; 2^20 are 4 MiB in fp32.
MAX_SCORES = 2**20

OUTPUTS = {
    "camera": ("pose_enc",),
    "depth": ("depth", "depth_conf"),
    "point": ("world_points", "world_points_conf"),
}


def output_names(heads: Sequence[str]) -> list[str]:
    """Names of the program's outputs, in their order."""
    return [name for head, names in OUTPUTS.items() if head in heads for name in names]


class DeviceVGGT(nn.Module):
    """`forward(images [S, 3, H, W] in [0, 1])` -> outputs in the order of `output_names`:

    pose_enc [S, 9]; depth, depth_conf [S, H, W]; world_points [S, H, W, 3] and its conf [S, H, W].
    One scene; H, W and the possible S are fixed. The network's int4 codes are taken as they are.

    Raises ValueError if a head is missing or LayerScale is not folded.
    """

    def __init__(
        self, model: VGGT, view_counts: Sequence[int], size: tuple[int, int], heads: Sequence[str]
    ) -> None:
        super().__init__()
        missing = [head for head in heads if head not in model.config.heads]
        if missing:
            raise ValueError(f"the checkpoint has no {' and no '.join(missing)} head")
        config = model.config
        self.config, self.size = config, size
        self.view_counts, self.heads = tuple(view_counts), tuple(heads)
        self.grid = (size[0] // config.patch_size, size[1] // config.patch_size)
        self.num_patches = self.grid[0] * self.grid[1]
        aggregator = model.aggregator
        self.patch_embed = _PatchEmbed(aggregator.patch_embed, self.grid, view_counts)
        special = torch.cat((aggregator.camera_token, aggregator.register_token), dim=2)[0]
        for views in view_counts:
            tokens = torch.cat((special[:1], special[1:].expand(views - 1, -1, -1)))
            self.register_buffer(f"special_{views}", tokens.detach().clone())

        head_dim = config.embed_dim // config.num_heads
        rope = rope_2d(*self.grid, head_dim, config.num_special_tokens)
        order = _rotation_order(head_dim)
        self.register_buffer("cos", rope.cos[None, :, None, order])
        self.register_buffer("sin", rope.sin[None, :, None, order])
        self.frame_blocks = nn.ModuleList(_Block(b, rotary=True) for b in aggregator.frame_blocks)
        self.global_blocks = nn.ModuleList(_Block(b, rotary=True) for b in aggregator.global_blocks)
        self.camera_head = _CameraHead(model.camera_head) if "camera" in heads else None
        self.depth_head = _DenseHead(model.depth_head, size) if "depth" in heads else None
        self.point_head = _DenseHead(model.point_head, size) if "point" in heads else None
        self.eval().requires_grad_(False)

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        views = images.shape[0]
        patches = self.patch_embed(images)
        special = self.get_buffer(f"special_{views}")
        x = torch.cat((special, patches), dim=1).reshape(1, -1, self.config.embed_dim)
        rope = (self.cos, self.sin)
        layers: dict[int, Tensor] = {}
        for i, (frame, across) in enumerate(
            zip(self.frame_blocks, self.global_blocks, strict=True)
        ):
            x_frame = frame(x, views, views, rope)
            x = across(x_frame, views, 1, rope)
            if i in self.config.kept_layers:
                layers[i] = torch.cat((x_frame, x), dim=-1).reshape(views, -1, 2 * x.shape[-1])

        outputs: tuple[Tensor, ...] = ()
        if self.camera_head is not None:
            last = layers[self.config.depth - 1]
            outputs += (self.camera_head(last[:, :1].reshape(1, views, -1)),)
        for head in (self.depth_head, self.point_head):
            if head is not None:
                first_patch = self.config.num_special_tokens
                levels = [layers[i][:, first_patch:] for i in self.config.dpt_layers]
                outputs += head(levels)
        return outputs


class _LayerNorm(nn.Module):
    """LayerNorm of the last dimension; gain and bias may be left out."""

    average: Tensor
    eps: Tensor
    weight: Tensor | None
    bias: Tensor | None

    def __init__(
        self, width: int, eps: float, weight: Tensor | None = None, bias: Tensor | None = None
    ) -> None:
        super().__init__()
        self.register_buffer("average", torch.full((1, width), 1.0 / width))
        self.register_buffer("eps", torch.tensor([eps]))
        self.register_buffer("weight", weight)
        self.register_buffer("bias", bias)

    @classmethod
    def of(cls, norm: nn.LayerNorm, order: Tensor | None = None, gain: float = 1.0) -> _LayerNorm:
        """The same norm, times `gain`, of channels put in another order."""
        order = torch.arange(norm.weight.numel()) if order is None else order
        weight, bias = norm.weight.detach()[order] * gain, norm.bias.detach()[order] * gain
        return cls(weight.numel(), norm.eps, weight, bias)

    def forward(self, x: Tensor) -> Tensor:
        centred = x - F.linear(x, self.average)
        x = centred * torch.rsqrt(F.linear(centred * centred, self.average, self.eps))
        if self.weight is None or self.bias is None:
            return x
        return x * self.weight + self.bias


def device_linear(linear: nn.Module, rows: Tensor | None = None) -> nn.Linear:
    """A linear that lowers to the delegate's kernel, with its output rows in the order `rows`.

    int4 codes and bfloat16 scales of a `FakeQuantLinear` go in unchanged. The order does not
    touch the grid: groups run along the input width.
    """
    assert isinstance(linear, nn.Linear | FakeQuantLinear)
    rows = torch.arange(linear.out_features) if rows is None else rows
    with torch.device("meta"):
        result = nn.Linear(linear.in_features, linear.out_features, linear.bias is not None)
    if linear.bias is not None:
        result.bias = nn.Parameter(linear.bias.detach()[rows], requires_grad=False)
    if isinstance(linear, nn.Linear):
        result.weight = nn.Parameter(linear.weight.detach()[rows], requires_grad=False)
        return result
    scales = linear.scales[rows].float()
    weight = IntxUnpackedToInt8Tensor(
        qdata=linear.codes[rows],
        scale=scales,
        zero_point=torch.zeros_like(scales, dtype=torch.int8),
        target_dtype=torch.int4,  # type: ignore[attr-defined]
        block_size=(1, GROUP_SIZE),
        dtype=torch.float32,
        activation_quantization=IntxUnpackedToInt8TensorActivationQuantization.INT8_ASYM_PER_TOKEN,
    )
    result.weight = nn.Parameter(weight, requires_grad=False)
    return result


def _rotation_order(head_dim: int) -> Tensor:
    """Channels (y1, y2, x1, x2) of a head as (y1, x1, y2, x2): rotation partners are one slice
    apart. Norms and products over a head do not depend on the order of its channels."""
    return torch.arange(head_dim).unflatten(0, (4, -1))[[0, 2, 1, 3]].flatten()


class _Attention(nn.Module):
    def __init__(self, attention: Attention, rotary: bool) -> None:
        super().__init__()
        dim = attention.proj.in_features
        self.num_heads = attention.num_heads
        self.head_dim = dim // self.num_heads
        scale = self.head_dim**-0.5
        rows = torch.arange(3 * dim)
        order = torch.arange(self.head_dim)
        if rotary:
            order = _rotation_order(self.head_dim)
            rows = rows.unflatten(0, (3 * self.num_heads, self.head_dim))
            rows = torch.cat((rows[: 2 * self.num_heads, order], rows[2 * self.num_heads :]))
            rows = rows.flatten()
        self.qkv = device_linear(attention.qkv, rows)
        self.proj = device_linear(attention.proj)
        self.q_norm = self.k_norm = None
        self.query_scale = scale
        if isinstance(attention.q_norm, nn.LayerNorm):
            assert isinstance(attention.k_norm, nn.LayerNorm)
            self.q_norm = _LayerNorm.of(attention.q_norm, order, gain=scale)
            self.k_norm = _LayerNorm.of(attention.k_norm, order)

    def forward(
        self, x: Tensor, views: int, groups: int, rope: tuple[Tensor, Tensor] | None
    ) -> Tensor:
        """x [1, S P, C]; attention within each of `groups` equal parts of the tokens."""
        tokens, dim = x.shape[1:]
        q, k, v = thirds(self.qkv(x))
        q, k = (t.reshape(views, -1, self.num_heads, self.head_dim) for t in (q, k))
        if self.q_norm is None or self.k_norm is None:
            q = q * self.query_scale
        else:
            q, k = self.q_norm(q), self.k_norm(k)
        if rope is not None:
            q, k = _rotate(q, *rope), _rotate(k, *rope)
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


def _rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    half = x.shape[-1] // 2
    partner = torch.cat((x[..., half:], x[..., :half]), dim=-1)
    return x * cos + partner * sin


def attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Softmax attention of q [B, N, D], k [B, D, M], v [B, M, D], in chunks of queries."""
    batch, queries, _ = q.shape
    chunks = -(-batch * queries * k.shape[-1] // MAX_SCORES)
    if chunks == 1:
        return torch.bmm(torch.softmax(torch.bmm(q, k), dim=-1), v)
    size = -(-queries // chunks)
    parts = [attend(q[:, i : i + size], k, v) for i in range(0, queries, size)]
    return torch.cat(parts, dim=1)


class _Mlp(nn.Module):
    def __init__(self, mlp: Mlp) -> None:
        super().__init__()
        self.fc1, self.fc2 = device_linear(mlp.fc1), device_linear(mlp.fc2)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(F.gelu(self.fc1(x)))


class _Block(nn.Module):
    def __init__(self, block: nn.Module, rotary: bool) -> None:
        super().__init__()
        assert isinstance(block, Block)
        if not all(torch.all(scale.gamma == 1) for scale in (block.ls1, block.ls2)):
            raise ValueError("LayerScale must be folded into the linears before export")
        self.norm1 = _LayerNorm.of(block.norm1)
        self.attention = _Attention(block.attn, rotary)
        self.norm2 = _LayerNorm.of(block.norm2)
        self.mlp = _Mlp(block.mlp)

    def forward(
        self, x: Tensor, views: int, groups: int, rope: tuple[Tensor, Tensor] | None = None
    ) -> Tensor:
        x = x + self.attention(self.norm1(x), views, groups, rope)
        return x + self.mlp(self.norm2(x))


class _PatchEmbed(nn.Module):
    """Images [S, 3, H, W] in [0, 1] -> patch tokens [S, H/14 W/14, C]."""

    first: Tensor
    position: Tensor

    def __init__(
        self,
        embed: ConvPatchEmbed | DinoPatchEmbed,
        grid: tuple[int, int],
        view_counts: Sequence[int],
    ) -> None:
        super().__init__()
        convolution = embed.proj if isinstance(embed, ConvPatchEmbed) else embed.patch_embed.proj
        self.convolution = _with_normalisation(convolution)
        self.blocks = nn.ModuleList()
        self.norm = None
        self.num_first = 0
        if isinstance(embed, DinoPatchEmbed):
            position = resize_pos_embed(embed.pos_embed.detach(), *grid)
            first = torch.cat((embed.cls_token + position[:, :1], embed.register_tokens), dim=1)
            self.num_first = first.shape[1]
            for views in view_counts:
                self.register_buffer(f"first_{views}", first.detach().repeat(views, 1, 1))
            self.register_buffer("position", position[:, 1:].clone())
            self.blocks.extend(_Block(block, rotary=False) for block in embed.blocks)
            self.norm = _LayerNorm.of(embed.norm)

    def forward(self, images: Tensor) -> Tensor:
        views = images.shape[0]
        patches = self.convolution(images).flatten(2).permute(0, 2, 1)
        if self.norm is None:
            return patches
        first = self.get_buffer(f"first_{views}")
        x = torch.cat((first, patches + self.position), dim=1)
        dim = x.shape[-1]
        x = x.reshape(1, -1, dim)
        for block in self.blocks:
            x = block(x, views, views)
        return self.norm(x.reshape(views, -1, dim)[:, self.num_first :])


def _with_normalisation(convolution: nn.Conv2d) -> nn.Conv2d:
    """The patch convolution for images that are not normalised; it has no padding."""
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in (IMAGE_MEAN, IMAGE_STD))
    weight, bias = convolution.weight.detach(), convolution.bias
    assert bias is not None
    patch = weight.shape[-1]
    result = nn.Conv2d(3, len(weight), patch, stride=patch)
    result.weight = nn.Parameter(weight / std)
    result.bias = nn.Parameter(bias.detach() - (weight * (mean / std)).sum((1, 2, 3)))
    return result


class _CameraHead(nn.Module):
    """Camera tokens [1, S, 2C] -> pose code [S, 9] of the last iteration."""

    start: Tensor

    def __init__(self, head: CameraHead) -> None:
        super().__init__()
        dim = head.token_norm.normalized_shape[0]
        self.iterations = head.iterations
        self.token_norm = _LayerNorm.of(head.token_norm)
        self.plain_norm = _LayerNorm(dim, eps=1e-6)
        self.register_buffer("start", head.empty_pose_tokens.detach().clone())
        self.embed_pose = device_linear(head.embed_pose)
        self.modulation = device_linear(head.poseLN_modulation[1])
        self.trunk = nn.ModuleList(_Block(block, rotary=False) for block in head.trunk)
        self.trunk_norm = _LayerNorm.of(head.trunk_norm)
        self.pose_branch = _Mlp(head.pose_branch)

    def forward(self, tokens: Tensor) -> Tensor:
        views = tokens.shape[1]
        z = self.token_norm(tokens)
        z_plain = self.plain_norm(z)
        code = self.start
        for i in range(self.iterations):
            modulation = self.modulation(F.silu(self.embed_pose(code)))
            shift, scale, gate = thirds(modulation)
            y = z + gate * (z_plain * (1.0 + scale) + shift)
            for block in self.trunk:
                y = block(y, views, 1)
            correction = self.pose_branch(self.trunk_norm(y))
            code = correction if i == 0 else code + correction
        pose = torch.cat((code[..., :7], code[..., 7:].relu()), dim=-1)
        return pose.reshape(views, -1)


class _DenseHead(nn.Module):
    """Patch tokens of four layers, each [S, n, 2C] -> values [S, H, W(, C')], confidence [S, H, W].

    One channel of values is depth, three are points.
    """

    columns: Tensor
    rows: Tensor

    def __init__(self, head: DPTHead, size: tuple[int, int]) -> None:
        super().__init__()
        config, scratch = head.config, head.scratch
        self.size = size
        self.grid = (size[0] // config.patch_size, size[1] // config.patch_size)
        aspect = size[1] / size[0]
        self.norm = _LayerNorm(head.norm.normalized_shape[0], head.norm.eps)
        gain, bias = head.norm.weight.detach(), head.norm.bias.detach()
        self.projects = nn.ModuleList()
        for i, project in enumerate(head.projects):
            assert isinstance(project, nn.Conv2d)
            assert project.bias is not None
            weight = project.weight.detach().flatten(1)
            linear = nn.Linear(weight.shape[1], weight.shape[0], bias=False)
            linear.weight = nn.Parameter(weight * gain)
            self.projects.append(linear)
            columns, rows = _position_tables(weight.shape[0], self.grid, aspect)
            offset = weight @ bias + project.bias.detach()
            offset = (columns + rows).flatten(2).transpose(1, 2) + offset
            self.register_buffer(f"offset_{i}", offset)
        self.resize_layers = head.resize_layers
        self.level_convolutions = nn.ModuleList(
            (scratch.layer1_rn, scratch.layer2_rn, scratch.layer3_rn, scratch.layer4_rn)
        )
        self.fusions = nn.ModuleList(
            (scratch.refinenet1, scratch.refinenet2, scratch.refinenet3, scratch.refinenet4)
        )
        self.output1, self.output2 = scratch.output_conv1, scratch.output_conv2
        columns, rows = _position_tables(self.output1.out_channels, size, aspect)
        self.register_buffer("columns", columns)
        self.register_buffer("rows", rows)

    def forward(self, levels: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        maps = []
        for i, tokens in enumerate(levels):
            x = self.projects[i](self.norm(tokens)) + self.get_buffer(f"offset_{i}")
            x = x.reshape(x.shape[0], *self.grid, x.shape[-1]).permute(0, 3, 1, 2)
            maps.append(self.level_convolutions[i](self.resize_layers[i](x)))
        x = self.fusions[3](maps[3], None, maps[2].shape[-2:])
        x = self.fusions[2](x, maps[2], maps[1].shape[-2:])
        x = self.fusions[1](x, maps[1], maps[0].shape[-2:])
        height, width = maps[0].shape[-2:]
        x = self.fusions[0](x, maps[0], (2 * height, 2 * width))
        x = upsample(self.output1(x), self.size) + self.columns + self.rows
        logits = self.output2(x)
        values, score = logits[:, :-1], logits[:, -1:]
        confidence = (score.exp() + 1.0).reshape(-1, *self.size)
        if values.shape[1] == 1:
            return values.exp().reshape(-1, *self.size), confidence
        # sign(v) (e^|v| - 1) without a sign operator.
        points = values.relu().exp() - (-values).relu().exp()
        return points.permute(0, 2, 3, 1), confidence


def _position_tables(channels: int, size: tuple[int, int], aspect: float) -> tuple[Tensor, Tensor]:
    """What `add_position` of fgq.vggt adds, as two terms [1, C, 1, w] and [1, C, h, 1]."""
    columns, rows = position_codes(torch.empty(channels, *size), aspect)
    columns, rows = POSITION_GAIN * columns[None], POSITION_GAIN * rows[None]
    return (
        torch.cat((columns, torch.zeros_like(columns)), dim=1),
        torch.cat((torch.zeros_like(rows), rows), dim=1),
    )
