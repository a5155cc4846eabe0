"""What the window does about memory that nobody needs."""

import ctypes
import gc
from collections.abc import Iterator

import pytest

from app.ui import garbage


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    garbage._trim.cache_clear()
    yield
    garbage._trim.cache_clear()
    gc.unfreeze()


def test_what_is_in_use_is_left_out_of_later_collections() -> None:
    garbage.set_aside()
    assert gc.get_freeze_count() > 1000


def test_a_c_library_that_cannot_give_back_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    garbage.give_back()
    garbage._trim.cache_clear()
    monkeypatch.setattr(ctypes, "CDLL", lambda name: object())
    garbage.give_back()
