"""The walk through a network: what blocks see, what is left behind, and going on after a stop."""

import copy
import itertools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from fgq.calibrate import Calibration, calibrated_blocks
from fgq.data.calibration import CalibrationClip, clip_images
from fgq.fisher import Fisher, block_names
from fgq.methods import METHODS, BlockData, MethodOptions, quantize_rtn
from fgq.methods.rtn import quantize_block_rtn
from fgq.quant import (
    DEVICE_GRID,
    GRIDS,
    WIDE_GRID,
    FakeQuantLinear,
    fake_quantized,
    fold_layer_scale,
    load_packed,
    quantized_sites,
    save_packed,
)
from fgq.vggt import VGGT, VGGTConfig
from fgq.vggt.attention import Block

TINY = VGGTConfig(
    embed_dim=32,
    depth=1,
    num_heads=2,
    img_size=28,
    init_values=0.5,
    num_register_tokens=2,
    mlp_ratio=2.0,
    patch_embed_depth=1,
    patch_embed_heads=2,
    camera_trunk_depth=1,
    camera_trunk_heads=2,
    camera_iterations=2,
    dpt_features=8,
    dpt_out_channels=(4, 4, 4, 4),
    dpt_layers=(0, 0, 0, 0),
    heads=("camera", "depth"),
)
SIZE = (28, 42)
State = dict[str, Tensor]


@pytest.fixture(scope="module")
def network() -> VGGT:
    torch.manual_seed(0)
    model = VGGT(TINY).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "norm" in name or name.endswith("gamma"):
                parameter += 0.3 * torch.randn(parameter.shape)
    return model


@pytest.fixture(scope="module")
def clips() -> list[CalibrationClip]:
    rng = np.random.default_rng(0)
    pixels = rng.integers(256, size=(2, 2, *SIZE, 3), dtype=np.uint8)
    return [CalibrationClip(f"clip{i}", images, f"hash{i}") for i, images in enumerate(pixels)]


@pytest.fixture(scope="module")
def fisher(network: VGGT) -> Fisher:
    generator = torch.Generator().manual_seed(1)

    def energies(*shape: int) -> Tensor:
        return torch.rand(shape, generator=generator) ** 3

    linears = {
        name: energies(3, 3, module.out_features)
        for name, module in network.named_modules()
        if isinstance(module, nn.Linear)
    }
    blocks = energies(3, 2, 3, TINY.embed_dim)
    return Fisher(blocks, linears, energies(2, 3, 2, 3), torch.tensor([2.0, 4, 12]), {})


Walk = Callable[..., Calibration]


@pytest.fixture
def walk(network: VGGT, clips: list[CalibrationClip], fisher: Fisher) -> Walk:
    """A calibration of a fresh copy of the network, one epoch if it learns."""

    def make(method: str = "rtn", grid: str = "8da4w-g32", **changes: Any) -> Calibration:
        own = ("scope", "work", "progress", "first", "model", "clips", "fisher")
        given = {key: changes.pop(key) for key in own if key in changes}
        options = replace(METHODS[method][1], **{"grid": GRIDS[grid], "epochs": 1, **changes})
        model = given.pop("model", None) or copy.deepcopy(network)
        return Calibration(
            model, method, options, given.pop("clips", clips), **{"fisher": fisher, **given}
        )

    return make


