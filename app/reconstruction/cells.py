"""Values by cell of space: a hash table in numpy that takes thousands of cells at a time."""

from math import isqrt

import numpy as np
from numpy.typing import NDArray

from app.reconstruction.cloud import Cells

# No cell has this number in practice.
_EMPTY = np.uint64(0xFFFFFFFFFFFFFFFF)
_HALF, _LOWER = np.uint64(32), np.uint64(0xFFFFFFFF)
# Slots to begin with, 25 MB: room for the cells of a minute or more of a capture. Meanwhile no
# window waits for a table to grow, and memory does not grow with it.
_START = 3 << 19
# How full a table of 16 bytes a slot gets, and how full it is after it grew: 20 to 32 bytes a cell.
_FULL, _FULL_AFTER = 0.8, 0.5

Slots = NDArray[np.uint32]
"""Places of cells in a table, until it grows."""

GONE = np.uint32(0xFFFFFFFF)
"""The slot of a cell that a table has forgotten."""


class CellTable:
    """The largest value uint64 that was put into each cell; 0 is none.

    Open addressing with double hashing (Knuth, The Art of Computer Programming 3, 6.4, algorithm
    D). When it grows it forgets the cells without a value, so that it is as large as the space
    that is in use.
    """

    def __init__(self) -> None:
        self._allocate(_START)

    def __len__(self) -> int:
        """Cells with a value."""
        return int(np.count_nonzero(self._values))

    def get(self, cells: Cells) -> NDArray[np.uint64]:
        """Values [N] of cells [N]."""
        slots, here = self._first(cells), np.arange(len(cells))
        values = np.zeros(len(cells), np.uint64)
        while len(here):
            found = self._keys[slots]
            hit = found == cells[here]
            values[here[hit]] = self._values[slots[hit]]
            on = ~hit & (found != _EMPTY)
            here = here[on]
            slots = self._next(slots[on], cells[here])
        return values

    def at(self, slots: Slots) -> NDArray[np.uint64]:
        """Values [N] in slots [N]."""
        return self._values[slots]

    def make_room(self, count: int) -> Slots | None:
        """Grow if so many more cells would be too many: from then on slots are others.

        Returns the new slot of each old one, GONE of those without a value.
        """
        if self._used + count <= _FULL * len(self._keys):
            return None
        alive = np.flatnonzero(self._values)
        moved = np.full(len(self._keys), GONE)
        cells, values = self._keys[alive], self._values[alive]
        self._allocate(max(_START, int((len(cells) + count) / _FULL_AFTER)))
        slots, _ = self._claim(cells)
        self._values[slots] = values
        self._used += len(cells)
        moved[alive] = slots
        return moved

    def raise_to(
        self, cells: Cells, values: NDArray[np.uint64]
    ) -> tuple[NDArray[np.uint64], Slots]:
        """Put values [N], no two of them equal, into cells [N] where they are larger.

        There must be room for them, see `make_room`. Returns the values [N] before, and the slots
        [N], in which the new values are now if they were larger.
        """
        slots, new = self._claim(cells)
        before = self._values[slots]
        np.maximum.at(self._values, slots, values)
        self._used += int(np.count_nonzero(new & (self._values[slots] == values)))
        return before, slots.astype(np.uint32)

    def empty(self, slots: Slots) -> None:
        """Take the values out of slots [N]."""
        self._values[slots] = 0

    def _claim(self, cells: Cells) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
        """Slots [N] of cells [N], and which had none until now."""
        result, new = np.empty(len(cells), np.intp), np.empty(len(cells), np.bool_)
        slots, here = self._first(cells), np.arange(len(cells))
        while len(here):
            wanted = cells[here]
            free = self._keys[slots] == _EMPTY
            # Of several new cells that meet in one slot the last stays, and the others go on.
            self._keys[slots[free]] = wanted[free]
            hit = self._keys[slots] == wanted
            result[here[hit]], new[here[hit]] = slots[hit], free[hit]
            here = here[~hit]
            slots = self._next(slots[~hit], wanted[~hit])
        return result, new

    def _first(self, cells: Cells) -> NDArray[np.intp]:
        """Slots by the upper halves of numbers, scaled: a division takes several times as long."""
        return ((cells >> _HALF) * self._size >> _HALF).astype(np.intp)

    def _next(self, slots: NDArray[np.intp], cells: Cells) -> NDArray[np.intp]:
        """The slots after these, by the lower halves; a cell gets to all, of which there is a prime
        number.
        """
        steps = (cells & _LOWER) * (self._size - np.uint64(1)) >> _HALF
        slots = slots + steps.astype(np.intp) + 1
        slots[slots >= len(self._keys)] -= len(self._keys)
        return slots

    def _allocate(self, least: int) -> None:
        size = _prime_from(least)
        self._keys = np.full(size, _EMPTY)
        self._values = np.zeros(size, np.uint64)
        self._size = np.uint64(size)
        self._used = 0


def _prime_from(least: int) -> int:
    """The smallest odd prime that is not less."""
    number = least | 1
    while not np.all(number % np.arange(3, isqrt(number) + 1, 2)):
        number += 2
    return number
