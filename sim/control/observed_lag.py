"""Replication lag as its metric reports it: published once a minute, and high when nothing is written.

The metric is the age of the last transaction that was replayed. On an idle source that grows until the log is
switched, up to five minutes, though nothing is missing. Source: CALIBRATION 2 (ReplicaLag).
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from sim.control.context import Context, S

I64 = NDArray[np.int64]
F64 = NDArray[np.float64]


class ObservedLag:
    """Values of the metric; `as_of_ns` is true: the time of the newest replayed position at an instant."""

    def __init__(self, context: Context, as_of_ns: Callable[[int], int], database: int) -> None:
        self._context = context
        self._as_of_ns = as_of_ns
        self._database = database
        self._period_ns = context.ns("aws.observed_lag_period")
        self._idle_ns = context.ns("aws.observed_lag_idle")
        self._known: dict[int, float] = {}

    def at_s(self, instant_ns: int) -> float:
        """Seconds that the metric shows at an instant."""
        if not self._context.on("observed_lag"):
            return (instant_ns - self._as_of_ns(instant_ns)) / S
        published = instant_ns // self._period_ns * self._period_ns
        if published not in self._known:
            self._known[published] = self._publish(published)
        return self._known[published]

    def _publish(self, at_ns: int) -> float:
        replayed = self._as_of_ns(at_ns)
        return (at_ns - min(replayed, self._last_commit(replayed))) / S

    def _last_commit(self, before_ns: int) -> int:
        """Time of the last commit before an instant, to a second; the last switch of the log if there was none."""
        switched = before_ns // self._idle_ns * self._idle_ns
        position = self._position(before_ns)
        low, high = switched, before_ns  # nothing is known at low, all is there at high
        if position == self._position(switched):
            return switched
        while high - low > S:
            middle = (low + high) // 2
            low, high = (low, middle) if self._position(middle) == position else (middle, high)
        return high

    def _position(self, at_ns: int) -> int:
        return self._context.plane.wal_position_at(self._database, max(0, at_ns))

    def many_s(self, instants_ns: I64) -> F64:
        """Values at many instants."""
        return np.array([self.at_s(int(t)) for t in instants_ns], dtype=np.float64)