def outputs(model: VGGT) -> State:
    images = torch.rand(1, 3, 3, *SIZE, generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        return {key: x for key, x in model(images).items() if isinstance(x, Tensor)}


def equal(one: State, other: State) -> bool:
    return one.keys() == other.keys() and all(torch.equal(x, other[key]) for key, x in one.items())


@pytest.mark.parametrize("grid", ["w4a4", "8da4w-g32"])
@pytest.mark.parametrize(
    ("method", "form", "scope"),
    [
        *((name, None, "all") for name in METHODS),
        ("fgq", "foldable", "all"),
        # What the heads are spared does not depend on how the blocks are rounded.
        ("rtn", None, "aggregator"),
        ("fgq", None, "aggregator"),
    ],
)
def test_what_is_saved_is_what_was_made(
    method: str, form: Any, grid: str, scope: Any, walk: Walk, tmp_path: Path
) -> None:
    """Evaluating right after calibration equals evaluating what is loaded, bit for bit."""
    calibration = walk(method, grid, scope=scope, transform=form)
    reference = outputs(calibration.model)
    calibration.run()
    save_packed(calibration.model, tmp_path / "q", {"method": method}, scope)
    loaded = load_packed(tmp_path / "q")
    assert equal(outputs(loaded), outputs(calibration.model))
    assert equal(loaded.state_dict(), calibration.model.state_dict())
    # It is quantized, at every site, and still the same network.
    expected = quantized_sites(VGGT(TINY), GRIDS[grid], scope)
    assert fake_quantized(loaded).keys() == expected.keys()
    for key, x in outputs(loaded).items():
        assert not torch.equal(x, reference[key])
        assert (x - reference[key]).norm() < 0.7 * reference[key].norm()
    # The file is as large as its parts: half a byte a linear's code, everything else as it is.
    size = sum(
        x.nbytes // 2 if key.endswith(".codes") and x.dim() == 2 else x.nbytes
        for key, x in loaded.state_dict().items()
    )
    path = tmp_path / "q" / "model.safetensors"
    header = 8 + int.from_bytes(path.read_bytes()[:8], "little")
    assert path.stat().st_size == header + size


@pytest.mark.parametrize("scope", ["aggregator", "all"])
@pytest.mark.parametrize("grid", ["w4a4", "8da4w-g32"])
def test_rounding_to_nearest_needs_no_walk(
    grid: str, scope: Any, network: VGGT, walk: Walk
) -> None:
    calibration = walk("rtn", grid, scope=scope)
    calibration.run()
    direct = copy.deepcopy(network)
    quantize_rtn(direct, GRIDS[grid], scope)
    assert equal(calibration.model.state_dict(), direct.state_dict())
    names = calibrated_blocks(network, scope)
    assert list(calibration.losses) == names
    assert len(names) == (4 if scope == "all" else 2)
    assert all(loss > 0 for loss in calibration.losses.values())


class Spy:
    """A method that only watches, and rounds."""

    def __init__(self) -> None:
        self.seen: dict[str, BlockData] = {}

    def __call__(self, block: Block, data: BlockData, options: MethodOptions) -> None:
        self.seen[data.name] = data
        quantize_block_rtn(block, data, options)


def traffic(model: VGGT, clips: list[CalibrationClip]) -> dict[str, list[tuple[Tensor, Tensor]]]:
    """What every block gets and puts out when the whole network runs, for each of its calls."""
    found: dict[str, list[tuple[Tensor, Tensor]]] = {}

    def watch(name: str) -> Callable[[nn.Module, tuple[Tensor], Tensor], None]:
        return lambda _, args, output: found.setdefault(name, []).append((args[0], output))

    hooks = [
        module.register_forward_hook(watch(name))
        for name, module in model.named_modules()
        if isinstance(module, Block)
    ]
    with torch.no_grad():
        for clip in clips:
            model(clip_images(clip))
    for hook in hooks:
        hook.remove()
    return found


@pytest.mark.parametrize("inputs", ["full", "quantized"])
def test_blocks_see_what_they_see_in_the_network(
    inputs: Any,
    walk: Walk,
    network: VGGT,
    clips: list[CalibrationClip],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    spy = Spy()
    monkeypatch.setitem(METHODS, "spy", (spy, MethodOptions()))
    calibration = walk("spy", "w4a4", scope="all", inputs=inputs)
    calibration.run()
    full = copy.deepcopy(network)
    fold_layer_scale(full)
    exact, rounded = traffic(full, clips), traffic(calibration.model, clips)
    assert list(spy.seen) == calibrated_blocks(network, "all")
    for name, data in spy.seen.items():
        calls = len(exact[name])
        assert calls == len(data.inputs) == (4 if name.startswith("camera_head") else 2)
        seen = exact if inputs == "full" else rounded
        for i in range(calls):
            target = exact[name][i][1].view_as(data.targets[i])
            torch.testing.assert_close(data.targets[i], target, rtol=0, atol=1e-5)
            if inputs == "quantized" and name.startswith("camera_head"):
                # The head's other linears are rounded later, the tokens it reads are not.
                assert not torch.equal(data.inputs[i], exact[name][i][0].view_as(data.inputs[i]))
                continue
            x = seen[name][i][0].view_as(data.inputs[i])
            torch.testing.assert_close(data.inputs[i], x, rtol=0, atol=1e-5)
        loss = calibration.losses[name]
        block = calibration.model.get_submodule(name)
        assert loss == pytest.approx(data.mean_loss(block), rel=1e-6)
        assert data.rotation is None


def test_rotated_tokens_are_those_of_the_network(
    walk: Walk, network: VGGT, clips: list[CalibrationClip], monkeypatch: pytest.MonkeyPatch
) -> None:
    spy = Spy()
    monkeypatch.setitem(METHODS, "fgq", (spy, MethodOptions()))
    walk("fgq", scope="all", transform="foldable").run()
    full = copy.deepcopy(network)
    fold_layer_scale(full)
    exact = traffic(full, clips)
    for name, data in spy.seen.items():
        assert (data.rotation is not None) == (name in block_names(1))
        for i, (x, output) in enumerate(exact[name]):
            for stored, plain in ((data.inputs[i], x), (data.targets[i], output)):
                back = stored if data.rotation is None else stored @ data.rotation.mT
                torch.testing.assert_close(back, plain.view_as(stored), rtol=0, atol=2e-5)


def test_weights_of_errors_reach_the_methods(
    walk: Walk, fisher: Fisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    spy = Spy()
    monkeypatch.setitem(METHODS, "spy", (spy, MethodOptions()))
    walk("spy", scope="all", weighting="tokens").run()
    for name, data in spy.seen.items():
        inside = name in block_names(1)
        assert data.weight.shape == ((9, 32) if inside else data.weight.shape[-1:])
        assert inside != bool((data.weight == 1).all())
        assert bool(data.token_importance) == (not name.startswith("camera_head"))


def stop_at(place: str, share: float = 0.0) -> Callable[[str, float, float], None]:
    """A progress callback that interrupts the walk."""

    def progress(name: str, done: float, loss: float) -> None:
        if name == place and done >= share:
            raise KeyboardInterrupt

    return progress


LAST, MIDDLE, FIRST = (
    "camera_head.trunk.0",
    "aggregator.global_blocks.0",
    "aggregator.frame_blocks.0",
)
CASES = [
    ("fgq", "w4a4", {}),
    ("fgq", "8da4w-g32", {"transform": "foldable"}),
    ("fgq", "8da4w-g32", {"transform": "none"}),
    ("smoothquant", "8da4w-g32", {}),
    ("quantvggt", "w4a4", {"inputs": "quantized"}),
]


@pytest.mark.parametrize(("method", "grid", "changes"), CASES)
def test_a_walk_goes_on_where_it_stopped(
    method: str, grid: str, changes: dict[str, Any], walk: Walk, tmp_path: Path
) -> None:
    """Stopped in a block and between blocks, twice; the result is that of an uninterrupted walk."""
    whole = walk(method, grid, scope="all", **changes)
    whole.run()
    blocks = calibrated_blocks(whole.model, "all")
    learns = method == "fgq" and changes.get("transform") != "none"
    for place in (FIRST, LAST):
        share = 0.3 if learns else 1.0  # in the middle of the block, or behind it
        stopped = walk(
            method, grid, scope="all", work=tmp_path, progress=stop_at(place, share), **changes
        )
        with pytest.raises(KeyboardInterrupt):
            stopped.run()
        finished = blocks[: blocks.index(place) + (not learns)]
        kept = [path.name for path in tmp_path.iterdir()]
        assert sorted(kept) == sorted(f"{name}.safetensors" for name in finished)
    times = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    resumed = walk(method, grid, scope="all", work=tmp_path, **changes)
    resumed.run()
    assert equal(resumed.model.state_dict(), whole.model.state_dict())
    assert resumed.losses == whole.losses
    assert all(path.stat().st_mtime_ns == time for path, time in times.items())


def test_kept_blocks_are_not_computed_again(
    walk: Walk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(KeyboardInterrupt):
        walk(work=tmp_path, progress=stop_at(FIRST, 1.0)).run()
    spy = Spy()
    monkeypatch.setitem(METHODS, "rtn", (spy, MethodOptions()))
    walk(work=tmp_path).run()
    assert list(spy.seen) == [MIDDLE]


@pytest.mark.parametrize("damage", ["truncated", "empty", "noise", "shape", "key", "form"])
def test_a_damaged_block_is_computed_again(
    damage: str, walk: Walk, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    whole = walk("smoothquant")
    whole.run()
    walk("smoothquant", work=tmp_path).run()
    path = tmp_path / f"{MIDDLE}.safetensors"
    data = path.read_bytes()
    if damage in ("truncated", "empty", "noise"):
        path.write_bytes({"truncated": data[:-50], "empty": b"", "noise": bytes(500)}[damage])
    elif damage == "shape":
        other = VGGTConfig(**{**TINY.__dict__, "embed_dim": 64})
        torch.manual_seed(0)
        folder = tmp_path / "other"
        folder.mkdir()
        walk(model=VGGT(other).eval(), work=folder, fisher=None).run()
        path.write_bytes((folder / path.name).read_bytes())
    else:
        old, new = {"key": (b"norm1.bias", b"norm9.bias"), "form": (b"attn.qkv", b"attn.qqq")}[
            damage
        ]
        assert old in data
        path.write_bytes(data.replace(old, new))
    caplog.clear()
    resumed = walk("smoothquant", work=tmp_path)
    resumed.run()
    assert equal(resumed.model.state_dict(), whole.model.state_dict())
    (record,) = caplog.records
    message = record.getMessage()
    assert str(path) in message
    assert "computed again" in message
    assert "\n" not in message
    assert path.read_bytes() == data


def test_plans_give_sites_their_bits(walk: Walk, tmp_path: Path) -> None:
    plan = {
        "aggregator.frame_blocks.0.attn.qkv": 8,
        "aggregator.global_blocks.0.attn.proj": 16,
        "camera_head.trunk.0.mlp.fc1": 16,
        "camera_head.poseLN_modulation.1": 8,
    }
    calibration = walk("fgq", plan=plan, scope="all", transform="foldable", work=tmp_path)
    calibration.run()
    for name in quantized_sites(VGGT(TINY), DEVICE_GRID, "all"):
        module, bits = calibration.model.get_submodule(name), plan.get(name, 4)
        if bits == 16:
            assert isinstance(module, nn.Linear), name
        else:
            assert isinstance(module, FakeQuantLinear), name
            assert module.grid == {4: DEVICE_GRID, 8: WIDE_GRID}[bits]
    again = walk("fgq", plan=plan, scope="all", transform="foldable", work=tmp_path)
    again.run()
    assert equal(again.model.state_dict(), calibration.model.state_dict())
    save_packed(calibration.model, tmp_path / "q", {}, "all")
    assert equal(outputs(load_packed(tmp_path / "q")), outputs(calibration.model))


def test_only_the_first_blocks(walk: Walk) -> None:
    calibration = walk("rtn", scope="all", first=2)
    calibration.run()
    names = calibrated_blocks(calibration.model, "all")[:2]
    assert list(calibration.losses) == names
    places = {name.rsplit(".", 2)[0] for name in fake_quantized(calibration.model)}
    assert places == set(names)


def test_linears_that_do_not_fit_are_kept(network: VGGT, walk: Walk, tmp_path: Path) -> None:
    """A width of 48 has no groups of 32; the saved recipe says so."""
    torch.manual_seed(0)
    model = VGGT(VGGTConfig(**{**TINY.__dict__, "embed_dim": 48})).eval()
    calibration = walk("gptq", model=model, fisher=None, scope="all")
    calibration.run()
    assert (
        fake_quantized(model).keys()
        == quantized_sites(VGGT(model.config), DEVICE_GRID, "all").keys()
    )
    assert not isinstance(model.get_submodule(f"{FIRST}.attn.qkv"), FakeQuantLinear)
    assert isinstance(model.get_submodule(f"{FIRST}.mlp.fc2"), FakeQuantLinear)
    save_packed(model, tmp_path / "q", {}, "all")
    assert equal(outputs(load_packed(tmp_path / "q")), outputs(model))


def test_progress_never_goes_back(walk: Walk) -> None:
    told: list[tuple[str, float, float]] = []
    walk("fgq", "w4a4", scope="all", progress=lambda *args: told.append(args), epochs=2).run()
    names = calibrated_blocks(VGGT(TINY), "all")
    places = [names.index(name) + done for name, done, _ in told]
    assert places == sorted(places)
    assert [name for name, done, _ in told if done == 1] == names  # once each
    for _, group in itertools.groupby(told, key=lambda entry: entry[0]):
        losses = [loss for _, _, loss in group]
        assert max(losses) < 10 * min(losses)  # all in one unit


def test_what_cannot_work_is_refused_before_anything_is_done(
    walk: Walk, fisher: Fisher, network: VGGT, clips: list[CalibrationClip]
) -> None:
    before = copy.deepcopy(network.state_dict())
    other = CalibrationClip("other", np.zeros((2, 42, 28, 3), np.uint8), "hash")
    damaged = copy.deepcopy(network)
    damaged.get_parameter("depth_head.scratch.output_conv1.weight").data[0, 0, 0, 0] = float("nan")
    foreign = replace(fisher, blocks=fisher.blocks[:, :1])
    everything = dict.fromkeys(quantized_sites(network, DEVICE_GRID, "aggregator"), 16)
    for message, method, changes in (
        ("needs Fisher information", "fgq", {"fisher": None}),
        ("of another network: it has 1 blocks", "fgq", {"fisher": foreign}),
        ("clips differ in shape", "rtn", {"clips": [*clips, other]}),
        ("depth_head.scratch.output_conv1.weight has values", "rtn", {"model": damaged}),
        ("has no linear elsewhere.fc1", "rtn", {"plan": {"elsewhere.fc1": 8}}),
        ("no linear is left to quantize", "rtn", {"plan": everything}),
    ):
        with pytest.raises(ValueError, match=message) as error:
            walk(method, **changes)
        assert "\n" not in str(error.value)
    assert equal(network.state_dict(), before)


def test_values_that_are_not_finite_are_refused(walk: Walk, network: VGGT) -> None:
    huge = copy.deepcopy(network)
    huge.get_parameter(f"{MIDDLE}.mlp.fc1.weight").data.fill_(1e30)
    huge.get_parameter(f"{MIDDLE}.mlp.fc2.weight").data.fill_(1e30)
    with pytest.raises(ValueError, match=f"{MIDDLE}: .* not finite"):
        walk("rtn", model=huge).run()


def test_nothing_needs_a_gradient_afterwards(walk: Walk) -> None:
    for method, form in (("fgq", "foldable"), ("flatquant", None)):
        calibration = walk(method, transform=form)
        calibration.run()
        assert not any(parameter.requires_grad for parameter in calibration.model.parameters())
        assert all(parameter.grad is None for parameter in calibration.model.parameters())
