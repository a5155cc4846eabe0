"""Keeps Python's collector of garbage from holding up the window."""

import gc


def set_aside() -> None:
    """Collect garbage now, and leave what is in use now out of later collections.

    What the imports alone have made takes the collector a tenth of a second to walk through, in
    which no thread goes on. Call it before a run.
    """
    gc.unfreeze()
    gc.collect()
    gc.freeze()
