"""The error of this package that a user can do something about."""


class DataError(Exception):
    """Says in one line what is wrong, with which file or argument, and what to do."""
