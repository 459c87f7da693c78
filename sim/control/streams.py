"""Many numbers of the streams of `sim.data.draws` at once, in numpy: no compiler is needed for them."""

import numpy as np
from numpy.typing import NDArray

_GOLDEN, _MIX1, _MIX2 = (np.uint64(c) for c in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB))


def uniforms(key: np.uint64 | NDArray[np.uint64], n: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return numbers n of a stream (or of one stream each), the same as `sim.data.draws.uniform`."""
    z = key + (n.astype(np.uint64) + np.uint64(1)) * _GOLDEN
    z = (z ^ (z >> np.uint64(30))) * _MIX1
    z = (z ^ (z >> np.uint64(27))) * _MIX2
    z ^= z >> np.uint64(31)
    return ((z >> np.uint64(12)).astype(np.float64) + 0.5) / 4503599627370496.0
