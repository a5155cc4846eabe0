"""What a method is given for one transformer block, and what all methods do with blocks alike."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor, nn

from fgq.quant import DEVICE_GRID, WIDE_GRID, Grid
from fgq.vggt.attention import Block

Transform = Literal["kronecker", "foldable", "none"]
LINEARS = ("attn.qkv", "attn.proj", "mlp.fc1", "mlp.fc2")


@dataclass(frozen=True)
class MethodOptions:
    """How a method is run; every method's file has its defaults.

    inputs: what a block sees in calibration, the outputs of the "full" or of the "quantized"
    blocks before it.
    weighting of the output's error: "none", Fisher "channels" (FGQ, equation 15), or Fisher
    "tokens", by token group and channel.
    permuted: these weights in a random order within each block, a control.
    rounding: to "nearest" or "gptq" (fgq/methods/rounding.py).
    transform: of fgq; None = what its grid is best with (fgq/methods/fgq.py).
    epochs over all clips, batch clips a step, lr of transformations and diagonals, clip_lr of
    clips: for methods that learn (FGQ, appendix B). ValueError for numbers that cannot be.
    plan: bits of the sites that do not get the grid's: 8, or 16 for none (fgq/allocate.py).
    """

    grid: Grid = DEVICE_GRID
    seed: int = 0
    inputs: Literal["full", "quantized"] = "full"
    weighting: Literal["none", "channels", "tokens"] = "none"
    permuted: bool = False
    rounding: Literal["nearest", "gptq"] = "nearest"
    transform: Transform | None = None
    epochs: int = 15
    batch: int = 2
    lr: float = 5e-3
    clip_lr: float = 5e-2
    plan: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.batch < 1 or self.epochs < 0:
            raise ValueError(
                f"{self.epochs} epochs of {self.batch} clips a step: a step needs one clip at least"
            )
        if not (0 <= self.lr < math.inf and 0 <= self.clip_lr < math.inf):
            raise ValueError(
                f"learning rates of {self.lr} and {self.clip_lr}: none can be negative"
            )

    def grid_of(self, site: str) -> Grid | None:
        """The grid of a linear; None if it stays in floating point."""
        bits = self.plan.get(site, self.grid.weight_bits)
        for grid in (self.grid, DEVICE_GRID, WIDE_GRID):
            if bits == grid.weight_bits:
                return grid
        return None


@dataclass(frozen=True)
class BlockData:
    """Calibration clips at one block.

    inputs: per clip what the quantized block will see in calibration, [S, P, C].
    full_inputs: per clip what the block sees in the full-precision network [S, P, C].
    targets: per clip the output of the full-precision block [S, P, C] for full-precision inputs.
    forward(block, x): runs a block on the tokens x [B, S, P, C] of some clips.
    weight: importance of the squared error of an output, [C] or [P, C] with mean 1.
    rotation: Q [C, C] if tokens are stored as x Q; the loss is that of the unrotated tokens.
    token_importance: per linear, importance of a token's error [P], for methods that can use it.
    progress: told the share that is done and the loss so far.
    """

    name: str
    inputs: Sequence[Tensor]
    full_inputs: Sequence[Tensor]
    targets: Sequence[Tensor]
    forward: Callable[[nn.Module, Tensor], Tensor]
    weight: Tensor
    rotation: Tensor | None = None
    token_importance: dict[str, Tensor] = field(default_factory=dict)
    progress: Callable[[float, float], None] = lambda done, loss: None

    def loss(self, block: nn.Module, clips: Sequence[int]) -> Tensor:
        """Weighted mean squared error of the block's output (FGQ, equation 16)."""
        x = torch.stack([self.inputs[clip] for clip in clips])
        target = torch.stack([self.targets[clip] for clip in clips])
        difference = self.forward(block, x) - target
        if self.rotation is not None:
            difference = difference @ self.rotation.mT
        return (self.weight * difference.square()).mean()

    @torch.no_grad()
    def mean_loss(self, block: nn.Module) -> float:
        """Over all clips."""
        losses = [self.loss(block, [clip]) for clip in range(len(self.inputs))]
        return float(torch.stack(losses).mean())

    @torch.no_grad()
    def linear_inputs(self, block: Block, visit: Callable[[str, Tensor], None]) -> None:
        """Run the block on all clips and show the input [S, P, K] of each of LINEARS."""
        shape = self.inputs[0].shape[:2]

        def shown(name: str) -> Callable[[nn.Module, tuple[Tensor]], None]:
            return lambda _, args: visit(name, args[0].reshape(*shape, -1))

        hooks = [block.get_submodule(n).register_forward_pre_hook(shown(n)) for n in LINEARS]
        for x in self.inputs:
            self.forward(block, x[None])
        for hook in hooks:
            hook.remove()

    def largest_inputs(
        self, block: Block, turn: Callable[[str, Tensor], Tensor] = lambda name, x: x
    ) -> dict[str, Tensor]:
        """Largest magnitude [K] of every channel of what `turn` makes of the input of each of
        LINEARS, of which it is told the name."""
        largest: dict[str, Tensor] = {}

        def visit(name: str, x: Tensor) -> None:
            seen = turn(name, x).abs().amax((0, 1))
            largest[name] = torch.maximum(largest[name], seen) if name in largest else seen

        self.linear_inputs(block, visit)
        return largest


def seed_at(place: str, seed: int) -> int:
    """A seed of its own for a place in the network."""
    return seed + int(hashlib.sha256(place.encode()).hexdigest()[:8], 16)


def block_linears(
    block: Block, data: BlockData, options: MethodOptions
) -> list[tuple[str, nn.Linear, Grid]]:
    """The linears of a block that go on a grid, with it, in the order of LINEARS."""
    found = []
    for name in LINEARS:
        linear, grid = block.get_submodule(name), options.grid_of(f"{data.name}.{name}")
        if isinstance(linear, nn.Linear) and grid is not None and grid.fits(linear.in_features):
            found.append((name, linear, grid))
    return found


def norm_before(block: Block, name: str) -> nn.Module | None:
    """The norm whose output is the input of a linear of LINEARS, if it is a norm's."""
    return {"attn.qkv": block.norm1, "mlp.fc1": block.norm2}.get(name)
