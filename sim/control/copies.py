"""Copies of models, configuration and logs to the other region, each at an interval, of numbered writes.

A copy takes everything written before it begins. Source: CALIBRATION 9 (intervals); phases are drawn.
"""

import numpy as np
from numpy.typing import NDArray

from scenarios.model.topology import Copy
from sim.control.context import Context

I64 = NDArray[np.int64]
NEVER_NS = 1 << 62


class Copies:
    """Samples `recovery_point_us` of each copy and `last_write_us` of its source."""

    def __init__(self, context: Context) -> None:
        self._context = context
        database = context.topology.database
        self._home = database.home
        self._lost_ns = NEVER_NS
        if database.replica_region is None:
            return
        for name, copy in database.copies.items():
            context.sampler(
                f"{database.replica_region}/{name}", "recovery_point_us", self._recovery_point_of(name, copy)
            )
            context.sampler(f"source/{name}", "last_write_us", self._last_write_of(name, copy))

    def lose(self, region: str) -> None:
        """Nothing is written or copied any more when the source is in this region."""
        if region == self._home:
            self._lost_ns = min(self._lost_ns, self._context.now_ns)

    def _phase_us(self, name: str, what: str, period_us: int) -> int:
        return int(self._context.draws.uniform(name, what) * period_us)

    def _until_us(self, instants_ns: I64) -> I64:
        """The instants themselves, or the loss of the source."""
        return np.asarray(np.minimum(instants_ns, self._lost_ns) // 1_000, dtype=np.int64)

    def _last_write_of(self, name: str, copy: Copy):  # type: ignore[no-untyped-def]  # a closure
        period = copy.write_spacing_us
        phase = self._phase_us(name, "write", period)

        def values(instants_ns: I64) -> I64:
            return (self._until_us(instants_ns) - phase) // period * period + phase

        return values

    def _recovery_point_of(self, name: str, copy: Copy):  # type: ignore[no-untyped-def]  # a closure
        period = copy.interval_us
        phase = self._phase_us(name, "copy", period)

        def values(instants_ns: I64) -> I64:
            until = self._until_us(instants_ns)
            return (until - phase) // period * period + phase if self._context.on("copies") else until

        return values
