"""What every engine has to compute in the benchmark, and what the right answer is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from fgq.quant import require_full_precision
from fgq.vggt import VGGT, VGGTConfig, load_checkpoint
from mobile_export.rivals.networks import make_network, network_outputs
from mobile_export.verify import probe_images, relative_error

BLOCKS_1B = "blocks-1b"
# Gains of the residual branches of random blocks: as large as those of a trained network, so that
# what is lost in a block is seen behind it.
RANDOM_GAIN = 0.3


@dataclass(frozen=True)
class Subject:
    """A model in full precision at an image size (H, W); without heads: the stack of its blocks."""

    name: str
    model: VGGT
    size: tuple[int, int]

    @property
    def outputs(self) -> list[str]:
        return network_outputs(self.model)

    def network(self, views: int) -> nn.Module:
        """What is computed, in torch."""
        return make_network(self.model, views, self.size)

    def example(self, views: int) -> NDArray[np.float32]:
        """The input of the measurement: images [S, 3, H, W], or tokens [1, S P, C]."""
        return self.samples(views)[0]

    def samples(self, views: int) -> list[NDArray[np.float32]]:
        """The same and more inputs, for engines that look at some before they choose scales."""
        if self.model.config.heads:
            pattern, noise = probe_images(views, self.size).values()
            return [pattern, noise, (pattern + noise) / 2, pattern[:, ::-1].copy()]
        config = self.model.config
        patches = (self.size[0] // config.patch_size) * (self.size[1] // config.patch_size)
        shape = (1, views * (patches + config.num_special_tokens), config.embed_dim)
        generator = np.random.default_rng(0)
        return [generator.standard_normal(shape, dtype=np.float32) for _ in range(4)]

    def reference(self, views: int) -> list[NDArray[np.float32]]:
        """The outputs in full precision, by fgq.vggt."""
        with torch.no_grad():
            result = self.network(views)(torch.from_numpy(self.example(views)))
        return [x.numpy() for x in (result if isinstance(result, tuple) else (result,))]

    def flops(self, views: int) -> int:
        """Of all products of one run, a multiplication and an addition as two."""
        # Only as plain products are those of the attention counted on a CPU.
        with (
            torch.no_grad(),
            sdpa_kernel(SDPBackend.MATH),
            FlopCounterMode(display=False) as counter,
        ):
            self.network(views)(torch.from_numpy(self.example(views)))
        return int(counter.get_total_flops())


def checkpoint_subject(checkpoint: Path, size: tuple[int, int], heads: Sequence[str]) -> Subject:
    """The whole network of a checkpoint with these heads only.

    Raises CheckpointError if it is quantized or cannot be read, ValueError if a head is missing.
    """
    require_full_precision(checkpoint)
    model = load_checkpoint(checkpoint)
    if missing := [head for head in heads if head not in model.config.heads]:
        raise ValueError(f"{checkpoint} has no {' and no '.join(missing)} head")
    with torch.device("meta"):
        kept = VGGT(replace(model.config, heads=tuple(heads)))
    state = model.state_dict()
    kept.load_state_dict({key: state[key] for key in kept.state_dict()}, assign=True)
    return Subject(checkpoint.resolve().name, kept.eval().requires_grad_(False), size)


def blocks_subject(
    size: tuple[int, int], pairs: int = 2, width: int = 1024, num_heads: int = 16
) -> Subject:
    """Pairs of a frame and a global block as wide as those of VGGT-1B, with seeded weights."""
    config = VGGTConfig(
        embed_dim=width,
        depth=pairs,
        num_heads=num_heads,
        patch_embed="conv",
        dpt_layers=(0, 0, 0, 0),
        heads=(),
    )
    model = VGGT(config).eval().requires_grad_(False)
    generator = torch.Generator().manual_seed(0)
    for name, parameter in model.named_parameters():
        if name.endswith("gamma"):
            parameter.fill_(RANDOM_GAIN)
        elif parameter.dim() > 1:
            parameter.normal_(0, parameter[0].numel() ** -0.5, generator=generator)
    return Subject(BLOCKS_1B if width == 1024 else "blocks", model, size)


def output_errors(
    actual: Sequence[NDArray[np.float32]], expected: Sequence[NDArray[np.float32]]
) -> list[float]:
    """|a - b| / |b| of every output, in Euclidean norms."""
    return [relative_error(a, b) for a, b in zip(actual, expected, strict=True)]
