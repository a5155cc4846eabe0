"""Arrays that live in a file without a name, so that those nobody looks at take no memory.

A capture keeps every keyframe's picture, depth and points until its end, and looks at few of them
at a time. The system reads a page of the file when it is touched, and may drop it again.
"""

import mmap
import os
import tempfile
import threading
import weakref
from collections import defaultdict, deque
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

_Scalar = TypeVar("_Scalar", bound=np.generic)

_BLOCK = 1 << 16
_CHUNK = 1 << 24


class _Store:
    """Blocks of bytes in mapped files; those of arrays that are gone are given out again."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.chunks: list[mmap.mmap] = []
        self._free: defaultdict[int, list[tuple[mmap.mmap, int]]] = defaultdict(list)
        # An array may go at any time, also while this thread holds the lock: it only leaves a note.
        self._gone: deque[tuple[int, mmap.mmap, int]] = deque()
        self._rest = 0

    def copy(self, array: NDArray[_Scalar]) -> NDArray[_Scalar]:
        """The array in a block. Raises OSError where there is no room for one."""
        size = -(-array.nbytes // _BLOCK) * _BLOCK
        with self._lock:
            chunk, offset = self._take(size)
        flat = np.frombuffer(chunk, array.dtype, array.size, offset)
        weakref.finalize(flat, self._gone.append, (size, chunk, offset)).atexit = False
        copy = flat.reshape(array.shape)
        copy[...] = array
        return copy

    def _take(self, size: int) -> tuple[mmap.mmap, int]:
        while self._gone:
            freed, chunk, offset = self._gone.popleft()
            self._free[freed].append((chunk, offset))
        if self._free[size]:
            return self._free[size].pop()
        if size > self._rest:
            self.chunks.append(_map_new_file(max(size, _CHUNK)))
            self._rest = len(self.chunks[-1])
        self._rest -= size
        return self.chunks[-1], len(self.chunks[-1]) - self._rest - size


def paged(array: NDArray[_Scalar]) -> NDArray[_Scalar]:
    """The same values in a file; in memory as they are if they are few, or the disk is full."""
    if array.nbytes < _BLOCK // 2:
        return array
    try:
        return _store.copy(array)
    except OSError:
        return array


def page_out() -> None:
    """Let the system have the memory of all `paged` arrays until they are looked at again."""
    if hasattr(mmap, "MADV_DONTNEED"):
        for chunk in [*_store.chunks]:
            chunk.madvise(mmap.MADV_DONTNEED)


def _map_new_file(size: int) -> mmap.mmap:
    with tempfile.TemporaryFile() as file:
        # A full disk must show here, and not as a signal when a page is written.
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), 0, size)
        else:
            file.write(bytes(size))
            file.flush()
        return mmap.mmap(file.fileno(), size)


_store = _Store()
