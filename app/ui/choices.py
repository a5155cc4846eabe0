"""What the window offers to choose from: sources and models on this machine."""

import json
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from app.assets import bundle_folders, demo_clip
from app.capture import CAMERA_PREFIX, list_cameras
from app.engine.bundle import find_bundles as bundles_in
from app.ui.texts import tr

DEMO_CLIP = demo_clip()
BUNDLE_FOLDERS = bundle_folders()


@dataclass(frozen=True)
class Choice:
    """An entry of a list: what the user reads, and the file, folder or camera it stands for."""

    label: str
    value: str


def told_apart(choices: Sequence[Choice]) -> list[Choice]:
    """Choices of one label get the end of their paths, as short as it tells them apart."""
    ends = {choice.value: choice.label for choice in choices}
    for parts in range(1, max((len(Path(value).parts) for value in ends), default=0) + 1):
        counts = Counter(ends.values())
        for choice in choices:
            if counts[ends[choice.value]] > 1:
                end = "/".join(Path(choice.value).parts[-parts:])
                ends[choice.value] = f"{choice.label} ({end})"
    return [Choice(ends[choice.value], choice.value) for choice in choices]


def find_sources(demo_clip: Path = DEMO_CLIP) -> list[Choice]:
    """The demo clip, if it is there, and the cameras."""
    demo = [Choice(tr("Demo clip"), str(demo_clip))] if demo_clip.is_file() else []
    cameras = [source_choice(camera.spec) for camera in list_cameras()]
    return demo + cameras


def source_choice(spec: str) -> Choice:
    """A file or folder under its name, a camera under its name or index."""
    if spec.startswith(CAMERA_PREFIX):
        return Choice(spec.removeprefix(CAMERA_PREFIX), spec)
    if spec.isdecimal():
        return Choice(tr("Camera {index}").format(index=spec), spec)
    path = _absolute(spec)
    return Choice(path.name, str(path))


def find_bundles(folders: tuple[Path, ...] = BUNDLE_FOLDERS) -> list[Choice]:
    """Bundles in these folders, 4 bit first; their files are not checked yet."""
    found = [bundle_choice(folder) for folder in bundles_in(folders)]
    return sorted(found, key=lambda choice: tr("4 bit") not in choice.label)


def bundle_choice(path: Path) -> Choice:
    """A bundle under its name and precision, or under its file name where they cannot be read.

    A path of a manifest.json stands for its folder.
    """
    path = _absolute(path.parent if path.name == "manifest.json" else path)
    label = path.name
    try:
        content = json.loads((path / "manifest.json").read_text())
        label = bundle_label(content["model"]["name"], content["quantization"]["name"])
    except (OSError, ValueError, KeyError, TypeError):
        pass
    return Choice(label, str(path))


def _absolute(path: str | Path) -> Path:
    """One path for one place, whichever way it is named; links keep their names."""
    return Path(os.path.abspath(path))


def bundle_label(name: str, precision: str) -> str:
    """Name and precision of a bundle in words: "8da4w-g32" becomes "4 bit"."""
    return f"{name}, {precision_words(precision)}"


def precision_words(precision: str) -> str:
    """A precision in words, or its own name where there are none."""
    if "4w" in precision:
        return tr("4 bit")
    return tr("full precision") if precision == "fp32" else precision
