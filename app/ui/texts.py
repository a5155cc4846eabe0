"""Words and numbers of the window in the user's language."""

import re

from PySide6.QtCore import QCoreApplication, QLocale


def tr(text: str) -> str:
    """The translation of a literal English text, or the text itself where there is none.

    The context is empty, as pyside6-lupdate writes it for a function of this name.
    Texts with parts to fill in are translated first: tr("Frame {number}").format(number=3).
    """
    return QCoreApplication.translate("", text)


def number(value: float, digits: int = 0) -> str:
    """A number with so many decimals, as it is written in the user's language."""
    return QLocale().toString(float(value), "f", digits)


def significant(value: float, digits: int) -> str:
    """A number with so many significant digits, as it is written in the user's language."""
    return QLocale().toString(float(value), "g", digits)


def localized(text: str) -> str:
    """Figures that another part of the program wrote in English, with the user's separators."""
    english = {",": QLocale().groupSeparator(), ".": QLocale().decimalPoint()}
    return re.sub(r"(?<=\d)[.,](?=\d)", lambda found: english[found[0]], text)


def sentence(text: str) -> str:
    """A line such as a fault has it, with a capital and a full stop."""
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."
