"""Log-linear histograms: 128 bins an octave, relative error of a bin's middle at most 0.4 %; merged by addition.

A histogram is kept sparse, as an n x 2 array of (bin, count) with ascending bins. Values are nanoseconds.
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

I64 = NDArray[np.int64]
BINS_PER_OCTAVE = 128


def bin_of(value_ns: int) -> int:
    """Bin of a value >= 0: the value itself below 128, then 128 equal bins for each doubling."""
    if value_ns < BINS_PER_OCTAVE:
        return value_ns
    shift = value_ns.bit_length() - 8
    return shift * BINS_PER_OCTAVE + (value_ns >> shift)


def bins_of(values_ns: I64) -> I64:
    """Bins of many values >= 0 (exact: by integer comparisons with powers of two, no logarithm)."""
    powers = np.left_shift(np.int64(1), np.arange(8, 63, dtype=np.int64))
    shift = np.searchsorted(powers, values_ns, side="right").astype(np.int64)
    return shift * BINS_PER_OCTAVE + np.right_shift(values_ns, shift)


def low_edge_ns(bins: I64) -> I64:
    """Least value of each bin."""
    bins = np.asarray(bins, dtype=np.int64)
    shift = np.maximum(bins // BINS_PER_OCTAVE - 1, 0)
    edges: I64 = np.left_shift(bins - shift * BINS_PER_OCTAVE, shift)
    return edges


def middle_ns(bins: I64) -> NDArray[np.float64]:
    """Middle of each bin, the value a quantile reports."""
    low, high = low_edge_ns(bins), low_edge_ns(np.asarray(bins, dtype=np.int64) + 1)
    return (low + high - 1) / 2.0


def of(values_ns: I64) -> I64:
    """Histogram of values."""
    bins, counts = np.unique(bins_of(np.asarray(values_ns, dtype=np.int64)), return_counts=True)
    return np.column_stack([bins, counts]).astype(np.int64)


def merge(histograms: Iterable[I64]) -> I64:
    """Sum of histograms."""
    parts = [h for h in histograms if len(h)]
    if not parts:
        return np.empty((0, 2), dtype=np.int64)
    rows = np.concatenate(parts)
    bins, inverse = np.unique(rows[:, 0], return_inverse=True)
    counts = np.zeros(len(bins), dtype=np.int64)
    np.add.at(counts, inverse, rows[:, 1])
    return np.column_stack([bins, counts])


def count(histogram: I64) -> int:
    """Return the number of values."""
    return int(histogram[:, 1].sum()) if len(histogram) else 0


def quantile_ns(histogram: I64, q: float) -> float | None:
    """Value at quantile q (nearest rank), None of an empty histogram.

    >>> quantile_ns(of(np.array([100, 110, 120])), 0.5)
    110.0
    """
    total = count(histogram)
    if total == 0:
        return None
    rank = max(1, int(np.ceil(q * total)))
    position = int(np.searchsorted(np.cumsum(histogram[:, 1]), rank))
    return float(middle_ns(histogram[position : position + 1, 0])[0])
