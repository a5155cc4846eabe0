"""GPTQ that also makes up for what was rounded before.

A rounded network drifts: a linear's inputs x are no longer the inputs z that it has in the
full-precision network, nor is the residual stream that its output may be added to. Here the
linears of a block are rounded one after the other, each on the inputs that those before it leave,
towards

    t = W z + b + r,    r = what the residual stream lacks where the output is added to it

in closed form. With covariances over tokens that count by their Fisher information:

    W' = W + cov(t - W x, x) (cov(x, x) + damping)^-1    least squares on the drifted inputs
    Q  = gptq(W', cov(x, x))
    b' = mean(t) - Q mean(x)                             so that no mean is lost

Full-precision outputs as the target on drifted inputs are from GPTAQ (arXiv 2504.02692) and QEP
(arXiv 2504.09629), the correction of means from Nagel et al. (arXiv 1906.04721).
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

import torch
from torch import Tensor, nn

from fgq.methods.block import LINEARS, BlockData
from fgq.methods.rounding import damped, gptq_round
from fgq.quant.learnable import LearnableLinear
from fgq.vggt.attention import Block

ADDED = ("attn.proj", "mlp.fc2")  # whose outputs go into the residual stream


class Statistics(NamedTuple):
    """Means and covariances in fp64 of x [K], z [K] and r [N]; see above."""

    x: Tensor
    z: Tensor
    r: Tensor
    xx: Tensor
    zx: Tensor
    rx: Tensor


@torch.no_grad()
def freeze_compensated(block: Block, full: Block, data: BlockData) -> None:
    """Put every `LearnableLinear` of a block on its integer grid, in place.

    They have no transformations. full: the same block in full precision.
    """
    for name in LINEARS:
        linear = block.get_submodule(name)
        if not isinstance(linear, LearnableLinear):
            continue
        s = drift_statistics(block, full, data, name)
        exact = linear.weight.double()
        missing = exact @ (s.zx - s.xx) + s.rx
        weight = exact + torch.linalg.solve(damped(s.xx), missing.mT).mT
        scales = linear.searched_scales(weight, s.xx.diagonal())
        rounded = gptq_round(weight, scales, s.xx, linear.grid)
        frozen = linear.freeze(rounded, keep_diagonal=True)
        moved = exact @ s.z + s.r - rounded.dequantize(torch.float64) @ s.x
        frozen.bias = nn.Parameter((linear.linear_bias + moved).float(), requires_grad=False)
        block.set_submodule(name, frozen)


def drift_statistics(block: Block, full: Block, data: BlockData, name: str) -> Statistics:
    """Of one `LearnableLinear` of a block, over all clips; tokens count by
    `data.token_importance`."""
    linear = block.get_submodule(name)
    assert isinstance(linear, LearnableLinear)
    sums: list[Tensor] = []
    for inputs, full_inputs in zip(data.inputs, data.full_inputs, strict=True):
        ours, our_stream = _input_and_stream(block, inputs, data.forward, name)
        z, stream = _input_and_stream(full, full_inputs, data.forward, name)
        x = linear.quantized_input(ours)
        r = stream - our_stream if name in ADDED else x.new_zeros(len(x), len(linear.weight))
        weight = data.token_importance.get(name, x.new_ones(inputs.shape[1]))
        weight = weight.repeat(len(inputs))[:, None]
        # Products in fp32 are exact enough within a clip; their sum over clips is not.
        terms = [weight.sum(), *((v * weight).sum(0) for v in (x, z, r))]
        terms += [v.mT @ (x * weight) for v in (x, z, r)]
        terms = [term.double() for term in terms]
        sums = [a + b for a, b in zip(sums, terms, strict=True)] if sums else terms
    count, (x, z, r) = sums[0], (s / sums[0] for s in sums[1:4])
    xx, zx, rx = (s / count - torch.outer(v, x) for s, v in zip(sums[4:], (x, z, r), strict=True))
    return Statistics(x, z, r, xx, zx, rx)


class _Reached(Exception):
    """The linear whose input is looked for."""


def _input_and_stream(
    block: Block, x: Tensor, forward: Callable[[nn.Module, Tensor], Tensor], name: str
) -> tuple[Tensor, Tensor]:
    """Of a clip x [S, P, C] at a block: the input [S P, K] of a linear, and the residual stream
    [S P, C] that the branch with this linear is added to."""
    seen: list[Tensor] = []

    def see(_: nn.Module, args: tuple[Tensor]) -> None:
        seen.append(args[0].reshape(x.shape[0] * x.shape[1], -1))
        if len(seen) == 2:
            raise _Reached  # the rest of the block is half of the work

    norm = "norm1" if name.startswith("attn.") else "norm2"
    hooks = [block.get_submodule(p).register_forward_pre_hook(see) for p in (norm, name)]
    with suppress(_Reached):
        forward(block, x[None])
    for hook in hooks:
        hook.remove()
    stream, reached = seen
    return reached, stream
