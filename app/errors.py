"""The one base class of every fault that a user can cause or meet, and words for all others."""

import textwrap


class AppError(Exception):
    """A foreseeable fault; its text is the one line shown to the user."""


def exception_words(error: BaseException) -> str:
    """One line about an exception that nobody foresaw."""
    return textwrap.shorten(f"{type(error).__name__}: {error}", 200)
