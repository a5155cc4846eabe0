"""Parity with the reference: golden vectors of small networks, units, preprocessing, and the 1B.

Goldens lie in ../shared/golden; VGGT_GOLDEN names another folder of the same form, which may also
be one of its sets. Tolerances are those of the specification's section 12: largest absolute error
over the root mean square of the array.
"""

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from fgq.geometry import (
    decode_pose,
    encode_pose,
    invert_se3,
    matrix_to_quaternion,
    quaternion_to_matrix,
    unproject_depth,
)
from fgq.train.losses import (
    CameraTerms,
    DenseTerms,
    camera_loss,
    camera_terms,
    dense_terms,
    depth_loss,
    normalize_scene,
    point_loss,
)
from fgq.vggt import VGGT, VGGTConfig
from fgq.vggt.attention import Rope, rope_from_positions, rotate
from fgq.vggt.camera_head import activate_pose
from fgq.vggt.dpt_head import activate_map, inverse_log, position_codes
from fgq.vggt.patch_embed import resize_pos_embed
from fgq.vggt.preprocess import load_images, load_images_square

SHARED = Path(__file__).parents[2].parent / "shared"
GOLDEN = Path(os.environ.get("VGGT_GOLDEN", SHARED / "golden"))
pytestmark = pytest.mark.skipif(not GOLDEN.is_dir(), reason=f"no golden vectors at {GOLDEN}")

FP32 = {"aggregated": 1e-5, "inter": 1e-5, "pose": 5e-6, "depth": 5e-5, "points": 1e-4}
FP64 = {"aggregated": 1e-6, "pose": 1e-6, "depth": 1e-5}
FULL = {"aggregated": 1e-5, "pose": 5e-6, "depth": 1e-4, "points": 1e-4}
QUANTITY = {
    "aggregated": "aggregated",
    "patch_tokens": "aggregated",
    "pose_enc": "pose",
    "extrinsic": "pose",
    "intrinsic": "pose",
    "depth": "depth",
    "world_points": "points",
    "unprojected": "points",
    "inter": "inter",
}
TRACKER_ARRAYS = ("track_", "query_points")


def _sets(key: str) -> dict[str, Path]:
    """Folders of GOLDEN, itself included, whose config.json has a key."""
    folders = [GOLDEN, *sorted(p for p in GOLDEN.glob("*") if p.is_dir())]
    configs = [f / "config.json" for f in folders if (f / "config.json").is_file()]
    return {c.parent.name: c.parent for c in configs if key in json.loads(c.read_text())}


TINY, FULL1B = _sets("models"), _sets("cases")
UNITS = {name: folder for name, folder in TINY.items() if (folder / "units.json").is_file()}
TINY_CASES = [
    pytest.param(folder, model, case, id=f"{name}-{model['name']}-{case}")
    for name, folder in TINY.items()
    for model in json.loads((folder / "config.json").read_text())["models"]
    for case in model["inputs"]
]
FULL_CASES = [
    pytest.param(folder, case, id=f"{name}-{case['tag']}")
    for name, folder in FULL1B.items()
    for case in json.loads((folder / "config.json").read_text())["cases"]
]
PREPROCESS_CASES = [
    pytest.param(folder / "preproc", case, id=f"{name}-{case}")
    for name, folder in TINY.items()
    if (folder / "preproc").is_dir()
    for case in json.loads((folder / "preproc" / "preproc.json").read_text())["cases"]
]


def assert_close(actual: Tensor, golden: np.ndarray, tolerance: float, name: str) -> None:
    assert tuple(actual.shape) == golden.shape, name
    difference = np.abs(actual.detach().double().numpy() - golden)
    error = difference.max() / np.sqrt(np.square(golden, dtype=np.float64).mean())
    assert error <= tolerance, f"{name}: {error:.1e} is beyond {tolerance:.0e}"


# Whole networks


