"""The one base class of every fault that a user can cause or meet."""


class AppError(Exception):
    """A foreseeable fault; its text is the one line shown to the user."""
