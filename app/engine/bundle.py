"""Reads a model bundle: a folder or zip of `manifest.json` and an ExecuTorch program."""

import hashlib
import json
import os
import shutil
import stat
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

from app.assets import bundle_folders
from app.errors import AppError

FORMAT = "pocket-vggt-bundle"
FORMAT_VERSION = 1
PROGRAM = "model.pte"
OUTPUTS = ("pose_enc", "depth", "depth_conf")

# A zip's directory is read before anything is unpacked: this stops one that unpacks without end.
_MAX_ZIP_BYTES = 16 * 2**30

# Read at a time while a file's hash is computed.
_PIECE = 2**22

Progress = Callable[[int, int], None]
"""Called with the bytes that were read so far, and all that are to be read; may raise to stop."""


class BundleError(AppError):
    """The bundle is missing, damaged or of another kind."""


@dataclass(frozen=True)
class Bundle:
    """A bundle whose files match their hashes.

    path: the folder that holds the files; precision: name of the quantization, "fp32" for none;
    size: (H, W) of the network's image in pixels; methods: number of views -> name of the
    program's method; outputs: names of what a method returns, in order.
    """

    path: Path
    manifest: dict[str, Any]
    name: str
    precision: str
    size: tuple[int, int]
    methods: dict[int, str]
    outputs: tuple[str, ...]

    @property
    def view_counts(self) -> tuple[int, ...]:
        """Numbers of views that the program takes, ascending."""
        return tuple(sorted(self.methods))

    @property
    def program(self) -> Path:
        """The ExecuTorch file."""
        return self.path / PROGRAM

    @property
    def model_bytes(self) -> int:
        """Size of the ExecuTorch file in bytes."""
        return int(self.manifest["files"][PROGRAM]["bytes"])

    @property
    def sha256(self) -> str:
        """Hash of the ExecuTorch file in hex digits: equal for the same model."""
        return str(self.manifest["files"][PROGRAM]["sha256"])


def _ignore(done: int, total: int) -> None:
    pass


def open_bundle(path: str | Path, progress: Progress = _ignore) -> Bundle:
    """Open a bundle folder or zip and check every file against its SHA-256.

    A zip is unpacked once, into the user's cache folder. Raises BundleError.
    """
    path = Path(path)
    if path.is_dir():
        return _open_folder(path, progress)
    if not path.exists():
        raise BundleError(f"{path}: no such bundle")
    if not zipfile.is_zipfile(path):
        raise BundleError(f"{path} is not a bundle: neither a folder nor a zip file")
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    folder = cache_folder() / "bundles" / digest
    if folder.exists():
        try:
            return _open_folder(folder, progress)
        except BundleError:
            shutil.rmtree(folder)
    _unpack(path, folder)
    return _open_folder(folder, progress, shown=path)


def find_bundles(folders: tuple[Path, ...] | None = None) -> list[Path]:
    """Folders with a manifest.json in these folders, by default where the app keeps bundles."""
    places = bundle_folders() if folders is None else folders
    manifests = [path for place in places for path in sorted(place.glob("*/manifest.json"))]
    return [manifest.parent for manifest in manifests]


def read_bundle(path: str | Path) -> Bundle:
    """What the manifest of a bundle folder or zip says; no other file is opened or unpacked.

    The `path` of a zip's bundle is the zip, which holds no usable program yet: `open_bundle` makes
    one. Raises BundleError.
    """
    path = Path(path)
    if not path.is_file():
        return _read_folder(path, path)
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if name.split("/")[-1] == "manifest.json"]
            if not names:
                raise BundleError(f"{path} is not a bundle: it has no manifest.json")
            manifest = json.loads(archive.read(min(names, key=len)))
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, ValueError) as error:
        raise BundleError(f"{path} is not a bundle or is damaged: {error}") from None
    except OSError as error:
        raise BundleError(f"{path} cannot be read: {error.strerror or error}") from None
    return _read_manifest(path, path, manifest)


def _open_folder(folder: Path, progress: Progress, shown: Path | None = None) -> Bundle:
    shown = shown or folder
    bundle = _read_folder(folder, shown)
    files = bundle.manifest["files"]
    total, done = sum(int(entry["bytes"]) for entry in files.values()), 0
    for name, entry in files.items():
        step = partial(_step, progress, done, total)
        _check_file(folder / name, shown, name, entry, step)
        done += int(entry["bytes"])
    return bundle


def _step(progress: Progress, before: int, total: int, read: int) -> None:
    progress(before + read, total)


