"""Where bundles are looked for on this machine."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
BUNDLE_FOLDERS = (ROOT / "assets", ROOT / "build")


def bundle_folders(places: tuple[Path, ...] = BUNDLE_FOLDERS) -> list[Path]:
    """Folders with a manifest.json in these places; nothing of them is read yet."""
    manifests = [path for place in places for path in sorted(place.glob("*/manifest.json"))]
    return [manifest.parent for manifest in manifests]
