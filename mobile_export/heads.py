"""The heads of the device graph: camera poses, and depth or points."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fgq.quant.rotation import RotatedPairNorm, UnrotatingNorm
from fgq.vggt.camera_head import CameraHead
from fgq.vggt.dpt_head import POSITION_GAIN, DPTHead, position_codes, upsample
from mobile_export.convolutions import DeviceConv2d, device_convolutions
from mobile_export.layers import DeviceBlock, DeviceLayerNorm, DeviceMlp, thirds
from mobile_export.linears import device_linear, plain_linear


class DeviceCameraHead(nn.Module):
    """Camera tokens [1, S, 2C] -> pose code [S, 9] of the last iteration.

    All iterations have the same weights. With `unrolled` each holds them as its own, for a
    delegate that cannot use a weight twice; the program's file has them once all the same.
    """

    start: Tensor

    def __init__(self, head: CameraHead, unrolled: bool = False) -> None:
        super().__init__()
        dim = head.trunk_norm.normalized_shape[0]
        token_norm: nn.Module = head.token_norm
        self.unrotate = None
        if isinstance(token_norm, UnrotatingNorm):
            self.unrotate = plain_linear(token_norm.rotation)
            token_norm = token_norm.norm
        self.token_norm = DeviceLayerNorm.of(token_norm)
        self.plain_norm = DeviceLayerNorm(dim, eps=1e-6)
        self.register_buffer("start", head.empty_pose_tokens.detach().clone())
        step = DeviceCameraStep(head)
        steps = [step] + [
            copy.deepcopy(step) if unrolled else step for _ in range(1, head.iterations)
        ]
        self.steps = nn.ModuleList(steps)

    def forward(self, tokens: Tensor) -> Tensor:
        views, dim = tokens.shape[1:]
        if self.unrotate is not None:  # both halves, each by itself
            tokens = self.unrotate(tokens.reshape(1, 2 * views, -1)).reshape(1, views, dim)
        z = self.token_norm(tokens)
        z_plain = self.plain_norm(z)
        code = self.start
        for i, step in enumerate(self.steps):
            correction = step(code, z, z_plain)
            code = correction if i == 0 else code + correction
        pose = torch.cat((code[..., :7], code[..., 7:].relu()), dim=-1)
        return pose.reshape(views, -1)


class DeviceCameraStep(nn.Module):
    """One iteration: pose code [1, S or 1, 9], tokens with and without their norm's gain ->
    correction of the code [1, S, 9]."""

    def __init__(self, head: CameraHead) -> None:
        super().__init__()
        self.embed_pose = device_linear(head.embed_pose)
        self.modulation = device_linear(head.poseLN_modulation[1])
        self.trunk = nn.ModuleList(DeviceBlock(block, rotary=False) for block in head.trunk)
        self.trunk_norm = DeviceLayerNorm.of(head.trunk_norm)
        self.pose_branch = DeviceMlp(head.pose_branch)

    def forward(self, code: Tensor, z: Tensor, z_plain: Tensor) -> Tensor:
        shift, scale, gate = thirds(self.modulation(F.silu(self.embed_pose(code))))
        y = z + gate * (z_plain * (1.0 + scale) + shift)
        for block in self.trunk:
            y = block(y, z.shape[1], 1)
        correction: Tensor = self.pose_branch(self.trunk_norm(y))
        return correction


class DeviceDenseHead(nn.Module):
    """Patch tokens of four layers, each [S, n, 2C] -> values [S, H, W(, C')], confidence [S, H, W].

    One channel of values is depth, three are points. With `view_by_view`
    convolutions are of one image at a time.
    """

    columns: Tensor
    rows: Tensor

    def __init__(self, head: DPTHead, size: tuple[int, int], view_by_view: bool = False) -> None:
        super().__init__()
        self.view_by_view = view_by_view
        config, scratch = head.config, head.scratch
        self.size = size
        self.grid = (size[0] // config.patch_size, size[1] // config.patch_size)
        aspect = size[1] / size[0]
        dim = 2 * config.embed_dim
        norm: nn.Module = head.norm
        if isinstance(norm, RotatedPairNorm):  # its gain and bias are in the projections
            self.norm = DeviceLayerNorm.of_rotated_pair(norm, dim)
            gain, bias = torch.ones(dim), torch.zeros(dim)
        else:
            assert isinstance(norm, nn.LayerNorm)
            self.norm = DeviceLayerNorm(dim, norm.eps)
            gain, bias = norm.weight.detach(), norm.bias.detach()
        self.projects = nn.ModuleList()
        for i, project in enumerate(head.projects):
            assert isinstance(project, nn.Conv2d)
            assert project.bias is not None
            weight = project.weight.detach().flatten(1)
            self.projects.append(plain_linear(weight * gain))
            columns, rows = _position_tables(weight.shape[0], self.grid, aspect)
            offset = weight @ bias + project.bias.detach()
            offset = (columns + rows).flatten(2).transpose(1, 2) + offset
            self.register_buffer(f"offset_{i}", offset)
        self.resize_layers = nn.ModuleList(device_convolutions(m) for m in head.resize_layers)
        self.level_convolutions = nn.ModuleList(
            device_convolutions(part)
            for part in (scratch.layer1_rn, scratch.layer2_rn, scratch.layer3_rn, scratch.layer4_rn)
        )
        self.fusions = nn.ModuleList(
            device_convolutions(part)
            for part in (
                scratch.refinenet1,
                scratch.refinenet2,
                scratch.refinenet3,
                scratch.refinenet4,
            )
        )
        self.output1 = device_convolutions(scratch.output_conv1)
        self.output2 = device_convolutions(scratch.output_conv2)
        self.in_integers = any(isinstance(m, DeviceConv2d) for m in self.modules())
        columns, rows = _position_tables(config.dpt_features // 2, size, aspect)
        self.register_buffer("columns", columns)
        self.register_buffer("rows", rows)

    def forward(self, levels: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        if self.view_by_view and len(levels[0]) > 1:
            views = [self.forward([x[i : i + 1] for x in levels]) for i in range(len(levels[0]))]
            return torch.cat([value for value, _ in views]), torch.cat([c for _, c in views])
        maps = []
        for i, tokens in enumerate(levels):
            x = self.projects[i](self.norm(tokens)) + self.get_buffer(f"offset_{i}")
            x = x.reshape(x.shape[0], *self.grid, x.shape[-1]).permute(0, 3, 1, 2)
            # XNNPACK's compiler lays a map out channels last where the first operator needs it so,
            # but loses its way at an 8-bit convolution. An interpolation to the same size makes it
            # do so earlier; it changes nothing and the maps are small here.
            if self.in_integers:
                x = upsample(x, self.grid)
            maps.append(self.level_convolutions[i](self.resize_layers[i](x)))
        x = self.fusions[3](maps[3], None, maps[2].shape[-2:])
        x = self.fusions[2](x, maps[2], maps[1].shape[-2:])
        x = self.fusions[1](x, maps[1], maps[0].shape[-2:])
        height, width = maps[0].shape[-2:]
        x = self.fusions[0](x, maps[0], (2 * height, 2 * width))
        x = self.output1(x)
        # The maps of full size are the largest of the network: one view at a time.
        parts = [x[i : i + 1] for i in range(x.shape[0])] if x.shape[0] > 1 else [x]
        parts = [self.output2(upsample(p, self.size) + self.columns + self.rows) for p in parts]
        logits = torch.cat(parts) if len(parts) > 1 else parts[0]
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
