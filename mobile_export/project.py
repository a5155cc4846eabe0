"""Sample projects for phones: an app that runs a bundle on what the camera sees.

The templates are the folders `android` and `ios` beside this file. A project is a copy of one, with
the bundle in it, the runtime's version filled in and the golden vectors for its unit tests.
"""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any, Literal

from fgq.files import replacing_folder, require_replaceable
from mobile_export.bundle import MANIFEST, PROGRAM, BundleError, read_bundle
from mobile_export.golden import color_table, golden_vectors

Platform = Literal["android", "ios"]
PLATFORMS: tuple[Platform, ...] = ("android", "ios")
RECORD = "pocket-vggt-project.json"

# Where a project keeps its bundles and its golden vectors.
_BUNDLES = {"android": "app/src/main/assets/bundles", "ios": "Bundles"}
_GOLDEN = {
    "android": "core/src/test/resources/golden.json",
    "ios": "Core/Tests/PocketCoreTests/golden.json",
}
_PLACEHOLDER = re.compile(r"@([A-Z]+(?:_[A-Z]+)*)@")


def write_project(
    platform: Platform, bundle: Path, out: Path, compare: Path | None = None
) -> dict[str, Any]:
    """Write the project of a platform into the folder `out`; what it records of itself.

    compare: a second bundle that the app can switch to, of the same input size.

    An earlier project at `out` is replaced. Raises BundleError if a bundle cannot be read or its
    files do not match their hashes, ValueError if a project cannot be made of the bundles,
    FileExistsError if `out` holds something else, OSError.
    """
    require_replaceable(out, RECORD)
    bundles = {"main": bundle} | ({"compare": compare} if compare else {})
    manifests = {role: read_bundle(folder) for role, folder in bundles.items()}
    try:
        version = _runtime_version(manifests)
        entries = {role: _entry(manifest) for role, manifest in manifests.items()}
    except (KeyError, TypeError) as error:
        raise BundleError(f"a bundle's manifest lacks or garbles an entry: {error}") from error
    record: dict[str, Any] = {
        "format": "pocket-vggt-project",
        "platform": platform,
        "executorch": version,
        "bundles": entries,
    }
    values = {
        "EXECUTORCH_VERSION": version,
        "COLOR_TABLE": color_table().tobytes().hex(),
        "MODELS": "\n".join(_line(role, entry) for role, entry in entries.items()),
    }
    with replacing_folder(out, RECORD) as folder:
        _copy_template(Path(__file__).with_name(platform), folder, values)
        for role, source in bundles.items():
            target = folder / _BUNDLES[platform] / role
            target.mkdir(parents=True)
            for name in (MANIFEST, *manifests[role]["files"]):
                shutil.copyfile(source / name, target / name)
            # What was copied must be what was checked: a bundle may change meanwhile.
            if read_bundle(target) != manifests[role]:
                raise BundleError(f"{source} changed while it was copied")
        golden = folder / _GOLDEN[platform]
        golden.parent.mkdir(parents=True, exist_ok=True)
        golden.write_text(_golden_text())
        (folder / RECORD).write_text(json.dumps(record, indent=2) + "\n")
    return record


def _runtime_version(manifests: dict[str, dict[str, Any]]) -> str:
    """The one runtime version that the bundles ask for; ValueError if they do not fit together."""
    main = manifests["main"]
    for manifest in manifests.values():
        # The names become paths in the project.
        if any(Path(name).name != name for name in manifest["files"]):
            raise ValueError("the bundle names a file outside of itself")
        if manifest["backend"] != "xnnpack":
            raise ValueError(
                f"the projects' runtime has the XNNPACK backend only, not {manifest['backend']}"
            )
        if not {"pose_enc", "depth", "depth_conf"} <= set(manifest["outputs"]):
            raise ValueError("the projects need a bundle of the camera and the depth head")
        if manifest["input"] != main["input"]:
            raise ValueError("the bundles to compare have different input sizes")
        if not set(manifest["methods"]) & set(main["methods"]):
            raise ValueError("the bundles to compare have no number of views in common")
        if manifest["runtime"] != main["runtime"]:
            raise ValueError("the bundles to compare need different versions of the runtime")
    # A local version ("1.5.1+cpu") names a build for the desktop.
    version = str(main["runtime"]["executorch"]).split("+")[0]
    if not re.fullmatch(r"\d+(\.\d+)+[A-Za-z0-9.]*", version):
        raise ValueError(f"the bundle's runtime version is no version: {version!r}")
    return version


def _copy_template(template: Path, folder: Path, values: dict[str, str]) -> None:
    """Copy the files of a template, with its placeholders filled in."""
    for source in sorted(template.rglob("*")):
        if not source.is_file():
            continue
        # A wheel's package data leaves out names that begin with a dot.
        name = ".gitignore" if source.name == "gitignore" else source.name
        target = folder / source.relative_to(template).with_name(name)
        target.parent.mkdir(parents=True, exist_ok=True)
        text = source.read_text(encoding="utf-8")
        target.write_text(_PLACEHOLDER.sub(lambda m: values[m[1]], text), encoding="utf-8")


def _entry(manifest: dict[str, Any]) -> dict[str, Any]:
    program = manifest["files"][PROGRAM]
    return {
        "model": manifest["model"]["name"],
        "license": manifest["model"]["license"],
        "precision": manifest["quantization"]["name"],
        "input": [manifest["input"]["height"], manifest["input"]["width"]],
        "views": sorted(int(views) for views in manifest["methods"]),
        **program,
    }


def _line(role: str, entry: dict[str, Any]) -> str:
    """One bundle as a row of the README's table."""
    views = ", ".join(map(str, entry["views"]))
    size = "x".join(map(str, entry["input"]))
    name = re.sub(r"[\s|]+", " ", f"{entry['model']} ({entry['precision']})")
    licence = re.sub(r"[\s|]+", " ", str(entry["license"]))
    return f"| {role} | {name} | {size} | {views} | {entry['bytes'] / 1e6:.1f} MB | {licence} |"


def _golden_text() -> str:
    """The golden vectors as JSON, one line each."""
    entries = (f"{json.dumps(name)}: {json.dumps(part)}" for name, part in golden_vectors().items())
    return "{\n" + ",\n".join(entries) + "\n}\n"
