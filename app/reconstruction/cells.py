"""Values by cell of space: a hash table in numpy that takes thousands of cells at a time."""

import numpy as np
from numpy.typing import NDArray

from app.reconstruction.cloud import Cells

# No cell has this number in practice.
_EMPTY = np.uint64(0xFFFFFFFFFFFFFFFF)
_FULL = 0.6
_START_BITS = 14


class CellTable:
    """The largest value uint64 that was put into each cell; 0 is none.

    Open addressing with triangular steps. It grows by doubling when it is 60 % full, and then
    forgets the cells without a value, so that it is as large as the space that is in use.
    """

    def __init__(self) -> None:
        self._allocate(_START_BITS)

    def __len__(self) -> int:
        """Cells with a value."""
        return int(np.count_nonzero(self._values))

    def get(self, cells: Cells) -> NDArray[np.uint64]:
        """Values [N] of cells [N]."""
        slots, here = self._first(cells), np.arange(len(cells))
        values = np.zeros(len(cells), np.uint64)
        step = 0
        while len(here):
            found = self._keys[slots]
            hit = found == cells[here]
            values[here[hit]] = self._values[slots[hit]]
            on = ~hit & (found != _EMPTY)
            here, step = here[on], step + 1
            slots = slots[on] + step & self._mask
        return values

    def raise_to(
        self, cells: Cells, values: NDArray[np.uint64]
    ) -> tuple[NDArray[np.uint64], NDArray[np.bool_]]:
        """Put values [N], no two of them equal, into cells [N] where they are larger.

        Returns the values [N] before, and which of the new ones [N] are there now.
        """
        if self._used + len(cells) > _FULL * len(self._keys):
            self._grow(len(cells))
        slots = self._claim(cells)
        before = self._values[slots]
        np.maximum.at(self._values, slots, values)
        won = self._values[slots] == values
        self._used += int(np.count_nonzero(won & (before == 0)))
        return before, won

    def remove(self, cells: Cells, values: NDArray[np.uint64]) -> None:
        """Empty those of the cells [N], which are all known, whose value is that of `values`."""
        slots = self._claim(cells)
        self._values[slots[self._values[slots] == values]] = 0

    def _claim(self, cells: Cells) -> NDArray[np.intp]:
        """Slots [N] of cells [N], those that are new included."""
        result = np.empty(len(cells), np.intp)
        slots, here = self._first(cells), np.arange(len(cells))
        step = 0
        while len(here):
            wanted = cells[here]
            free = self._keys[slots] == _EMPTY
            # Of several new cells that meet in one slot the last stays, and the others go on.
            self._keys[slots[free]] = wanted[free]
            hit = self._keys[slots] == wanted
            result[here[hit]] = slots[hit]
            here, step = here[~hit], step + 1
            slots = slots[~hit] + step & self._mask
        return result

    def _first(self, cells: Cells) -> NDArray[np.intp]:
        return (cells >> self._shift).astype(np.intp)

    def _allocate(self, bits: int) -> None:
        self._keys = np.full(1 << bits, _EMPTY)
        self._values = np.zeros(1 << bits, np.uint64)
        self._shift, self._mask = np.uint64(64 - bits), (1 << bits) - 1
        self._used = 0

    def _grow(self, more: int) -> None:
        alive = self._values != 0
        cells, values = self._keys[alive], self._values[alive]
        # Half of what it may hold: it shall not grow again at once.
        bits = int(np.ceil(np.log2(2 * (len(cells) + more) / _FULL)))
        self._allocate(max(_START_BITS, bits))
        self._values[self._claim(cells)] = values
        self._used = len(cells)
