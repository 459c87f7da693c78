"""Interval of a mean from batches of a correlated series."""

import math

import numpy as np
from numpy.typing import NDArray


def mean_bounds(batches: NDArray[np.float64], confidence: float = 0.95) -> tuple[float, float]:
    """Lower and upper bound of the mean of batches, each one-sided at the confidence (Student's t).

    One batch bounds nothing: (-inf, inf). Batches are taken to be independent, so they must be long against the series'
    own memory.

    >>> [round(bound, 3) for bound in mean_bounds(np.array([1.0, 2.0, 3.0]))]
    [0.314, 3.686]
    """
    from scipy.special import stdtrit

    if len(batches) < 2:
        return -math.inf, math.inf
    middle = float(batches.mean())
    half = float(stdtrit(len(batches) - 1, confidence)) * float(batches.std(ddof=1)) / math.sqrt(len(batches))
    return middle - half, middle + half
