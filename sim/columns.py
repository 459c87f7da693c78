"""Arrow columns of names and of histograms, as the record's tables want them."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from scenarios.record.arrays import numbers, words

I64 = NDArray[np.int64]


def name_column(indices: NDArray[np.integer], values: Sequence[str]) -> pa.Array:
    """Dictionary column; an index of -1 is null."""
    codes = indices.astype(np.int32)
    return pa.DictionaryArray.from_arrays(numbers(codes, codes < 0), _dictionary(tuple(values)))


@lru_cache(maxsize=256)
def _dictionary(values: tuple[str, ...]) -> pa.Array:
    return words(values)


def nullable(values: I64, missing: NDArray[np.bool_]) -> pa.Array:
    """Column of whole numbers with nulls."""
    return numbers(values, missing)


def histograms(each: list[I64]) -> pa.Array:
    """List column of (bin, count)."""
    offsets = np.zeros(len(each) + 1, dtype=np.int32)
    np.cumsum([len(h) for h in each], out=offsets[1:])
    rows = np.concatenate(each) if each else np.zeros((0, 2), dtype=np.int64)
    pairs = pa.StructArray.from_arrays([numbers(rows[:, 0].astype(np.int32)), numbers(rows[:, 1])], ["bin", "count"])
    return pa.ListArray.from_arrays(numbers(offsets), pairs)
