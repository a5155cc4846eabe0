"""The text that a frozen app carries holds the licences of what is in it, and of nothing else."""

import importlib.util
from pathlib import Path

import numpy as np
import PySide6.QtCore

PACKAGING = Path(__file__).parents[2] / "app/packaging"


def test_notices_hold_the_licences_of_what_was_collected(tmp_path: Path) -> None:
    spec = importlib.util.spec_from_file_location("notices", PACKAGING / "notices.py")
    assert spec is not None
    assert spec.loader is not None
    notices = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(notices)
    written = tmp_path / "notices.txt"
    notices.write_notices(written, [Path(np.__file__), Path(PySide6.QtCore.__file__)])
    text = written.read_text("utf-8")
    assert "PYTHON SOFTWARE FOUNDATION" in text
    assert f"numpy {np.__version__}" in text
    assert "NumPy Developers" in text
    assert f"PySide6_Essentials {PySide6.__version__}" in text
    assert "pytest" not in text
