"""What the rest of the program says, and numbers, in the user's language."""

import ast
import re
from pathlib import Path

from PySide6.QtWidgets import QApplication

from app.capture import SourceError
from app.ui.faults import FAULTS, fault_line
from app.ui.hints import fault_words
from app.ui.texts import localized, number, significant

APP = Path(__file__).parents[3] / "app"
OF_THE_SYSTEM = FAULTS[-3:]


def test_every_line_is_one_that_the_program_says() -> None:
    files = [path for path in APP.rglob("*.py") if path.name != "faults.py"]
    nodes = [node for path in files for node in ast.walk(ast.parse(path.read_text()))]
    said = [n.value for n in nodes if isinstance(n, ast.Constant) and isinstance(n.value, str)]
    text = "\n".join(said)
    for line in FAULTS:
        if line not in OF_THE_SYSTEM:
            fixed = re.split(r"\{\w+\}|; ", line)
            assert all(part.strip() in text for part in fixed), line


def test_a_fault_of_the_core_is_said_in_german(german: None) -> None:
    fault = SourceError("/a b/x.mp4 is not a video that can be read")
    assert fault_words(fault) == "/a b/x.mp4 ist kein lesbares Video. Eine andere Quelle wählen."
    inner = "the recording stopped: /s: the disk is full; what was recorded is kept, "
    line = fault_line(inner + "free some space and resume it")
    assert line.startswith("Die Aufnahme endete: /s: der Datenträger ist voll; was")
    assert "resume" not in line
    assert fault_line("something unheard of {x}") == "something unheard of {x}"


def test_faults_stay_as_they_are_in_english(qt: QApplication) -> None:
    for line in FAULTS:
        said = re.sub(r"\{\w+\}", "a: b", line)
        assert fault_line(said) == said


def test_numbers_are_written_as_the_language_does(german: None) -> None:
    assert number(1234.5, 1) == "1.234,5"
    assert significant(0.12345, 3) == "0,123"
    assert localized("4,770.5 ms, n/a") == "4.770,5 ms, n/a"
