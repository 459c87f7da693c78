"""True replication lag across regions: drawn anew each minute, a small share of minutes from a long tail.

A replica never goes back: where a longer lag is drawn it stands still until it is that far behind.
Source: CALIBRATION 2 (judgement): .98 LN(1 s, 1) + .02 LN(60 s, 1).
"""

import numpy as np
from numpy.typing import NDArray

from sim.control.context import Context

I64 = NDArray[np.int64]
LONG_AGO_NS = -(1 << 62)


class Lag:
    """How far the replica is behind at an instant, while it receives."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._period_ns = context.ns("postgres.replication_lag_period")
        self._drawn: list[int] = []  # lag that each period aims at
        self._reached: list[int] = []  # newest position (as a time) that was replayed before each period

    def at_ns(self, instant_ns: int) -> int:
        """Lag at one instant, in nanoseconds."""
        return int(self.many_ns(np.array([instant_ns]))[0])

    def many_ns(self, instants_ns: I64) -> I64:
        """Lag at many instants, none before the run's start."""
        if not self._context.on("replication_lag") or len(instants_ns) == 0:
            return np.zeros(len(instants_ns), dtype=np.int64)
        period = instants_ns // self._period_ns
        self._draw(int(period.max()))
        drawn, reached = np.array(self._drawn)[period], np.array(self._reached)[period]
        return np.asarray(np.minimum(drawn, instants_ns - reached), dtype=np.int64)

    def _draw(self, last: int) -> None:
        draws = self._context.draws
        share = self._context.parameters.number("postgres.replication_lag_tail_share")
        for n in range(len(self._drawn), last + 1):
            tail = draws.uniform("replica", "lag tail", n) < share
            name = "postgres.replication_lag_tail" if tail else "postgres.replication_lag"
            before = max(self._reached[-1], n * self._period_ns - self._drawn[-1]) if n else LONG_AGO_NS
            self._reached.append(before)
            self._drawn.append(draws.sample_ns(name, "replica", n))
