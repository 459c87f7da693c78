"""Copies of models, configuration and logs to the other region, each at an interval, of numbered writes.

A copy takes everything written before it begins. Source: CALIBRATION 9 (intervals); phases are drawn.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from sim.control.context import Context

I64 = NDArray[np.int64]


class Copies:
    """Samples `recovery_point_us` of each copy and `last_write_us` of its source."""

    def __init__(self, context: Context) -> None:
        self._context = context
        database = context.topology.database
        self._home = database.home
        self._turned_us: list[int] = []  # when the source was lost, came back, was lost again ...
        if database.replica_region is None:
            return
        for name, copy in database.copies.items():
            written = self._every(name, "write", copy.write_spacing_us)
            copied = self._every(name, "copy", copy.interval_us) if context.on("copies") else self._live_us
            context.sampler(f"{database.replica_region}/{name}", "recovery_point_us", copied)
            context.sampler(f"source/{name}", "last_write_us", written)

    def lose(self, region: str) -> None:
        """Nothing is written or copied any more when the source is in this region."""
        self._turn(region, lost=True)

    def regain(self, region: str) -> None:
        """Writes and copies go on when the source is in this region and still the one that counts."""
        database = self._context.database
        if database.surviving.startswith(f"{self._home}/"):
            self._turn(region, lost=False)

    def _turn(self, region: str, *, lost: bool) -> None:
        if region == self._home and lost == (len(self._turned_us) % 2 == 0):
            self._turned_us.append(self._context.now_ns // 1_000)

    def _live_us(self, instants_ns: I64) -> I64:
        """The last instant, up to each, at which the source was there."""
        at_us = instants_ns // 1_000
        turns = np.array([*self._turned_us, 0], dtype=np.int64)
        passed = np.searchsorted(turns[:-1], at_us, side="right")
        return np.asarray(np.where(passed % 2 == 1, turns[passed - 1], at_us), dtype=np.int64)

    def _every(self, name: str, what: str, period_us: int) -> Callable[[I64], I64]:
        """Time of the last write or copy, at a fixed spacing from a drawn phase on, while the source was there."""
        phase_us = int(self._context.draws.uniform(name, what) * period_us)

        def last(at_us: I64) -> I64:
            return np.asarray((at_us - phase_us) // period_us * period_us + phase_us, dtype=np.int64)

        def values(instants_ns: I64) -> I64:
            due = last(self._live_us(instants_ns))
            there = self._live_us(due * 1_000)  # one that fell into an outage did not take place
            return np.asarray(np.where(there == due, due, last(there)), dtype=np.int64)

        return values
