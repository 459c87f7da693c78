"""Backups of the database: the nightly snapshot, the logs that are uploaded, and what a restore makes of them.

A restored instance reads its blocks from the backup when they are first asked for: the share that is still cold falls
as e^(-t/tau), and a cold block costs a query 20 to 35 ms. Source: CALIBRATION 0.5, 2, 5.
"""

import math

import numpy as np
from numpy.typing import NDArray

from sim.control.clock_time import DAY_S, start_of_run_s
from sim.control.context import Context, S, Wait
from sim.data.commands import Command

I64 = NDArray[np.int64]
DAY_US = DAY_S * 1_000_000
COLD_STEP_NS = 10 * S
WARM_MILLI = 1_010  # a slowdown below one per cent is none


class Backups:
    """What can be restored, how long it takes, and how cold the result is."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._database = context.topology.database

    def history_us(self) -> I64:
        """Times (negative) of the numbered writes that the scenario declares before the run."""
        history = self._context.resolved.scenario.workload.history
        if history is None:
            return np.zeros(0, dtype=np.int64)
        return np.arange(-history.covers_us, 0, history.spacing_us, dtype=np.int64)

    def snapshot_us(self, before_us: int) -> int:
        """Time of the last nightly snapshot at or before an instant; negative: before the run."""
        at_us = (
            self._database.snapshot_at_s - start_of_run_s(self._context)
        ) * 1e6  # of the day on which the run starts
        return round(at_us + math.floor((before_us - at_us) / DAY_US) * DAY_US)

    def uploaded_us(self, before_us: int) -> int:
        """Time up to which the logs had been uploaded at an instant; uploads keep to the clock's multiples."""
        period_us = self._database.log_upload_us
        midnight_us = round(-start_of_run_s(self._context) * 1e6)
        return midnight_us + (before_us - midnight_us) // period_us * period_us

    def restore(self, parameter: str, entity: str) -> Wait:
        """Wait until the restored instance is available."""
        if self._context.on("restore_time"):
            yield self._context.env.timeout(self._context.draws.sample_ns(parameter, entity))

    def warm(self, place: int, entity: str) -> Wait:
        """Let the restored instance in a place of the data plane read its cold blocks."""
        context = self._context
        if not context.on("cold_blocks"):
            return
        miss_us = context.draws.sample("aws.cold_block_miss", entity)
        tau_ns = context.draws.sample_ns("aws.cold_block_tau", entity)
        began = context.now_ns
        while True:
            cold = math.exp((began - context.now_ns) / tau_ns)
            milli = round(1_000 * (1 + cold * miss_us / self._database.own.mean_us))
            if milli < WARM_MILLI:
                break
            context.command(Command.SLOW, place, milli)
            yield context.env.timeout(COLD_STEP_NS)
        context.command(Command.SLOW, place, 1_000)
