"""Bundles are opened when whole, and refused in one line when not."""

import json
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from app.engine import BundleError, open_bundle


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "cache"))
    return tmp_path / "cache"


def zip_folder(folder: Path, archive: Path, prefix: str = "") -> Path:
    with zipfile.ZipFile(archive, "w") as file:
        for name in ("manifest.json", "model.pte"):
            file.write(folder / name, prefix + name)
    return archive


def refusal(path: Path) -> str:
    with pytest.raises(BundleError) as caught:
        open_bundle(path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_folder(tiny_bundle: Path) -> None:
    bundle = open_bundle(tiny_bundle)
    assert bundle.size == (56, 84)
    assert bundle.view_counts == (1, 2, 4)
    assert bundle.precision == "fp32"
    assert bundle.model_bytes == bundle.program.stat().st_size


@pytest.mark.parametrize("prefix", ["", "toy/"])
def test_zip(tiny_bundle: Path, tmp_path: Path, prefix: str) -> None:
    archive = zip_folder(tiny_bundle, tmp_path / "tóy.zip", prefix)
    first = open_bundle(archive)
    assert first.program.read_bytes() == (tiny_bundle / "model.pte").read_bytes()
    assert open_bundle(archive).path == first.path
    # What is unpacked already is not trusted either.
    first.program.write_bytes(b"spoiled")
    assert open_bundle(archive).program.read_bytes() != b"spoiled"


def test_flipped_byte(bundle_copy: Path) -> None:
    program = bundle_copy / "model.pte"
    data = bytearray(program.read_bytes())
    data[len(data) // 2] ^= 1
    program.write_bytes(data)
    assert "model.pte does not match its SHA-256: damaged or changed" in refusal(bundle_copy)


def test_truncated_program(bundle_copy: Path) -> None:
    program = bundle_copy / "model.pte"
    program.write_bytes(program.read_bytes()[:1000])
    assert "truncated" in refusal(bundle_copy)


def test_missing_program(bundle_copy: Path) -> None:
    (bundle_copy / "model.pte").unlink()
    assert "model.pte" in refusal(bundle_copy)


def test_not_a_bundle(tmp_path: Path) -> None:
    assert "no such bundle" in refusal(tmp_path / "nothing")
    assert "no manifest.json" in refusal(tmp_path)
    text = tmp_path / "text.zip"
    text.write_text("hello")
    assert "not a bundle" in refusal(text)
    (tmp_path / "manifest.json").write_text("{")
    assert "not JSON" in refusal(tmp_path)
    (tmp_path / "manifest.json").write_bytes(b"\xff\xfe\x00")
    assert "not JSON" in refusal(tmp_path)
    (tmp_path / "manifest.json").write_text("[]")
    assert "another format" in refusal(tmp_path)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"format": "other"}, "another format"),
        ({"format_version": 2}, "format version 2"),
        ({"methods": {}}, "does not name"),
        ({"methods": {"two": "forward"}}, "garbles"),
        ({"methods": ["forward"]}, "garbles"),
        ({"methods": {"0": "forward"}}, "does not name"),
        ({"outputs": ["depth"]}, "pose_enc"),
        ({"input": {"height": 56}}, "width"),
        ({"input": {"height": -56, "width": 84}}, "does not name"),
        ({"model": None}, "garbles"),
        ({"files": {}}, "does not name"),
        ({"files": {"model.pte": {"bytes": 3}}}, "sha256"),
    ],
)
def test_bad_manifest(
    bundle_copy: Path, write_manifest: Callable[..., None], changes: dict, words: str
) -> None:
    write_manifest(bundle_copy, **changes)
    assert words in refusal(bundle_copy)


def test_manifest_that_names_files_outside(
    bundle_copy: Path, write_manifest: Callable[..., None]
) -> None:
    manifest = json.loads((bundle_copy / "manifest.json").read_text())
    for name in ("../secret", "/etc/passwd", "a/../../b", "..\\b", "C:\\b"):
        files = manifest["files"] | {name: {"bytes": 1, "sha256": ""}}
        write_manifest(bundle_copy, files=files)
        assert "outside the bundle" in refusal(bundle_copy)


@pytest.mark.parametrize("name", ["../evil", "/tmp/evil", "a/../../evil", "..\\evil"])
def test_zip_that_climbs_out(tiny_bundle: Path, tmp_path: Path, cache: Path, name: str) -> None:
    archive = zip_folder(tiny_bundle, tmp_path / "evil.zip")
    with zipfile.ZipFile(archive, "a") as file:
        file.writestr(zipfile.ZipInfo(name), "evil")
    assert "leads outside" in refusal(archive)
    assert list((cache / "pocket-vggt" / "bundles").iterdir()) == []


def test_zip_with_a_link(tiny_bundle: Path, tmp_path: Path) -> None:
    archive = zip_folder(tiny_bundle, tmp_path / "link.zip")
    link = zipfile.ZipInfo("link")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(archive, "a") as file:
        file.writestr(link, "/etc/passwd")
    assert "leads outside" in refusal(archive)


def test_damaged_zip(tiny_bundle: Path, tmp_path: Path, cache: Path) -> None:
    archive = zip_folder(tiny_bundle, tmp_path / "toy.zip")
    data = bytearray(archive.read_bytes())
    data[len(data) // 2] ^= 1
    archive.write_bytes(data)
    assert "damaged" in refusal(archive)
    archive.write_bytes(data[: len(data) // 2])
    assert "not a bundle" in refusal(archive)
    assert list((cache / "pocket-vggt" / "bundles").iterdir()) == []