def _read_folder(folder: Path, shown: Path) -> Bundle:
    try:
        manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
    except FileNotFoundError:
        raise BundleError(f"{shown} is not a bundle: it has no manifest.json") from None
    except OSError as error:
        raise BundleError(f"{shown}/manifest.json cannot be read: {error.strerror}") from None
    except ValueError:
        raise BundleError(f"{shown}/manifest.json is damaged: it is not JSON") from None
    return _read_manifest(folder, shown, manifest)


def _read_manifest(folder: Path, shown: Path, manifest: Any) -> Bundle:
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise BundleError(f"{shown} is not a bundle: its manifest is of another format")
    version = manifest.get("format_version")
    if version != FORMAT_VERSION:
        raise BundleError(
            f"{shown} has format version {version}; this app reads version {FORMAT_VERSION}"
        )
    try:
        height, width = (int(manifest["input"][side]) for side in ("height", "width"))
        methods = {int(views): str(name) for views, name in manifest["methods"].items()}
        files = {str(name): dict(entry) for name, entry in manifest["files"].items()}
        for entry in files.values():
            int(entry["bytes"]), str(entry["sha256"])
        bundle = Bundle(
            path=folder,
            manifest=manifest,
            name=str(manifest["model"]["name"]),
            precision=str(manifest["quantization"]["name"]),
            size=(height, width),
            methods=methods,
            outputs=tuple(str(name) for name in manifest["outputs"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BundleError(f"{shown}/manifest.json lacks or garbles an entry: {error}") from None
    missing = [name for name in OUTPUTS if name not in bundle.outputs]
    if missing or PROGRAM not in files or not methods or min(height, width, *methods) < 1:
        what = missing or ["a usable input size, method or program"]
        raise BundleError(f"{shown}/manifest.json does not name {', '.join(what)}")
    for name in files:
        if not _is_inside(name):
            raise BundleError(f"{shown}/manifest.json names a file outside the bundle: {name}")
    return bundle


def _check_file(
    file: Path, shown: Path, name: str, entry: dict[str, Any], read: Callable[[int], None]
) -> None:
    hashed = hashlib.sha256()
    try:
        size = file.stat().st_size
        if size != int(entry["bytes"]):
            raise BundleError(
                f"{shown}/{name} has {size} bytes instead of {entry['bytes']}: truncated or changed"
            )
        with file.open("rb") as opened:
            while piece := opened.read(_PIECE):
                hashed.update(piece)
                read(opened.tell())
    except OSError as error:
        raise BundleError(f"{shown}/{name} cannot be read: {error.strerror}") from None
    if hashed.hexdigest() != entry["sha256"]:
        raise BundleError(f"{shown}/{name} does not match its SHA-256: damaged or changed")


def _unpack(archive: Path, folder: Path) -> None:
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=".unpacking-", dir=folder.parent))
    except OSError as error:
        raise BundleError(f"{folder.parent} cannot be written: {error.strerror}") from None
    try:
        with zipfile.ZipFile(archive) as opened:
            members = opened.infolist()
            if sum(member.file_size for member in members) > _MAX_ZIP_BYTES:
                raise BundleError(f"{archive} would unpack to more than 16 GiB")
            for member in members:
                is_link = stat.S_ISLNK(member.external_attr >> 16)
                if is_link or not _is_inside(member.filename):
                    raise BundleError(
                        f"{archive} holds a path that leads outside of it: {member.filename}"
                    )
            opened.extractall(temporary)
        manifests = [*temporary.glob("manifest.json"), *temporary.glob("*/manifest.json")]
        if not manifests:
            raise BundleError(f"{archive} is not a bundle: it has no manifest.json")
        try:
            manifests[0].parent.replace(folder)
        except OSError:
            if not folder.exists():  # else another process was quicker
                raise
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as error:
        raise BundleError(f"{archive} is damaged: {error}") from None
    except OSError as error:
        raise BundleError(f"{archive} cannot be unpacked: {error.strerror or error}") from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _is_inside(name: str) -> bool:
    """Whether a relative name stays inside its folder on every system."""
    parts = PurePosixPath(name.replace("\\", "/")).parts
    return bool(parts) and ".." not in parts and parts[0] != "/" and ":" not in name


def cache_folder() -> Path:
    """Where this user's caches of the app are."""
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData/Local"))
    elif sys.platform == "darwin":
        base = Path.home() / "Library/Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "pocket-vggt"
