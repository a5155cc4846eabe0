"""What comes with the app, wherever it runs: from a checkout, an installed wheel or frozen.

A wheel and a frozen app carry it inside the package, in `app/data`, which setup.py copies from
the checkout's `assets`.
"""

from pathlib import Path

_PACKAGE = Path(__file__).parent


def assets_folder(package: Path = _PACKAGE) -> Path:
    """The folder of demo clip, bundles and icons; package: the folder of `app`."""
    inside = package / "data"
    return inside if inside.is_dir() else package.parent / "assets"


def bundle_folders(package: Path = _PACKAGE) -> tuple[Path, ...]:
    """Folders whose folders may be bundles: what came along, and what a checkout has built."""
    assets = assets_folder(package)
    return (assets, package.parent / "build") if assets.parent == package.parent else (assets,)


def demo_clip(package: Path = _PACKAGE) -> Path:
    """The clip to try the app with; its true cameras and depth lie beside it."""
    return assets_folder(package) / "demo" / "clip.mp4"


def icons(package: Path = _PACKAGE) -> list[Path]:
    """The app's icon as PNG in several sizes."""
    return sorted((assets_folder(package) / "icons").glob("pocket-vggt-*.png"))
