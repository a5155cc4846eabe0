"""What a run is said to take, before it is started and after one was measured."""

import json
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app.cli import main
from app.engine import Bundle, BundleError, open_bundle, read_bundle
from app.engine.forecast import Machine, forecast, propose_views, remember_run, this_machine

GIB = 2**30
MACHINE = Machine("test", cores=4, memory=16 * GIB, available=8 * GIB)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def bundle(
    megabytes: float = 8,
    views: tuple[int, ...] = (1, 2, 4, 8),
    precision: str = "fp32",
    **config: Any,
) -> Bundle:
    """A manifest that was read, of a model that is nowhere."""
    model = {"name": "toy", "parameters": int(megabytes / 4 * 1e6), "config": config}
    manifest = {
        "model": model,
        "files": {"model.pte": {"sha256": f"{megabytes}", "bytes": int(megabytes * 1e6)}},
    }
    methods = {count: f"forward_s{count}" for count in views}
    return Bundle(Path("toy"), manifest, "toy", precision, (168, 224), methods, ())


def test_estimates_grow_with_views_model_and_image(tmp_path: Path) -> None:
    small = forecast(bundle(), MACHINE, tmp_path / "runs")
    assert [entry.views for entry in small] == [1, 2, 4, 8]
    for quantity in ("memory", "seconds"):
        values = [getattr(entry, quantity) for entry in small]
        assert values == sorted(values)
    assert not any(entry.measured for entry in small)
    large = forecast(bundle(400), MACHINE, tmp_path / "runs")
    assert all(b.memory >= a.memory + 392e6 for a, b in zip(small, large, strict=True))
    taller = replace(bundle(), size=(336, 448))
    assert forecast(taller, MACHINE, tmp_path / "runs")[3].memory > small[3].memory
    slower = forecast(bundle(), replace(MACHINE, cores=1), tmp_path / "runs")
    assert slower[2].seconds == pytest.approx(4 * small[2].seconds)


@pytest.mark.parametrize(
    ("megabytes", "views", "measured"),
    [
        (7.53, 1, 266),
        (7.53, 4, 286),
        (7.53, 8, 316),
        (34.2, 1, 310),
        (34.2, 4, 314),
        (34.2, 8, 343),
    ],
)
def test_memory_of_the_nano_model_is_estimated_to_a_sixth(
    megabytes: float, views: int, measured: int, tmp_path: Path
) -> None:
    """measured: 10^6 bytes of the engine's process on two cores of an EPYC, 2026-11-24."""
    found = {f.views: f for f in forecast(bundle(megabytes), MACHINE, tmp_path / "runs")}
    assert found[views].memory / 1e6 == pytest.approx(measured, rel=1 / 6)


def test_the_most_views_that_fit_are_proposed(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    for views, gib in ((1, 1), (2, 2), (4, 6), (8, 7.5)):
        remember_run(bundle(), views, 0.1, int(gib * GIB), MACHINE, runs)

    def proposed(available: float, wanted: int) -> int | None:
        machine = replace(MACHINE, available=int(available * GIB))
        return propose_views(forecast(bundle(), machine, runs), wanted)

    assert proposed(9, 8) == 8
    assert proposed(9, 4) == 4
    # A tenth of what is free is left to others.
    assert proposed(8, 8) == 4
    assert proposed(3, 4) == 2
    # One view alone cannot be joined to others.
    assert proposed(2, 4) is None
    only_large = forecast(bundle(views=(6, 8)), MACHINE, runs)
    assert propose_views(only_large, 4) == 6


def test_what_was_measured_takes_the_place_of_the_estimate(tmp_path: Path) -> None:
    runs = tmp_path / "folder" / "runs.json"
    remember_run(bundle(), 4, 0.25, 3 * GIB, MACHINE, runs)
    remember_run(bundle(), 4, 0.5, 2 * GIB, MACHINE, runs)
    one, two, four, eight = forecast(bundle(), MACHINE, runs)
    assert (four.seconds, four.memory, four.measured) == (0.5, 2 * GIB, True)
    assert not any(entry.measured for entry in (one, two, eight))
    # Of another model or machine it says nothing.
    assert not any(entry.measured for entry in forecast(bundle(9), MACHINE, runs))
    other = replace(MACHINE, cores=2)
    assert not any(entry.measured for entry in forecast(bundle(), other, runs))


@pytest.mark.parametrize("content", ["", "{", "[]", '{"a": 1}', "\xff"])
def test_damaged_measurements_are_none(content: str, tmp_path: Path) -> None:
    runs = tmp_path / "runs.json"
    runs.write_text(content, "latin-1")
    assert not any(entry.measured for entry in forecast(bundle(), MACHINE, runs))
    machine = json.dumps({MACHINE.key: {"8": {"4": {"seconds": "x"}}, "8.0": 3}})
    runs.write_text(machine)
    assert len(forecast(bundle(), MACHINE, runs)) == 4
    remember_run(bundle(), 4, 0.25, GIB, MACHINE, runs)


def test_measurements_that_cannot_be_kept_are_no_fault(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    remember_run(bundle(), 4, 0.25, GIB, MACHINE, tmp_path / "file" / "runs.json")


def test_this_machine_has_cores_and_memory() -> None:
    machine = this_machine()
    assert machine.cores >= 1
    assert 0 < machine.available <= machine.memory


def test_a_manifest_is_read_without_its_program(tiny_bundle: Path, tmp_path: Path) -> None:
    archive = tmp_path / "tiny.zip"
    with zipfile.ZipFile(archive, "w") as opened:
        opened.write(tiny_bundle / "manifest.json", "tiny/manifest.json")
    assert read_bundle(archive).manifest == read_bundle(tiny_bundle).manifest
    with pytest.raises(BundleError, match=r"tiny\.zip"):
        open_bundle(archive)
    archive.write_bytes(b"no zip")
    with pytest.raises(BundleError, match="not a bundle or is damaged"):
        read_bundle(archive)
    with pytest.raises(BundleError, match="no manifest"):
        read_bundle(tmp_path / "gone")


def test_the_check_tells_how_far_it_is_and_can_be_ended(tiny_bundle: Path) -> None:
    steps: list[tuple[int, int]] = []
    total = open_bundle(tiny_bundle, lambda done, total: steps.append((done, total))).model_bytes
    assert steps[-1] == (total, total)

    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        open_bundle(tiny_bundle, stop)


def test_models_on_the_command_line(
    tiny_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["models", str(tiny_bundle), "--check"]) == 0
    printed = capsys.readouterr().out
    assert "files match their SHA-256" in printed
    assert "estimate, proposed" in printed
    assert main(["models", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert "no manifest.json" in error


def test_a_damaged_model_that_nobody_named_hides_no_other(
    tiny_bundle: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "manifest.json").write_text("{")
    monkeypatch.setattr("app.engine.command.find_bundles", lambda: [tmp_path, tiny_bundle])
    assert main(["models"]) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("model")]
    assert "it is not JSON" in lines[0]
    assert str(tiny_bundle) in lines[1]