def golden_config(entry: dict[str, Any]) -> VGGTConfig:
    dino = entry.get("dino", {"depth": 1, "num_heads": entry["num_heads"]})
    camera, dpt = entry["camera_head"], entry["dpt"]
    return VGGTConfig(
        embed_dim=entry["embed_dim"],
        depth=entry["depth"],
        num_heads=entry["num_heads"],
        img_size=entry["img_size"],
        num_register_tokens=entry["num_register_tokens"],
        mlp_ratio=entry["mlp_ratio"],
        patch_embed="conv" if entry["patch_embed"] == "conv" else "dinov2",
        patch_embed_depth=dino["depth"],
        patch_embed_heads=dino["num_heads"],
        camera_trunk_depth=camera["trunk_depth"],
        camera_trunk_heads=camera["num_heads"],
        dpt_features=dpt["features"],
        dpt_out_channels=tuple(dpt["out_channels"]),
        dpt_layers=tuple(dpt["intermediate_layer_idx"]),
    )


def load_golden_model(folder: Path, model: dict[str, Any]) -> VGGT:
    state = load_file(folder / model["name"] / "model.safetensors")
    network = VGGT(golden_config(model["config"])).eval()
    network.load_state_dict({k: x for k, x in state.items() if not k.startswith("track_head.")})
    return network


@contextmanager
def captured(network: nn.Module) -> Iterator[dict[str, Tensor]]:
    """Outputs of submodules outside of the blocks by name, filled while the network runs."""
    outputs: dict[str, Tensor] = {}

    def hook(name: str) -> Any:
        return lambda module, inputs, output: outputs.__setitem__(name, output)

    outer = {n: m for n, m in network.named_modules() if "blocks" not in n and "trunk." not in n}
    handles = [module.register_forward_hook(hook(name)) for name, module in outer.items()]
    yield outputs
    for handle in handles:
        handle.remove()


@torch.no_grad()
def run(network: VGGT, images: Tensor) -> dict[str, Tensor]:
    """All results for images [B, S, 3, H, W] under their golden names, inter.* included."""
    size = (images.shape[-2], images.shape[-1])
    with captured(network) as inner:
        predictions = network(images, return_tokens=True)
    results = {f"aggregated.{i}": x for i, x in predictions.pop("tokens").items()}
    results |= {k: x if isinstance(x, Tensor) else torch.stack(x) for k, x in predictions.items()}
    extrinsic, intrinsic = decode_pose(predictions["pose_enc"], size)
    depth = predictions["depth"].squeeze(-1)
    results |= {"extrinsic": extrinsic, "intrinsic": intrinsic}
    results["unprojected"] = unproject_depth(depth, extrinsic, intrinsic)
    for name, x in inner.items():
        if isinstance(x, Tensor):
            name = name.removeprefix("aggregator.").replace(".scratch.", ".")
            results[f"inter.{name}"] = x
            results[f"inter.{name}.out"] = x
            results[f"inter.{name}".replace("output_conv2", "logits")] = x
    return results


def check_case(
    results: dict[str, Tensor], goldens: dict[str, np.ndarray], tolerances: dict[str, float]
) -> None:
    """Compare every golden array, parts of arrays by their suffixes."""
    for name, golden in goldens.items():
        key, part = name, slice(None)
        cut: tuple[Any, ...] = (part,)
        for suffix, index in (
            (".first8tokens", (part, part, slice(8))),
            ("_first4", (part, slice(4))),
            ("_frame0", (part, slice(1))),
            ("_s2", (part, part, slice(None, None, 2), slice(None, None, 2))),
            ("_s4", (part, part, slice(None, None, 4), slice(None, None, 4))),
        ):
            if key.endswith(suffix):
                key, cut = key.removesuffix(suffix), index
        quantity = next(q for prefix, q in QUANTITY.items() if key.startswith(prefix))
        actual = results[key][cut]
        if key == "unprojected" and golden.ndim == 4:
            actual = actual.flatten(0, 1)
        if name.endswith(("_frame0", "tokens")):
            actual = actual[: len(golden)]
        assert_close(actual, golden, tolerances[quantity], name)


