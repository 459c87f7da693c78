"""True replication lag across regions: drawn anew each minute, a small share of minutes from a long tail.

Source: CALIBRATION 2 (judgement): .98 LN(1 s, 1) + .02 LN(60 s, 1).
"""

import numpy as np
from numpy.typing import NDArray

from sim.control.context import Context

I64 = NDArray[np.int64]


class Lag:
    """How far the replica is behind at an instant, while it receives."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._period_ns = context.ns("postgres.replication_lag_period")
        self._known: dict[int, int] = {}

    def at_ns(self, instant_ns: int) -> int:
        """Lag at one instant, in nanoseconds."""
        if not self._context.on("replication_lag"):
            return 0
        n = instant_ns // self._period_ns
        if n not in self._known:
            self._known[n] = self._draw(n)
        return self._known[n]

    def _draw(self, n: int) -> int:
        draws = self._context.draws
        share = self._context.parameters.number("postgres.replication_lag_tail_share")
        tail = draws.uniform("replica", "lag tail", n) < share
        return draws.sample_ns("postgres.replication_lag_tail" if tail else "postgres.replication_lag", "replica", n)

    def many_ns(self, instants_ns: I64) -> I64:
        """Lag at many instants."""
        minutes, inverse = np.unique(instants_ns // self._period_ns, return_inverse=True)
        return np.array([self.at_ns(int(m) * self._period_ns) for m in minutes], dtype=np.int64)[inverse]
