"""Open3D without its viewers, examples and bindings to other frameworks."""

from PyInstaller.utils.hooks import collect_dynamic_libs

binaries = [
    entry for entry in collect_dynamic_libs("open3d") if "_ops" not in entry[0]
]
