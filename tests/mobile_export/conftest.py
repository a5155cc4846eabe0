"""A network as small as the rules allow, with weights of the size that trained ones have."""

from collections.abc import Callable

import pytest
import torch
from device_network import TINY

from fgq.vggt import VGGT, VGGTConfig


@pytest.fixture(scope="session")
def make_model() -> Callable[..., VGGT]:
    def make(config: VGGTConfig = TINY, seed: int = 0) -> VGGT:
        model = VGGT(config).eval().requires_grad_(False)
        generator = torch.Generator().manual_seed(seed)
        for name, parameter in model.named_parameters():
            if name.endswith("gamma"):
                parameter.fill_(0.3)
            elif parameter.dim() == 1 and name.endswith("weight"):
                parameter.normal_(1, 0.1, generator=generator)
            elif parameter.dim() == 1:
                parameter.normal_(0, 0.05, generator=generator)
            elif "token" in name or "pos_embed" in name:
                parameter.normal_(0, 0.3, generator=generator)
            else:
                parameter.normal_(0, parameter[0].numel() ** -0.5, generator=generator)
        return model

    return make