@pytest.mark.parametrize(("folder", "model", "case"), TINY_CASES)
def test_tiny_network(folder: Path, model: dict[str, Any], case: str) -> None:
    arrays = dict(np.load(folder / model["name"] / f"{case}.npz"))
    images = torch.from_numpy(arrays.pop("images_u8")).float() / 255
    arrays = {k: x for k, x in arrays.items() if not k.startswith(TRACKER_ARRAYS)}
    exact = {k.removeprefix("fp64."): x for k, x in arrays.items() if k.startswith("fp64.")}
    network = load_golden_model(folder, model)
    check_case(
        run(network, images), {k: x for k, x in arrays.items() if not k.startswith("fp64.")}, FP32
    )
    check_case(run(network.double(), images.double()), exact, FP64)


def recipe_tensor(seed: int, key: str, shape: tuple[int, ...]) -> Tensor:
    """Weights that the specification's recipe gives a key: reproducible, of a sane size."""
    stream = hashlib.sha256(f"{seed}|{key}".encode()).digest()[:8]
    raw = np.random.PCG64(int.from_bytes(stream, "little")).random_raw(int(np.prod(shape)))
    unit = (raw >> np.uint64(40)).astype(np.float32) / np.float32(2**23) - np.float32(1)
    offset, scale = recipe_offset_and_scale(key, shape)
    value = unit * (np.float32(3**0.5) * np.float32(scale)) + np.asarray(offset, np.float32)
    return torch.from_numpy(value.reshape(shape))


def recipe_offset_and_scale(key: str, shape: tuple[int, ...]) -> tuple[Any, float]:
    last = key.split(".")[-1]
    if key.endswith("pose_branch.fc2.bias"):
        return [0, 0, 0, 0, 0, 0, 0.25, 0.35, 0.35], 0.02
    if key.endswith("pose_branch.fc2.weight"):
        return 0, 0.15 * shape[1] ** -0.5
    if last == "gamma":
        return 0.25, 0.05
    if "token" in last:
        return 0, 0.5
    if last == "pos_embed":
        return 0, 0.2
    if last == "bias":
        return 0, 0.05
    if len(shape) == 1:
        return 1, 0.1
    if "resize_layers.0." in key or "resize_layers.1." in key:
        return 0, shape[0] ** -0.5
    return 0, float(np.prod(shape[1:])) ** -0.5


@lru_cache(maxsize=1)
def full_network(seed: int) -> VGGT:
    """The 1B with recipe weights (4.4 GiB), shared by its cases."""
    with torch.device("meta"):
        network = VGGT(VGGTConfig.vggt_1b()).eval()
    state = {k: recipe_tensor(seed, k, tuple(x.shape)) for k, x in network.state_dict().items()}
    network.load_state_dict(state, assign=True)
    return network


@pytest.mark.slow
@pytest.mark.parametrize(("folder", "case"), FULL_CASES)
@torch.no_grad()
def test_full_network(folder: Path, case: dict[str, Any]) -> None:
    network = full_network(case["weight_seed"])
    arrays = dict(np.load(folder / f"{case['tag']}.npz"))
    images = torch.from_numpy(arrays.pop("images_u8")).float()[None] / 255
    tokens = network.aggregator(images, layers=range(network.config.depth))
    rms = torch.stack([x.square().mean().sqrt() for x in tokens.values()])
    largest = torch.stack([x.abs().max() for x in tokens.values()])
    assert_close(rms, arrays.pop("aggregated.rms_per_layer"), 1e-5, "rms_per_layer")
    assert_close(largest, arrays.pop("aggregated.absmax_per_layer"), 1e-5, "absmax_per_layer")
    results = run(network, images)
    results |= {f"aggregated.{i}": x for i, x in tokens.items()}
    results["patch_tokens"] = results["inter.patch_embed"]
    check_case(results, arrays, FULL)


