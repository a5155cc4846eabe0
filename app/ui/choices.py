"""What the window offers to choose from: sources and models on this machine."""

import json
from dataclasses import dataclass
from pathlib import Path

from app.assets import bundle_folders, demo_clip
from app.engine.bundle import find_bundles as bundles_in
from app.ui.texts import tr

DEMO_CLIP = demo_clip()
BUNDLE_FOLDERS = bundle_folders()


@dataclass(frozen=True)
class Choice:
    """An entry of a list: what the user reads, and the file, folder or camera it stands for."""

    label: str
    value: str


def find_sources(demo_clip: Path = DEMO_CLIP) -> list[Choice]:
    """The demo clip, if it is there, and the cameras."""
    demo = [Choice(tr("Demo clip"), str(demo_clip))] if demo_clip.is_file() else []
    return demo + find_cameras()


def source_choice(spec: str) -> Choice:
    """A file or folder under its name, a camera under its index."""
    return Choice(
        tr("Camera {index}").format(index=spec) if spec.isdecimal() else Path(spec).name, spec
    )


def find_cameras(devices: Path = Path("/sys/class/video4linux")) -> list[Choice]:
    """Cameras by name where the system tells it (Linux), otherwise the first one by its index."""
    if not devices.parent.is_dir():
        return [source_choice("0")]
    cameras = []
    for device in sorted(devices.glob("video*"), key=lambda path: int(path.name[5:])):
        # A camera has several nodes; the one with index 0 delivers the images.
        if _read(device / "index") in ("0", ""):
            name, index = _read(device / "name") or tr("Camera"), device.name[5:]
            text = tr("{name} (camera {index})").format(name=name, index=index)
            cameras.append(Choice(text, index))
    return cameras


def find_bundles(folders: tuple[Path, ...] = BUNDLE_FOLDERS) -> list[Choice]:
    """Bundles in these folders, 4 bit first; their files are not checked yet."""
    found = [bundle_choice(folder) for folder in bundles_in(folders)]
    return sorted(found, key=lambda choice: tr("4 bit") not in choice.label)


def bundle_choice(path: Path) -> Choice:
    """A bundle under its name and precision, or under its file name where they cannot be read.

    A path of a manifest.json stands for its folder.
    """
    path = path.parent if path.name == "manifest.json" else path
    label = path.name
    try:
        content = json.loads((path / "manifest.json").read_text())
        label = bundle_label(content["model"]["name"], content["quantization"]["name"])
    except (OSError, ValueError, KeyError, TypeError):
        pass
    return Choice(label, str(path))


def bundle_label(name: str, precision: str) -> str:
    """Name and precision of a bundle in words: "8da4w-g32" becomes "4 bit"."""
    return f"{name}, {precision_words(precision)}"


def precision_words(precision: str) -> str:
    """A precision in words, or its own name where there are none."""
    if "4w" in precision:
        return tr("4 bit")
    return tr("full precision") if precision == "fp32" else precision


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
