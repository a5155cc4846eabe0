"""What the window does about memory that nobody needs."""

import ctypes
import gc
import subprocess
import sys
from collections.abc import Iterator

import pytest

from app.ui import garbage


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    garbage._from_glibc.cache_clear()
    yield
    garbage._from_glibc.cache_clear()
    gc.unfreeze()


def test_what_is_in_use_is_left_out_of_later_collections() -> None:
    garbage.set_aside()
    assert gc.get_freeze_count() > 1000


def test_a_c_library_that_cannot_give_back_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    garbage.give_back()
    garbage.keep_large_apart()
    garbage._from_glibc.cache_clear()
    monkeypatch.setattr(ctypes, "CDLL", lambda name: object())
    garbage.give_back()
    garbage.keep_large_apart()


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallinfo2"), reason="no glibc of 2.33 or later")
@pytest.mark.parametrize(("before", "apart"), [("", 0), ("garbage.keep_large_apart()", 1)])
def test_large_arrays_have_pages_of_their_own_also_after_larger_ones(
    before: str, apart: int
) -> None:
    """In a process of its own, which glibc has not learnt anything from."""
    code = f"""
import ctypes
from app.ui import garbage
class Info(ctypes.Structure):
    _fields_ = [(n, ctypes.c_size_t) for n in
        "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost".split()]
libc = ctypes.CDLL(None)
libc.mallinfo2.restype, libc.malloc.restype = Info, ctypes.c_void_p
libc.malloc.argtypes, libc.free.argtypes = [ctypes.c_size_t], [ctypes.c_void_p]
{before}
libc.free(libc.malloc(8 << 20))
count = libc.mallinfo2().hblks
kept = libc.malloc(2 << 20)
print(libc.mallinfo2().hblks - count)
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(run.stdout) == apart
