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
    """Values of the metric; `replayed_us` is true: the time of the newest replayed position at each instant."""

    def __init__(self, context: Context, replayed_us: Callable[[I64], I64], database: int) -> None:
        self._context = context
        self._replayed_us = replayed_us
        self._database = database
        self._period_ns = context.ns("aws.observed_lag_period")
        self._idle_ns = context.ns("aws.observed_lag_idle")
        self._known: dict[int, float] = {}
        self._commits: dict[int, int] = {}  # of the position that was published last: when it was committed

    def at_s(self, instant_ns: int) -> float:
        """Seconds that the metric shows at an instant."""
        return float(self.many_s(np.array([instant_ns]))[0])

    def many_s(self, instants_ns: I64) -> F64:
        """Values at many instants."""
        if not self._context.on("observed_lag"):
            return np.asarray((instants_ns // 1_000 - self._replayed_us(instants_ns // 1_000)) / 1e6)
        published, which = np.unique(instants_ns // self._period_ns * self._period_ns, return_inverse=True)
        return np.array([self._published_s(int(t)) for t in published])[which]

    def _published_s(self, at_ns: int) -> float:
        """Value published at an instant. Before the run the source was as busy as in it."""
        if at_ns not in self._known:
            replayed = int(self._replayed_us(np.array([at_ns // 1_000]))[0]) * 1_000
            if replayed not in self._commits:
                self._commits = {replayed: min(replayed, self._last_commit(replayed)) if replayed > 0 else replayed}
            self._known[at_ns] = (at_ns - self._commits[replayed]) / S
        return self._known[at_ns]

    def _last_commit(self, before_ns: int) -> int:
        """Time of the last commit before an instant, to a second; the last switch of the log if there was none."""
        switched = before_ns // self._idle_ns * self._idle_ns
        position = self._position(before_ns)
        if position == self._position(switched):
            return switched
        low, high = switched, before_ns  # something is missing at low, all is there at high
        while high - low > S:
            middle = (low + high) // 2
            low, high = (low, middle) if self._position(middle) == position else (middle, high)
        return high

    def _position(self, at_ns: int) -> int:
        return self._context.plane.wal_position_at(self._database, max(0, at_ns))
