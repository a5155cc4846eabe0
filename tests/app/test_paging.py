"""Arrays that live in files."""

import gc
import mmap
import os
import tempfile
from pathlib import Path

import numpy as np
import pytest

from app import paging
from app.paging import page_out, paged


@pytest.fixture(autouse=True)
def store(monkeypatch: pytest.MonkeyPatch) -> paging._Store:
    page_out()  # so that arrays of other tests do not count
    monkeypatch.setattr(paging, "_store", paging._Store())
    return paging._store


def resident(store: paging._Store) -> int:
    """Bytes of the store's files that take memory of this process."""
    ranges = Path("/proc/self/smaps").read_text().split("VmFlags")
    lengths = {len(chunk) for chunk in store.chunks}
    sizes = [
        int(part.split("Rss:")[1].split()[0]) * 1024
        for part in ranges
        if "(deleted)" in part and int(part.split("Size:")[1].split()[0]) * 1024 in lengths
    ]
    return sum(sizes)


def test_values_and_shape_are_kept_whatever_the_order_in_memory() -> None:
    image = np.random.default_rng(0).integers(0, 255, (300, 200, 3), np.uint8)
    for array in (image, image.transpose(1, 0, 2), image[::2, ::-1], image.astype(np.float32)):
        copy = paged(array)
        assert copy.dtype == array.dtype
        np.testing.assert_array_equal(copy, array)
        page_out()
        np.testing.assert_array_equal(copy, array)


def test_a_few_bytes_stay_where_they_are(store: paging._Store) -> None:
    array = np.zeros(100)
    assert paged(array) is array
    assert not store.chunks


@pytest.mark.skipif(not Path("/proc/self/smaps").exists(), reason="Linux tells what is resident")
def test_arrays_that_nobody_looks_at_take_no_memory(store: paging._Store) -> None:
    arrays = [paged(np.full(1_000_000, value, np.float32)) for value in range(8)]
    assert resident(store) >= 32_000_000
    page_out()
    assert resident(store) == 0
    assert [array[-1] for array in arrays] == list(range(8))
    assert 0 < resident(store) < 4_000_000


def test_the_place_of_an_array_that_is_gone_is_used_again(store: paging._Store) -> None:
    kept = paged(np.zeros(100_000))
    for value in range(100):
        view = paged(np.full(100_000, float(value)))[5:]
        gc.collect()
        assert (view == value).all(), "a view keeps its place"
        assert (kept == 0).all()
    assert len(store.chunks) == 1


def test_more_than_a_chunk_fits(store: paging._Store) -> None:
    large = paged(np.arange(3_000_000.0))
    paged(np.zeros(100_000))
    assert large[-1] == 2_999_999
    assert len(store.chunks) == 2


def test_without_room_on_the_disk_arrays_stay_in_memory(
    store: paging._Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full, raising=False)
    array = np.zeros(100_000)
    assert paged(array) is array
    page_out()
    monkeypatch.setattr(tempfile, "TemporaryFile", full)
    assert paged(array) is array


def test_a_system_without_advice_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    array = paged(np.ones(100_000))
    monkeypatch.delattr(mmap, "MADV_DONTNEED", raising=False)
    page_out()
    assert array.sum() == 100_000