def test_official_keys() -> None:
    """The official state dict loads on meta without a missing or unexpected key."""
    path = GOLDEN / "vggt1b-state-keys.json"
    if not path.is_file():
        pytest.skip(f"no {path}")
    shapes = json.loads(path.read_text())
    with torch.device("meta"):
        network = VGGT(VGGTConfig.vggt_1b())
        state = {k: torch.empty(s) for k, s in shapes.items() if not k.startswith("track_head.")}
    result = network.load_state_dict(state, assign=True)
    assert not result.missing_keys
    assert not result.unexpected_keys
    assert len(state) == 1403


# Preprocessing


@pytest.mark.parametrize(("folder", "name"), PREPROCESS_CASES)
def test_preprocessing(folder: Path, name: str) -> None:
    case = json.loads((folder / "preproc.json").read_text())["cases"][name]
    outputs = np.load(folder / "outputs.npz")
    paths = [folder / file for file in case["files"]]
    if case["mode"] == "square":
        images, places = load_images_square(paths, case["target_size"])
        assert places.tolist() == case["original_coords"]
    else:
        images = load_images(paths, case["mode"])
    pixels = (images * 255).round().byte()
    assert torch.equal(pixels.float() / 255, images)
    assert list(images.shape) == case["shape"]
    assert hashlib.sha256(pixels.numpy().tobytes()).hexdigest() == case["sha256_u8"]
    if name in outputs:
        np.testing.assert_array_equal(pixels.numpy(), outputs[name])


# Units


class Units(dict[str, Tensor]):
    def __init__(self, folder: Path) -> None:
        arrays = np.load(folder / "units.npz")
        super().__init__({name: torch.from_numpy(arrays[name]) for name in arrays.files})
        self.losses = json.loads((folder / "units.json").read_text())["losses"]

    def check(self, name: str, actual: Tensor, tolerance: float = 2e-6) -> None:
        assert_close(actual, self[name].numpy(), tolerance, name)


@pytest.fixture(scope="module", params=list(UNITS), ids=str)
def units(request: pytest.FixtureRequest) -> Units:
    return Units(UNITS[request.param])


def test_rope(units: Units) -> None:
    rope = rope_from_positions(units["rope.pos_yx"], units["rope.tokens"].shape[-1])
    per_head = Rope(rope.cos[:, None], rope.sin[:, None])
    units.check("rope.out", rotate(units["rope.tokens"], per_head))


