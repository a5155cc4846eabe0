"""Who may import whom: app neither of the others, mobile_export only fgq, fgq none of ours."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
OURS = {"app", "fgq", "mobile_export"}
ALLOWED = {"app": {"app"}, "fgq": {"fgq"}, "mobile_export": {"mobile_export", "fgq"}}


def imported_packages(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names.add(node.module)
    return names


@pytest.mark.parametrize("package", sorted(ALLOWED))
def test_packages_import_only_what_they_may(package: str) -> None:
    for path in (ROOT / package).rglob("*.py"):
        tops = {name.split(".")[0] for name in imported_packages(path)}
        assert tops & OURS <= ALLOWED[package], path


def test_only_the_child_process_of_the_app_imports_torch() -> None:
    """The ExecuTorch runtime takes torch tensors; nothing else on the device needs torch."""
    for path in (ROOT / "app").rglob("*.py"):
        imports_torch = "torch" in {name.split(".")[0] for name in imported_packages(path)}
        assert not imports_torch or path == ROOT / "app/engine/program.py", path


def test_network_imports_nothing_of_ours() -> None:
    for path in (ROOT / "fgq" / "vggt").rglob("*.py"):
        assert not {name.split(".")[0] for name in imported_packages(path)} & OURS, path
