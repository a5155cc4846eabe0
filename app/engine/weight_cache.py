"""Packed weights shared within the runtime.

XNNPACK rearranges every constant weight when a method is loaded, once for each linear that reads
it: a camera head of four iterations would hold its weights four times, and so would four methods.
The runtime's cache keeps one copy of each. It is on in the builds for phones; here it is an option
that Python has no call for, so the C++ function is called by its name.
"""

import ctypes
from pathlib import Path

SET_OPTION = "_ZN10executorch7runtime10set_optionEPKcNS0_4SpanINS0_13BackendOptionEEE"


class _Option(ctypes.Structure):
    """executorch::runtime::BackendOption: a name, and a variant of bool, int and text."""

    _fields_ = (
        ("key", ctypes.c_char * 64),
        ("value", ctypes.c_char * 256),
        ("kind", ctypes.c_uint8),
        ("padding", ctypes.c_uint8 * 3),
    )


class _Span(ctypes.Structure):
    _fields_ = (("data", ctypes.c_void_p), ("size", ctypes.c_size_t))


def share_packed_weights(libraries: Path) -> bool:
    """Turn the cache on for methods that are loaded from now on; whether this runtime has it.

    libraries: the folder of the runtime's shared libraries, which must be loaded already.
    """
    found = sorted(libraries.glob("libexecutorch.*"))
    if not found:
        return False
    set_option = getattr(ctypes.CDLL(str(found[0])), SET_OPTION, None)
    if set_option is None:
        return False
    set_option.argtypes, set_option.restype = (ctypes.c_char_p, _Span), ctypes.c_uint32
    option = _Option(key=b"weight_cache_enabled", value=b"\x01", kind=0)
    return bool(set_option(b"XnnpackBackend", _Span(ctypes.addressof(option), 1)) == 0)