def test_position_embedding_resize(units: Units) -> None:
    for name in [n for n in units if n.startswith("posemb.out.")]:
        height, width = (int(side[1:]) for side in name.split(".")[-1].split("_"))
        units.check(name, resize_pos_embed(units["posemb.pos_embed"], height // 14, width // 14))


def test_position_codes(units: Units) -> None:
    for name in [n for n in units if n.startswith("uv.embed.")]:
        grid, channels = name.removeprefix("uv.embed.").rsplit("_C", 1)
        h, w, height, width = (int(part.lstrip("hwHW")) for part in grid.split("_"))
        like = torch.zeros(int(channels), h, w)
        columns, rows = position_codes(like, width / height)
        codes = torch.cat((columns.expand(-1, h, w), rows.expand(-1, h, w)))
        units.check(name, codes.permute(1, 2, 0))
        # The first frequency is 1: its sine gives the place itself.
        places = torch.stack((columns[0].expand(h, w), rows[0].expand(h, w)), dim=-1).asin()
        units.check(f"uv.grid.{grid}", places)


def test_quaternions(units: Units) -> None:
    units.check("rot.mat", quaternion_to_matrix(units["rot.quat_xyzw"]))
    units.check("rot.quat_back", matrix_to_quaternion(units["rot.mat"]))


def test_pose_code(units: Units) -> None:
    height, width = units["pose.hw"].tolist()
    code = encode_pose(units["pose.extrinsic"], units["pose.intrinsic"], (height, width))
    units.check("pose.enc", code)
    extrinsic, intrinsic = decode_pose(units["pose.enc"], (height, width))
    units.check("pose.extrinsic_back", extrinsic)
    units.check("pose.intrinsic_back", intrinsic)


def test_se3_inverse(units: Units) -> None:
    inverse = invert_se3(units["pose.extrinsic"][0])
    units.check("se3.inv", torch.cat((inverse, units["se3.inv"][:, 3:]), dim=1))


def test_activations(units: Units) -> None:
    units.check("act.pose", activate_pose(units["act.pose_raw"]))
    for name, activation in (("depth", torch.exp), ("points", inverse_log)):
        values, confidence = activate_map(units[f"act.{name}_logits"], activation)
        units.check(f"act.{name}", values)
        units.check(f"act.{name}_conf", confidence)


def test_unprojection(units: Units) -> None:
    depth = units["unproj.depth"].squeeze(-1)
    world = unproject_depth(depth, units["unproj.extrinsic"], units["unproj.intrinsic"])
    units.check("unproj.world", world)


def test_scene_normalisation(units: Units) -> None:
    scene = normalize_scene(
        units["loss.gt.extrinsics"],
        units["norm.in.cam_points"],
        3 * units["loss.gt.world_points"],  # as the reference was given them
        units["loss.gt.depths"],
        units["loss.gt.point_masks"],
    )
    names = ("extrinsics", "cam_points", "world_points", "depths")
    for name, actual in zip(names, scene, strict=True):
        units.check(f"norm.out.{name}", actual)


def _camera_inputs(units: Units) -> tuple[list[Tensor], Tensor, Tensor]:
    mask = units["loss.gt.point_masks"]
    size = (mask.shape[-2], mask.shape[-1])
    target = encode_pose(units["loss.gt.extrinsics"], units["loss.gt.intrinsics"], size)
    return list(units["loss.pred.pose_enc_list"]), target, mask


def _depth_inputs(units: Units) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    target = units["loss.gt.depths"][..., None]
    prediction, confidence = units["loss.pred.depth"], units["loss.pred.depth_conf"]
    return prediction, confidence, target, units["loss.gt.point_masks"]


def _point_inputs(units: Units) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    prediction, confidence = units["loss.pred.world_points"], units["loss.pred.world_points_conf"]
    return prediction, confidence, units["loss.gt.world_points"], units["loss.gt.point_masks"]


def test_losses(units: Units) -> None:
    camera, depth, point = _camera_inputs(units), _depth_inputs(units), _point_inputs(units)
    terms: dict[str, CameraTerms | DenseTerms] = {
        "camera_l1": camera_terms(*camera, norm=1),
        "camera_l2": camera_terms(*camera, norm=2),
        "depth_grad_q98": dense_terms(*depth, "difference", 0.98),
        "depth_grad": dense_terms(*depth, "difference"),
        "depth_gradconf": dense_terms(*depth, "difference_confidence"),
        "point_normal_q98": dense_terms(*point, "normal", 0.98),
        "point_normal": dense_terms(*point, "normal"),
    }
    total = {"objective": 5 * camera_loss(*camera) + depth_loss(*depth) + point_loss(*point)}
    for name, golden in units.losses.items():
        if name == "total":
            assert total["objective"].item() == pytest.approx(golden["objective"], rel=1e-5)
            continue
        order = (
            ("loss_T", "loss_R", "loss_FL")
            if name.startswith("camera")
            else tuple(f"loss_{part}_{name.split('_')[0]}" for part in ("conf", "reg", "grad"))
        )
        for key, actual in zip(order, terms[name], strict=True):
            assert actual.item() == pytest.approx(golden[key], rel=1e-5), f"{name} {key}"
    assert camera_loss(*camera).item() == pytest.approx(
        units.losses["camera_l1"]["loss_camera"], rel=1e-5
    )


def test_no_unit_is_left_out(units: Units) -> None:
    tested = {"rope", "posemb", "uv", "rot", "pose", "se3", "act", "unproj", "loss", "norm"}
    assert {name.split(".")[0] for name in units} == tested
