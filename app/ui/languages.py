"""The languages of the window, through Qt's translations."""

from pathlib import Path

from PySide6.QtCore import QLibraryInfo, QLocale, QTranslator
from PySide6.QtWidgets import QApplication

LANGUAGES = {"en": "English", "de": "Deutsch"}
"""Code -> its own name for itself. English is what the texts are written in."""

TRANSLATIONS = Path(__file__).parent / "translations"

_installed: list[QTranslator] = []


def system_language() -> str:
    """The system's language where the window speaks it, English otherwise."""
    code = QLocale.system().name()[:2]
    return code if code in LANGUAGES else "en"


def use_language(application: QApplication, code: str) -> None:
    """Speak a language, and write numbers as it does, from now on; what is on the screen
    already stays as it is.

    A language without a file of its own is English. Qt's own dialogs and menus have files of Qt's.
    """
    QLocale.setDefault(QLocale(code))
    while _installed:
        application.removeTranslator(_installed.pop())
    qt = Path(QLibraryInfo.path(QLibraryInfo.LibraryPath.TranslationsPath))
    for file in (qt / f"qtbase_{code}.qm", TRANSLATIONS / f"pocket_vggt_{code}.qm"):
        translator = QTranslator()
        if translator.load(str(file)):
            application.installTranslator(translator)
            _installed.append(translator)
