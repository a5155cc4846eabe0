"""Quantize a network block by block on calibration clips, resumable after any interruption.

The walk (FGQ, arXiv 2605.15828, section 3): clips go through the blocks in the order of the
network. At each block the full-precision outputs are the targets, a method replaces the block's
linears, and the next block gets what its full-precision or its quantized predecessors put out.
Only the tokens of one place in the network and one block's training state are kept.
"""

from __future__ import annotations

import copy
import logging
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from fgq.data.calibration import CalibrationClip, clip_images
from fgq.fisher import Fisher, block_names
from fgq.importance import block_weight, check_fisher, token_importance
from fgq.methods import METHODS, BlockData, MethodOptions
from fgq.methods.block import seed_at
from fgq.methods.fgq import transform_of
from fgq.quant import (
    FakeQuantLinear,
    Scope,
    fold_layer_scale,
    quantize_convolutions,
    quantize_weight,
    quantized_sites,
)
from fgq.quant.packed import load_sites, save_sites
from fgq.quant.rotation import residual_rotation, rotate_residual
from fgq.vggt import VGGT, CheckpointError
from fgq.vggt.attention import Block, Rope, rope_2d
from fgq.vggt.patch_embed import DinoPatchEmbed

Forward = Callable[[nn.Module, Tensor], Tensor]
Progress = Callable[[str, float, float], None]

logger = logging.getLogger(__name__)


@dataclass
class Tokens:
    """Per clip [S, P, C]: what the full-precision and the quantized network hold at one place."""

    full: list[Tensor]
    quantized: list[Tensor]


