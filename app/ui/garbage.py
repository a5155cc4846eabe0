"""Keeps memory that nobody needs from holding up the window, and from being held."""

import ctypes
import gc
from collections.abc import Callable
from functools import cache


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
    _trim()(0)


@cache
def _trim() -> Callable[[int], object]:
    try:
        trim: Callable[[int], object] = ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):
        # Of the systems we run on only Linux with glibc has it.
        return lambda pad: None
    return trim
