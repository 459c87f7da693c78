"""Arrays made over numpy's memory are those that pyarrow itself makes."""

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from scenarios.record.arrays import numbers, words


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(-(2**31), 2**31 - 1), st.booleans()), max_size=20),
    st.integers(1, 3),
    st.sampled_from([np.int32, np.int64, np.float64]),
)
def test_numbers(rows: list[tuple[int, bool]], step: int, dtype: type[np.generic]) -> None:
    values = np.array([value for value, _ in rows], dtype=dtype)[::step]
    missing = np.array([gone for _, gone in rows], dtype=np.bool_)[::step]
    assert numbers(values).equals(pa.array(values))
    with_nulls = numbers(values, missing)
    assert with_nulls.equals(pa.array(values, mask=missing))
    assert with_nulls.null_count == np.count_nonzero(missing)
    for array in (with_nulls, numbers(values)):
        array.validate(full=True)


@settings(deadline=None)
@given(st.lists(st.text(max_size=6), max_size=6))
def test_words(values: list[str]) -> None:
    array = words(values)
    array.validate(full=True)
    assert array.equals(pa.array(values, pa.string()))


def test_an_array_keeps_the_memory_under_it() -> None:
    array = numbers(np.arange(100_000))
    np.full(100_000, -1)
    assert array[99_999].as_py() == 99_999
