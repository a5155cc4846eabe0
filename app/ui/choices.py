"""What the window offers to choose from: sources and models on this machine."""

import json
from dataclasses import dataclass
from pathlib import Path

from app.capture import CAMERA_PREFIX, list_cameras

ROOT = Path(__file__).parents[2]
DEMO_CLIP = ROOT / "assets" / "demo" / "clip.mp4"
BUNDLE_FOLDERS = (ROOT / "assets", ROOT / "build")


@dataclass(frozen=True)
class Choice:
    """An entry of a list: what the user reads, and the file, folder or camera it stands for."""

    label: str
    value: str


def find_sources(demo_clip: Path = DEMO_CLIP) -> list[Choice]:
    """The demo clip, if it is there, and the cameras."""
    demo = [Choice("Demo clip", str(demo_clip))] if demo_clip.is_file() else []
    cameras = [source_choice(f"{CAMERA_PREFIX}{camera.name}") for camera in list_cameras()]
    return demo + cameras


def source_choice(spec: str) -> Choice:
    """A file or folder under its name, a camera under its name or index."""
    if spec.startswith(CAMERA_PREFIX):
        return Choice(spec.removeprefix(CAMERA_PREFIX), spec)
    return Choice(f"Camera {spec}" if spec.isdecimal() else Path(spec).name, spec)


def find_bundles(folders: tuple[Path, ...] = BUNDLE_FOLDERS) -> list[Choice]:
    """Bundles in these folders, 4 bit first; their files are not checked yet."""
    manifests = [path for folder in folders for path in sorted(folder.glob("*/manifest.json"))]
    found = [bundle_choice(manifest.parent) for manifest in manifests]
    return sorted(found, key=lambda choice: "4 bit" not in choice.label)


def bundle_choice(path: Path) -> Choice:
    """A bundle under its name and precision, or under its file name where they cannot be read."""
    label = path.name
    try:
        content = json.loads((path / "manifest.json").read_text())
        label = bundle_label(content["model"]["name"], content["quantization"]["name"])
    except (OSError, ValueError, KeyError, TypeError):
        pass
    return Choice(label, str(path))


def bundle_label(name: str, precision: str) -> str:
    """Name and precision of a bundle in words: "8da4w-g32" becomes "4 bit"."""
    if "4w" in precision:
        return f"{name}, 4 bit"
    return f"{name}, full precision" if precision == "fp32" else f"{name}, {precision}"
