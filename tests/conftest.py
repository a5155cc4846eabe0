"""Before anything is loaded: how many threads, and in which order.

One thread of torch a process: the suite runs in one process a core, and torch's threads wait for
each other by spinning. On Linux PyPI's torch brings triton, which crashes when it is loaded after
the graphics libraries of the window. Users never have both in one process; the test suite has.
"""

import contextlib
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

with contextlib.suppress(ImportError):
    import triton  # noqa: F401
