"""Keeps memory that nobody needs from holding up the window, and from being held."""

import ctypes
import gc
from collections.abc import Callable
from functools import cache

_M_MMAP_THRESHOLD = -3


def set_aside() -> None:
    """Collect garbage now, and leave what is in use now out of later collections.

    What the imports alone have made takes the collector a tenth of a second to walk through, in
    which no thread goes on. Call it before a run.
    """
    gc.unfreeze()
    gc.collect()
    gc.freeze()


def give_back() -> None:
    """Give the system the pages that the C library keeps for later, where it can be asked to.

    Arrays that stay are made among larger ones that do not: the gaps would grow with the run, one
    half of a megabyte a keyframe.
    """
    _from_glibc("malloc_trim")(0)


def keep_large_apart() -> None:
    """Let arrays of a megabyte and more have pages of their own, which go back with them.

    With each one that ends glibc raises the size from which they have, up to 32 megabytes: the next
    are made among small things that stay, which then hold their place. Call it before a run.
    """
    _from_glibc("mallopt")(_M_MMAP_THRESHOLD, 1 << 20)


@cache
def _from_glibc(name: str) -> Callable[..., object]:
    try:
        function: Callable[..., object] = getattr(ctypes.CDLL(None), name)
    except (AttributeError, OSError, TypeError):
        # Of the systems we run on only Linux with glibc has it.
        return lambda *arguments: None
    return function
