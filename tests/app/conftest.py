"""A bundle with a toy network, so that the tests run the real runtime in a real child process.

The toy reads its answers off the pixels: the red of the upper left corner is the camera's x, green
is depth, blue is confidence. Like VGGT it answers in the frame of the first view and at a scale of
its own that differs from window to window.
"""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

HEIGHT, WIDTH = 56, 84
VIEW_COUNTS = (1, 2, 4)
FOV = (0.8, 1.1)


def _export(path: Path) -> None:
    import torch
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
    from executorch.exir import to_edge_transform_and_lower
    from torch import Tensor, nn

    class Toy(nn.Module):
        def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
            depth = 1 + 2 * images[:, 1]
            scale = depth.mean(dim=(0, 1, 2), keepdim=True)
            x = 4 * images[:, 0, :14, :14].mean(dim=(1, 2), keepdim=True)
            shift = (x[:1] - x) / scale
            ones = torch.ones_like(shift)
            code = [shift, *[0 * ones] * 5, ones, FOV[0] * ones, FOV[1] * ones]
            return torch.cat(code, 1).squeeze(2), depth / scale, 1 + 5 * images[:, 2]

    programs = {
        f"forward_s{views}": torch.export.export(
            Toy().eval(), (torch.rand(views, 3, HEIGHT, WIDTH),), strict=True
        )
        for views in VIEW_COUNTS
    }
    lowered = to_edge_transform_and_lower(programs, partitioner=[XnnpackPartitioner()])
    path.write_bytes(lowered.to_executorch().buffer)


def write_manifest(folder: Path, **changes: object) -> None:
    """Write the manifest that fits `folder`/model.pte; `changes` replace its entries."""
    program = (folder / "model.pte").read_bytes()
    manifest: dict[str, object] = {
        "format": "pocket-vggt-bundle",
        "format_version": 1,
        "model": {"name": "toy", "parameters": 0, "license": "none"},
        "quantization": {"name": "fp32"},
        "backend": "xnnpack",
        "input": {"height": HEIGHT, "width": WIDTH, "range": [0, 1]},
        "methods": {str(views): f"forward_s{views}" for views in VIEW_COUNTS},
        "outputs": ["pose_enc", "depth", "depth_conf"],
        "files": {
            "model.pte": {
                "sha256": hashlib.sha256(program).hexdigest(),
                "bytes": len(program),
            }
        },
        "runtime": {"executorch": "1.5.1"},
    }
    (folder / "manifest.json").write_text(json.dumps(manifest | changes))


@pytest.fixture(scope="session")
def tiny_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the toy bundle; not to be changed (copy it)."""
    folder = tmp_path_factory.mktemp("bundle") / "toy"
    folder.mkdir()
    _export(folder / "model.pte")
    write_manifest(folder)
    return folder


def toy_image(x: float, seed: int = 0, depth: tuple[float, float] = (1.2, 2.8)) -> np.ndarray:
    """An image uint8 [H,W,3] that the toy reads as a camera at `x` in [0, 4] before a ramp."""
    rng = np.random.default_rng(seed)
    image = np.empty((HEIGHT, WIDTH, 3), np.uint8)
    ramp = np.linspace(*depth, WIDTH)[None, :]
    image[..., 1] = np.rint((ramp - 1) / 2 * 255)
    image[..., 2] = rng.integers(0, 256, (HEIGHT, WIDTH))
    image[..., 0] = rng.integers(0, 256, (HEIGHT, WIDTH))
    image[:14, :14, 0] = round(x / 4 * 255)
    return image
