"""Columns of Arrow tables as numpy arrays, without a Python object for each row."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from scenarios.record import histogram

I64 = NDArray[np.int64]
F64 = NDArray[np.float64]
Bool = NDArray[np.bool_]
NONE = np.iinfo(np.int64).min  # stands for null in a column of integers
_DTYPES = {pa.int32(): np.int32, pa.int64(): np.int64, pa.float64(): np.float64}


def _array(column: pa.ChunkedArray) -> pa.Array:
    if column.num_chunks == 0:
        return pa.array([], type=column.type)
    return column.chunk(0) if column.num_chunks == 1 else pa.concat_arrays(column.chunks)


def _numbers(array: pa.Array, missing: float = 0) -> NDArray[Any]:
    """Numbers of an array, copied only to put something in the place of nulls.

    Neither `to_numpy` nor `fill_null`: either imports pandas, which takes a second.
    """
    if not array.null_count:
        return np.from_dlpack(array)
    validity, values = array.buffers()
    rows = slice(array.offset, array.offset + len(array))
    numbers = np.frombuffer(values, dtype=_DTYPES[array.type])[rows].copy()
    known = np.unpackbits(np.frombuffer(validity, dtype=np.uint8), bitorder="little")[rows]
    numbers[known == 0] = missing
    return numbers


def whole(table: pa.Table, name: str) -> I64:
    """Integers of a column; null is NONE."""
    array = _array(table[name])
    if array.null_count and array.type != pa.int64():
        array = array.cast(pa.int64())
    return _numbers(array, NONE).astype(np.int64, copy=False)


def small(table: pa.Table, name: str) -> NDArray[np.int32]:
    """Integers of a column of 32 bits without nulls."""
    return _numbers(_array(table[name])).astype(np.int32, copy=False)


def real(table: pa.Table, name: str) -> F64:
    """Floats of a column; null is NaN."""
    return _numbers(_array(table[name]), np.nan).astype(np.float64, copy=False)


@dataclass(frozen=True)
class Names:
    """A column of names: a code for each row (-1: null) and the name of each code, no name twice."""

    codes: NDArray[np.int32]
    names: tuple[str, ...]

    def equal(self, name: str, rows: I64 | None = None) -> Bool:
        """Which rows hold this name: of all, or of those given."""
        codes = self.codes if rows is None else self.codes[rows]
        if name not in self.names:
            return np.zeros(len(codes), dtype=np.bool_)
        return np.asarray(codes == self.names.index(name))

    def seen(self) -> list[str]:
        """Names that occur, sorted."""
        used = np.unique(self.codes)
        return sorted({self.names[i] for i in used if i >= 0})


def names(table: pa.Table, name: str) -> Names:
    """Column of names."""
    column = table[name]
    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    array = _array(column.unify_dictionaries())
    codes = _numbers(array.indices, -1).astype(np.int32, copy=False)
    known = [str(n) for n in array.dictionary.to_pylist()]
    if len(set(known)) == len(known):
        return Names(codes, tuple(known))
    unique = sorted(set(known))  # a writer may have listed a name twice
    place = np.array([*(unique.index(n) for n in known), -1], dtype=np.int32)
    return Names(place[codes], tuple(unique))


@dataclass(frozen=True)
class Histograms:
    """Sparse histograms of many rows: bin and count of each entry, and the row it belongs to."""

    bins: I64
    counts: I64
    row: I64

    def total(self, weight: Bool | None = None) -> I64:
        """Histogram of the rows chosen (by a mask over rows), as `scenarios.record.histogram` keeps it."""
        chosen = slice(None) if weight is None else weight[self.row]
        bins, counts = self.bins[chosen], self.counts[chosen]
        if len(bins) == 0:
            return np.empty((0, 2), dtype=np.int64)
        sums = np.bincount(bins, weights=counts.astype(np.float64))
        used = np.flatnonzero(sums)
        return np.column_stack([used, np.rint(sums[used])]).astype(np.int64)


def histograms(table: pa.Table, name: str, rows: I64) -> Histograms:
    """Histograms of some rows of a column; a null row has no entries."""
    indices = pa.Array.from_buffers(pa.int64(), len(rows), [None, pa.py_buffer(np.ascontiguousarray(rows))])
    array = _array(table[name].take(indices))
    lengths = _numbers(pc.list_value_length(array)).astype(np.int64)
    values = array.flatten()
    return Histograms(
        _numbers(values.field("bin")).astype(np.int64, copy=False),
        _numbers(values.field("count")).astype(np.int64, copy=False),
        np.repeat(np.arange(len(lengths), dtype=np.int64), lengths),
    )


def quantile_ms(counted: I64, share: float, missing: int = 0) -> float | None:
    """Quantile of a histogram in ms; `missing` values are above all others. None: empty, or among the missing.

    >>> quantile_ms(histogram.of(np.array([100, 110, 120])), 0.5)
    0.00011
    """
    total = histogram.count(counted) + missing
    if total == 0:
        return None
    rank = max(1, int(np.ceil(share * total - 1e-9)))
    cumulative = np.cumsum(counted[:, 1])
    if len(cumulative) == 0 or rank > int(cumulative[-1]):
        return None
    place = int(np.searchsorted(cumulative, rank))
    return float(histogram.middle_ns(counted[place : place + 1, 0])[0]) / 1e6
