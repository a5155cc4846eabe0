"""A bundle with a toy network, so that the tests run the real runtime; see toy_program.py."""

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from thread_runtime import runtime_in_a_thread
from toy_program import HEIGHT, PROGRAM, VIEW_COUNTS, WIDTH

from app.capture._cv2 import cv2


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
    shutil.copy(PROGRAM, folder / "model.pte")
    _write_manifest(folder)
    return folder


@pytest.fixture
def quick_runtime(tiny_bundle: Path) -> Iterator[None]:
    """For tests of what is around the engine: its programs run in a thread, not in a child."""
    with runtime_in_a_thread():
        yield


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
