"""Arrow arrays from numpy's and from words.

`pyarrow.array` imports pandas whatever it is given: a second, and 60 MB that a run has no use for.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray


def numbers(values: NDArray[Any], missing: NDArray[np.bool_] | None = None) -> pa.Array:
    """Array of whole or real numbers over numpy's own memory; null where it is missing."""
    if missing is None or not (nulls := int(np.count_nonzero(missing))):
        nulls, known = 0, None
    else:
        known = pa.py_buffer(np.packbits(~missing, bitorder="little"))
    held = pa.py_buffer(np.ascontiguousarray(values))
    return pa.Array.from_buffers(pa.from_numpy_dtype(values.dtype), len(values), [known, held], nulls)


def words(values: Sequence[str]) -> pa.Array:
    """Array of text without nulls."""
    encoded = [value.encode() for value in values]
    ends = np.cumsum([0, *map(len, encoded)], dtype=np.int32)
    return pa.Array.from_buffers(
        pa.string(), len(encoded), [None, pa.py_buffer(ends), pa.py_buffer(b"".join(encoded))], 0
    )