class Calibration:
    """One walk through a network, which it quantizes in place.

    `work` is a folder where every finished block is kept; a walk that finds blocks of the very
    same job there takes them as they are. None keeps nothing. `progress` gets the block's name, the
    share of it that is done and its loss so far. `losses` has every block's final loss on the
    calibration clips, weighted as the options say. `first`: only so many blocks. The clips have
    one shape. Raises ValueError if they do not, if Fisher information is missing or of another
    network, if the plan is, or if a weight is not finite.
    """

    def __init__(
        self,
        model: VGGT,
        method: str,
        options: MethodOptions,
        clips: Sequence[CalibrationClip],
        fisher: Fisher | None = None,
        scope: Scope = "aggregator",
        work: Path | None = None,
        progress: Progress = lambda name, done, loss: None,
        first: int | None = None,
    ) -> None:
        if fisher is None and options.weighting != "none":
            raise ValueError(f"weighting by {options.weighting} needs Fisher information: --fisher")
        if fisher is not None:
            check_fisher(fisher, model)
        _check_plan(options, model, scope)
        for name, parameter in model.named_parameters():
            if not torch.isfinite(parameter).all():
                raise ValueError(f"the network's {name} has values that are not finite")
        self.model, self.method, self.options = model, method, options
        self.clips, self.fisher, self.scope = list(clips), fisher, scope
        self.work, self.progress = work, progress
        self.first = first
        self.losses: dict[str, float] = {}
        self.rotation: Tensor | None = None
        self.device = next(model.parameters()).device
        self.rope = self._rope()

    def _rope(self) -> Rope:
        shapes = {clip.images.shape for clip in self.clips}
        if len(shapes) != 1:
            raise ValueError(f"calibration clips differ in shape: {sorted(shapes)}")
        config = self.model.config
        height, width = (side // config.patch_size for side in shapes.pop()[1:3])
        head_dim = config.embed_dim // config.num_heads
        return rope_2d(height, width, head_dim, config.num_special_tokens, self.device)

    def run(self) -> None:
        """Raises ValueError if tokens or losses are not finite."""
        model = self.model
        fold_layer_scale(model)
        if self.method == "fgq" and transform_of(self.options) == "foldable":
            rotation = residual_rotation(model.config.embed_dim, self.options.seed)
            rotate_residual(model, rotation)
            self.rotation = rotation.to(self.device, torch.float32)
        model.requires_grad_(False)
        embedder = model.aggregator.patch_embed
        if self.scope == "all" and isinstance(embedder, DinoPatchEmbed):
            with watched_inputs(embedder.blocks[0]) as start:
                full = self._embedded()
            self._quantize_embedder(embedder, start)
            tokens = Tokens(full, self._embedded())
        else:
            full = self._embedded()
            tokens = Tokens(full, list(full))
        last = self._quantize_aggregator(tokens)
        if self.scope == "all" and "camera" in model.config.heads and self.first is None:
            self._quantize_camera_head(last)
        if self.scope == "all" and self.options.grid.runs_on_devices and self.first is None:
            quantize_convolutions(model)

    @torch.no_grad()
    def _embedded(self) -> list[Tensor]:
        embed = self.model.aggregator.embed
        return [embed(clip_images(clip).to(self.device)) for clip in self.clips]

    def _quantize_embedder(self, embedder: DinoPatchEmbed, start: list[Tensor]) -> None:
        tokens = Tokens(list(start), list(start))
        for i in range(len(embedder.blocks)):
            self._quantize_block(f"aggregator.patch_embed.blocks.{i}", tokens, _plain)

    def _quantize_aggregator(self, tokens: Tokens) -> Tokens:
        """Returns the tokens of the last layer, both halves."""
        frame = tokens
        for name in block_names(self.model.config.depth):
            across = "global_blocks" in name
            if across:
                frame = Tokens(list(tokens.full), list(tokens.quantized))
            self._quantize_block(name, tokens, self._global if across else self._frame)
        return Tokens(
            [torch.cat(pair, -1) for pair in zip(frame.full, tokens.full, strict=True)],
            [torch.cat(pair, -1) for pair in zip(frame.quantized, tokens.quantized, strict=True)],
        )

    def _frame(self, block: nn.Module, x: Tensor) -> Tensor:
        return block(x.flatten(0, 1), self.rope).view_as(x)

    def _global(self, block: nn.Module, x: Tensor) -> Tensor:
        return block(x.flatten(1, 2), self.rope.repeat(x.shape[1])).view_as(x)

    def _quantize_camera_head(self, last: Tokens) -> None:
        """Every iteration of the head is a clip of its own to the blocks of the trunk."""
        head = self.model.camera_head

        @torch.no_grad()
        def inputs_of(part: nn.Module, tokens: list[Tensor]) -> list[Tensor]:
            with watched_inputs(part) as inputs:
                for clip in tokens:
                    head(clip[None])
            return inputs

        full = [inputs_of(block, last.full) for block in head.trunk]
        for i, block in enumerate(head.trunk):
            tokens = Tokens(full[i], inputs_of(block, last.quantized))
            self._quantize_block(f"camera_head.trunk.{i}", tokens, _plain)
        for name, linear in quantized_sites(self.model, self.options.grid, "all").items():
            grid = self.options.grid_of(name)
            if grid is None or not name.startswith("camera_head."):
                continue
            importance = None
            if self.options.rounding != "nearest":
                inputs = torch.cat([x.flatten(0, -2) for x in inputs_of(linear, last.quantized)])
                importance = inputs.square().mean(0)
            weight = quantize_weight(linear.weight, grid, importance=importance)
            self.model.set_submodule(name, FakeQuantLinear(weight, linear.bias, grid))

    def _quantize_block(self, name: str, tokens: Tokens, forward: Forward) -> None:
        """Quantize one block and move the tokens behind it."""
        if len(self.losses) == self.first:
            return
        block = self.model.get_submodule(name)
        assert isinstance(block, Block)
        targets = self._outputs(block, tokens.full, forward)
        if not all(torch.isfinite(x).all() for x in targets):
            raise ValueError(f"{name}: the full-precision network puts out values not finite")
        full = self.options.inputs == "full"
        shape = targets[0].shape[1:]
        data = BlockData(
            name,
            tokens.full if full else tokens.quantized,
            tokens.full,
            targets,
            forward,
            weight=block_weight(self.fisher, name, self.options, *shape).to(self.device),
            rotation=self.rotation if name in block_names(self.model.config.depth) else None,
            token_importance={
                linear: importance.to(self.device)
                for linear, importance in token_importance(
                    self.fisher, name, self.options, shape[0]
                ).items()
            },
            progress=lambda done, loss: self.progress(name, done, loss),
        )
        kept = self._kept(name, block)
        if kept is None:
            seed = seed_at(name, self.options.seed)
            METHODS[self.method][0](block, data, replace(self.options, seed=seed))
        else:
            block = kept
        self.losses[name] = data.mean_loss(block)
        if not math.isfinite(self.losses[name]):
            raise ValueError(f"{name}: the quantized block puts out values not finite")
        if kept is None and self.work is not None:
            save_sites(block, _kept_file(self.work, name), self.options.grid)
        tokens.quantized = self._outputs(block, tokens.quantized, forward)
        tokens.full = targets
        self.progress(name, 1.0, self.losses[name])

    def _kept(self, name: str, block: Block) -> Block | None:
        """The block as an earlier walk left it, in its place in the network; None if it is not
        there or damaged."""
        if self.work is None or not _kept_file(self.work, name).exists():
            return None
        kept = copy.deepcopy(block)
        try:
            load_sites(kept, _kept_file(self.work, name), self.options.grid)
        except CheckpointError as error:
            logger.warning("%s; the block is computed again", error)
            return None
        self.model.set_submodule(name, kept)
        return kept

    @torch.no_grad()
    def _outputs(self, block: Block, inputs: list[Tensor], forward: Forward) -> list[Tensor]:
        return [forward(block, x[None])[0] for x in inputs]


def _kept_file(work: Path, name: str) -> Path:
    return work / f"{name}.safetensors"


def _check_plan(options: MethodOptions, model: VGGT, scope: Scope) -> None:
    """ValueError if the plan is of another network or leaves nothing to quantize."""
    linears = {name for name, module in model.named_modules() if isinstance(module, nn.Linear)}
    if unknown := options.plan.keys() - linears:
        raise ValueError(f"the plan is of another network: this one has no linear {min(unknown)}")
    sites = quantized_sites(model, options.grid, scope)
    if all(options.grid_of(name) is None for name in sites):
        raise ValueError(f"no linear is left to quantize on {options.grid.name}")


def calibrated_blocks(model: VGGT, scope: Scope) -> list[str]:
    """Names of the blocks that a calibration goes through, in its order."""
    embedder = model.aggregator.patch_embed
    before = range(len(embedder.blocks) if isinstance(embedder, DinoPatchEmbed) else 0)
    after = range(len(model.camera_head.trunk) if "camera" in model.config.heads else 0)
    blocks = block_names(model.config.depth)
    if scope == "aggregator":
        return blocks
    return [
        *(f"aggregator.patch_embed.blocks.{i}" for i in before),
        *blocks,
        *(f"camera_head.trunk.{i}" for i in after),
    ]


def _plain(block: nn.Module, x: Tensor) -> Tensor:
    return block(x.flatten(0, 1)).view_as(x)


@contextmanager
def watched_inputs(module: nn.Module) -> Iterator[list[Tensor]]:
    """A list that gets the input of a module at each of its calls."""
    inputs: list[Tensor] = []
    hook = module.register_forward_pre_hook(lambda _, args: inputs.append(args[0]))
    try:
        yield inputs
    finally:
        hook.remove()
