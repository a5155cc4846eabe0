"""What comes with the app is found in each of the three places it may run from."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import app
from app.assets import assets_folder, bundle_folders, demo_clip, icons

ROOT = Path(app.__file__).parents[1]
SHOW = "import json, app.ui.choices as c; print(json.dumps([str(c.DEMO_CLIP), c.find_bundles()[0].value]))"


def shown_from(folder: Path, import_path: Path) -> list[str]:
    """Demo clip and first bundle of the window, from an empty folder and environment."""
    result = subprocess.run(
        [sys.executable, "-P", "-c", SHOW],
        cwd=folder,
        env={"PYTHONPATH": str(import_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    paths: list[str] = json.loads(result.stdout)
    return paths


def test_a_checkout_has_them_at_its_top(tmp_path: Path) -> None:
    clip, bundle = shown_from(tmp_path, ROOT)
    assert Path(clip) == ROOT / "assets/demo/clip.mp4"
    assert Path(clip).is_file()
    assert Path(bundle) == ROOT / "assets/vggt-nano-8da4w"
    assert bundle_folders() == (ROOT / "assets", ROOT / "build")


def test_an_installed_package_has_them_inside(tmp_path: Path) -> None:
    site = tmp_path / "site-packages"
    shutil.copytree(ROOT / "app", site / "app", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("demo", "vggt-nano-8da4w"):
        shutil.copytree(ROOT / "assets" / name, site / "app/data" / name)
    (site / "assets").mkdir()  # another package's
    work = tmp_path / "work"
    work.mkdir()
    assert shown_from(work, site) == [
        str(site / "app/data/demo/clip.mp4"),
        str(site / "app/data/vggt-nano-8da4w"),
    ]


def test_a_frozen_app_has_them_beside_its_modules(tmp_path: Path) -> None:
    """PyInstaller: modules live in an archive, yet `__file__` says _internal/app/assets.pyc."""
    package = tmp_path / "_internal/app"
    (package / "data/demo").mkdir(parents=True)
    assert assets_folder(package) == package / "data"
    assert demo_clip(package) == package / "data/demo/clip.mp4"
    assert bundle_folders(package) == (package / "data",)


def test_every_icon_is_as_large_as_its_name_says() -> None:
    from app.capture._cv2 import cv2

    sizes = [int(path.stem.rsplit("-", 1)[1]) for path in icons()]
    assert {16, 32, 48, 256} <= set(sizes)
    for path, size in zip(icons(), sizes, strict=True):
        assert cv2.imread(str(path), cv2.IMREAD_UNCHANGED).shape == (size, size, 4)
    assert (assets_folder() / "icons/pocket-vggt.svg").is_file()


@pytest.mark.skipif(os.name == "nt", reason="the engine's memory file is a Unix path here")
def test_the_engine_is_not_misled_by_an_app_in_the_working_folder(tmp_path: Path) -> None:
    (tmp_path / "app").mkdir()
    (tmp_path / "app/__init__.py").write_text("raise SystemExit('the wrong app')")
    (tmp_path / "app/__main__.py").write_text("")
    code = (
        "from app.assets import bundle_folders\n"
        "from app.engine import Engine, open_bundle\n"
        "with Engine(open_bundle(bundle_folders()[0] / 'vggt-nano-8da4w')) as engine:\n"
        "    engine.restart()\n"
        "    print(engine.base_memory > 0)"
    )
    result = subprocess.run(
        [sys.executable, "-P", "-c", code],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert result.stdout == "True\n", result.stderr
