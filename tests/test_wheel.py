"""The wheel holds the packages, what they read, and nothing besides."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = ("pyproject.toml", "setup.py", "MANIFEST.in", "README.md", "app", "fgq", "mobile_export")
ASSETS = ("demo", "icons", "vggt-nano-8da4w")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy: the build writes beside its sources."""
    pytest.importorskip("setuptools", "77")
    tree = tmp_path_factory.mktemp("tree")
    unwanted = shutil.ignore_patterns("__pycache__")
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, tree / name, ignore=unwanted)
        else:
            shutil.copy(ROOT / name, tree)
    for name in ASSETS:
        shutil.copytree(ROOT / "assets" / name, tree / "assets" / name)
    build = "import sys; from setuptools.build_meta import build_wheel; build_wheel(sys.argv[1])"
    subprocess.run([sys.executable, "-c", build, "dist"], cwd=tree, check=True, capture_output=True)
    (built,) = (tree / "dist").glob("*.whl")
    return built


def files_of(folder: Path) -> set[str]:
    return {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_the_wheel_holds_every_file_that_the_packages_read(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    expected = {f"app/data/{name}/{file}" for name in ASSETS for file in files_of(ROOT / "assets" / name)}
    for package in ("app", "fgq", "mobile_export"):
        expected |= {f"{package}/{file}" for file in files_of(ROOT / package)}
    # For who packages the app, and what translations are made from.
    expected = {name for name in expected if not name.startswith("app/packaging/") and not name.endswith(".ts")}
    assert expected - names == set()
    extra = {name for name in names - expected if ".dist-info/" not in name}
    assert extra == set()


def test_the_wheel_stays_small(wheel: Path) -> None:
    assert wheel.stat().st_size < 15e6


def test_the_wheel_gives_three_commands(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    (name,) = (name for name in archive.namelist() if name.endswith("entry_points.txt"))
    lines = archive.read(name).decode().splitlines()
    assert {line.split(" = ")[0] for line in lines if " = " in line} == {
        "pocket-vggt",
        "fgq",
        "mobile-export",
    }
