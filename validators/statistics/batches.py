"""Uncertainty of a quantity that was taken from a correlated series, from the same quantity in batches of it."""

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]


def half_widths(batches: F64, confidence: float = 0.95) -> F64:
    """Half-width of the one-sided interval of each row's mean (Student's t); infinite for less than two batches.

    NaN is a batch that is not there. Batches are taken to be independent: they must be long against the memory of the
    series itself.

    >>> half_widths(np.array([[1.0, 2.0, 3.0], [1.0, np.nan, np.nan]])).round(3).tolist()
    [1.686, inf]
    """
    from scipy.special import stdtrit

    known = (~np.isnan(batches)).sum(axis=1)
    enough = known >= 2
    half = np.full(len(batches), np.inf)
    n = known[enough].astype(np.float64)
    deviation = np.nanstd(batches[enough], axis=1, ddof=1)
    half[enough] = np.asarray(stdtrit(n - 1, confidence)) * deviation / np.sqrt(n)
    return half
