"""Order of loading: on Linux PyPI's torch brings triton, which crashes when it is loaded after the
graphics libraries of the window. Users never have both in one process; the test suite has."""

import contextlib

with contextlib.suppress(ImportError):
    import triton  # noqa: F401
