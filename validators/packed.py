"""Long columns of whole numbers in a few bytes a row: keys, instants and positions of millions of writes.

Numbers that stand together in a record are close to each other. A column is kept in blocks of one length, each as its
least value and how far the others lie above it, in as few bytes as that takes; a block that counts up one by one is
kept as its first value. Work goes block by block, so that what is computed on the way takes no memory that counts.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from validators.columns import I64, Bool

_BLOCK = 1 << 15  # rows: so few that keys mostly lie within two bytes of each other
_WIDTHS = (np.uint8, np.uint16, np.uint32)
type Column = Packed | I64


@dataclass(frozen=True)
class _Block:
    """`above` (how far they lie above `base`) None: the values count up one by one from the lowest."""

    low: int
    high: int
    rows: int
    base: int
    above: NDArray[Any] | None

    def values(self) -> I64:
        """All of them."""
        if self.above is None:
            return np.arange(self.low, self.low + self.rows, dtype=np.int64)
        return self.above.astype(np.int64) + self.base

    def some(self, rows: I64) -> I64:
        """Those of some rows."""
        return (rows if self.above is None else self.above[rows].astype(np.int64)) + self.base


def _packed(values: I64) -> _Block:
    low, high = int(values.min()), int(values.max())
    if high - low == len(values) - 1 and bool((np.diff(values) == 1).all()):
        return _Block(low, high, len(values), low, None)
    for width in _WIDTHS:
        if high - low <= np.iinfo(width).max:
            return _Block(low, high, len(values), low, (values - low).astype(width))
    return _Block(low, high, len(values), 0, values.copy())


class Packed:
    """A column of whole numbers; see the module. Made by `Packing` or `pack`."""

    def __init__(self, blocks: list[_Block]) -> None:
        self._blocks = blocks
        self._length = blocks[0].rows if blocks else 1  # of each block but the last

    def __len__(self) -> int:
        return sum(b.rows for b in self._blocks)

    def blocks(self, *, backwards: bool = False) -> Iterator[I64]:
        """Values, block by block; `backwards`: the last block first. Columns of one length have the same blocks."""
        return (b.values() for b in (reversed(self._blocks) if backwards else self._blocks))

    def values(self) -> I64:
        """All values at once: eight bytes each."""
        return np.concatenate([np.zeros(0, dtype=np.int64), *self.blocks()])

    def at(self, row: int) -> int:
        """One value."""
        return int(self.take(np.array([row], dtype=np.int64))[0])

    def take(self, rows: I64) -> I64:
        """Values of some rows."""
        place = rows // self._length
        result = np.empty(len(rows), dtype=np.int64)
        for number in np.flatnonzero(np.bincount(place)).tolist():
            mine = place == number
            result[mine] = self._blocks[number].some(rows[mine] - number * self._length)
        return result

    def test(self, condition: Callable[[I64], Bool]) -> Bool:
        """Whether a condition holds, for each row."""
        return np.concatenate([np.zeros(0, dtype=np.bool_), *map(condition, self.blocks())])

    def where(self, chosen: Bool) -> "Packed":
        """The rows chosen, as a column."""
        kept, first = Packing(), 0
        for block in self.blocks():
            kept.append(block[chosen[first : first + len(block)]])
            first += len(block)
        return kept.end()

    def bounds(self) -> tuple[int, int]:
        """Least and greatest value of a column that has rows."""
        return min(b.low for b in self._blocks), max(b.high for b in self._blocks)

    def consecutive(self) -> bool:
        """Whether each value is one more than the one before."""
        together = all(a.high + 1 == b.low for a, b in pairwise(self._blocks))
        return together and all(b.above is None for b in self._blocks)


class Packing:
    """A column that grows."""

    def __init__(self) -> None:
        self._blocks: list[_Block] = []
        self._open: list[I64] = []
        self._waiting = 0

    def append(self, values: I64) -> None:
        """Append values; they are copied."""
        while len(values):
            part = values[: _BLOCK - self._waiting]
            values = values[len(part) :]
            self._open.append(part.copy())
            self._waiting += len(part)
            if self._waiting == _BLOCK:
                self._close()

    def _close(self) -> None:
        if self._open:
            self._blocks.append(_packed(np.concatenate(self._open)))
            self._open, self._waiting = [], 0

    def end(self) -> Packed:
        """Return the column."""
        self._close()
        return Packed(self._blocks)


def pack(values: I64) -> Packed:
    """Return values as a column."""
    packing = Packing()
    packing.append(values)
    return packing.end()


class Index:
    """Where each key of a column stands; of a key that occurs twice, either row."""

    _DENSE = 4  # a table of rows is used when keys fill at least a quarter of their range

    def __init__(self, keys: Packed) -> None:
        self._rows = len(keys)
        self._low, self._high = keys.bounds() if len(keys) else (0, -1)
        self._table: NDArray[np.int32] | None = None
        self._sorted: tuple[I64, I64] | None = None
        if not len(keys) or keys.consecutive():
            return
        if self._high - self._low >= self._DENSE * len(keys) + 1_000_000:
            values = keys.values()
            order = np.argsort(values, kind="stable")
            self._sorted = values[order], order
            return
        self._table = np.full(self._high - self._low + 1, -1, dtype=np.int32)
        first = 0
        for block in keys.blocks():
            self._table[block - self._low] = np.arange(first, first + len(block), dtype=np.int32)
            first += len(block)

    def rows(self, wanted: I64) -> I64:
        """Row of each wanted key; -1: it is not there."""
        if self._sorted is not None:
            keys, order = self._sorted
            place = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
            return np.where(keys[place] == wanted, order[place], -1)
        inside = (wanted >= self._low) & (wanted <= self._high)
        found = np.where(inside, wanted, self._low) - self._low
        if self._table is not None:
            found = self._table[found].astype(np.int64)
        return np.where(inside, found, -1)

    def lookup(self, values: Packed, wanted: I64, default: int) -> I64:
        """Value that stands in the row of each wanted key; the default for a key that is not there."""
        rows = self.rows(wanted)
        result = np.full(len(wanted), default, dtype=np.int64)
        there = rows >= 0
        result[there] = values.take(rows[there])
        return result


def isin(values: Column, *among: Column) -> Bool:
    """Which values are in any of some columns."""
    result = np.zeros(len(values), dtype=np.bool_)
    for column in among:
        if len(values) and len(column):
            result |= _isin(values, column)
    return result


def _isin(values: Column, among: Column) -> Bool:
    """By a table of marks (a byte a key) unless it were far larger than the keys."""
    low, high = _bounds(among)
    if high - low >= 32 * (len(among) + len(values)) + 1_000_000:
        return np.isin(_whole(values), _whole(among))
    marked = _marked(among, low, high)
    found = []
    for block in _blocks(values):
        inside = (block >= low) & (block <= high)
        found.append(inside & marked[np.where(inside, block, low) - low])
    return np.concatenate(found)


def doubles(keys: Column) -> I64:
    """Keys that occur more than once, sorted."""
    if len(keys) < 2 or (isinstance(keys, Packed) and keys.consecutive()):
        return np.zeros(0, dtype=np.int64)
    low, high = _bounds(keys)
    if high - low < 32 * len(keys) + 1_000_000 and int(_marked(keys, low, high).sum()) == len(keys):
        return np.zeros(0, dtype=np.int64)
    ordered = np.sort(_whole(keys))
    return np.unique(ordered[1:][ordered[1:] == ordered[:-1]])


def _marked(keys: Column, low: int, high: int) -> Bool:
    """Table of marks from the lowest to the highest key."""
    table = np.zeros(high - low + 1, dtype=np.bool_)
    for block in _blocks(keys):
        table[block - low] = True
    return table


def _bounds(column: Column) -> tuple[int, int]:
    return column.bounds() if isinstance(column, Packed) else (int(column.min()), int(column.max()))


def _whole(column: Column) -> I64:
    return column.values() if isinstance(column, Packed) else column


def _blocks(column: Column) -> Iterable[I64]:
    if isinstance(column, Packed):
        return column.blocks()
    return (column[first : first + _BLOCK] for first in range(0, len(column), _BLOCK))
