"""Words of the window in the user's language."""

from PySide6.QtCore import QCoreApplication


def tr(text: str) -> str:
    """The translation of a literal English text, or the text itself where there is none.

    The context is empty, as pyside6-lupdate writes it for a function of this name.
    Texts with parts to fill in are translated first: tr("Frame {number}").format(number=3).
    """
    return QCoreApplication.translate("", text)


def sentence(text: str) -> str:
    """A line such as a fault has it, with a capital and a full stop."""
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."
