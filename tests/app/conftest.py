"""A bundle with a toy network, so that the tests run the real runtime in a real child process.

The toy reads its answers off the pixels: the red of the upper left corner is the camera's x, green
is depth, blue is confidence. Like VGGT it answers in the frame of the first view and at a scale of
its own that differs from window to window.
"""

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from app.capture._cv2 import cv2

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


def _write_manifest(folder: Path, **changes: object) -> None:
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
    _write_manifest(folder)
    return folder


@pytest.fixture
def bundle_copy(tiny_bundle: Path, tmp_path: Path) -> Path:
    """A toy bundle that a test may spoil."""
    return Path(shutil.copytree(tiny_bundle, tmp_path / "copy"))


@pytest.fixture(scope="session")
def write_manifest() -> Callable[..., None]:
    """write_manifest(folder, **changes): the manifest that fits its model.pte, but for changes."""
    return _write_manifest


@pytest.fixture(scope="session")
def toy_image() -> Callable[..., NDArray[np.uint8]]:
    """toy_image(x, seed, depth): what the toy reads as a camera at x in [0, 4] before a ramp."""
    return _toy_image


@pytest.fixture
def toy_folder(tmp_path: Path) -> Path:
    """Seven images of the toy's world, and the truth beside them."""
    folder = tmp_path / "scene" / "rgb"
    folder.mkdir(parents=True)
    frames = []
    for i in range(7):
        x = 0.5 + 0.4 * i
        image = _toy_image(x, seed=i, depth=(1.2 + 0.1 * i, 2.6))
        # The toy reads the camera off the pixels: keep them as they are.
        cv2.imwrite(str(folder / f"{i}.png"), image[..., ::-1])
        depth = np.rint(1000 * (1 + image[..., 1] / 127.5)).astype(np.uint16)
        (folder.parent / "depth").mkdir(exist_ok=True)
        cv2.imwrite(str(folder.parent / "depth" / f"{i}.png"), depth)
        c2w = np.eye(4)
        c2w[0, 3] = round(x / 4 * 255) / 255 * 4
        frames.append({"rgb": f"rgb/{i}.png", "depth": f"depth/{i}.png", "c2w": c2w.tolist()})
    (folder.parent / "cameras.json").write_text(json.dumps({"frames": frames}))
    return folder


def _toy_image(
    x: float, seed: int = 0, depth: tuple[float, float] = (1.2, 2.8)
) -> NDArray[np.uint8]:
    rng = np.random.default_rng(seed)
    image = np.empty((HEIGHT, WIDTH, 3), np.uint8)
    ramp = np.linspace(*depth, WIDTH)[None, :]
    image[..., 1] = np.rint((ramp - 1) / 2 * 255)
    image[..., 2] = rng.integers(0, 256, (HEIGHT, WIDTH))
    image[..., 0] = rng.integers(0, 256, (HEIGHT, WIDTH))
    image[:14, :14, 0] = round(x / 4 * 255)
    return image
