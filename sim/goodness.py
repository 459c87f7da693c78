"""When each service was last bad, as far as the run itself must know to see that it has settled.

The judge measures recovery from the record by its own definition; this is the coarser question "is it quiet yet?".
A service is bad where two probes through DNS within five seconds were wrong (99 % of 100 is not reached), or one was
whose probes come slower than 20 a second.
"""

import numpy as np
from numpy.typing import NDArray

I64 = NDArray[np.int64]
Bool = NDArray[np.bool_]
WINDOW_NS = 5_000_000_000
DENSE_NS = 50_000_000


class Goodness:
    """Last bad instant of each service."""

    def __init__(self, spacing_ns: dict[str, int]) -> None:
        self._spacing_ns = spacing_ns
        self._last_wrong: dict[str, int] = {}
        self.last_bad_ns: dict[str, int] = dict.fromkeys(spacing_ns, -1)

    def note(self, service: str, intended_ns: I64, right: Bool) -> None:
        """Take the next probes of a service, in order of intended time."""
        wrong = intended_ns[~right]
        if len(wrong) == 0:
            return
        if self._spacing_ns[service] > DENSE_NS:
            self.last_bad_ns[service] = int(wrong[-1])
            return
        before = self._last_wrong.get(service)
        chain = wrong if before is None else np.concatenate([[before], wrong])
        pairs = np.flatnonzero(np.diff(chain) < WINDOW_NS)
        if len(pairs):
            self.last_bad_ns[service] = int(chain[pairs[-1] + 1])
        self._last_wrong[service] = int(wrong[-1])

    @property
    def bad_until_ns(self) -> int:
        """Latest bad instant of any service, -1 if none was bad."""
        return max(self.last_bad_ns.values(), default=-1)
