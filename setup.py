"""Adds to the wheel what pyproject.toml cannot name: files from outside the packages."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

# The checkpoint stays out: the app does not read it, and fgq takes any by its path.
ASSETS = ("demo", "icons", "vggt-nano-8da4w")


class BuildWithAssets(build_py):
    """Copies assets/ to app/data, where app/assets.py looks for it."""

    def run(self) -> None:
        super().run()
        if self.editable_mode:
            return
        for name in ASSETS:
            target = Path(self.build_lib, "app", "data", name)
            shutil.copytree(Path("assets", name), target, dirs_exist_ok=True)


setup(cmdclass={"build_py": BuildWithAssets})
