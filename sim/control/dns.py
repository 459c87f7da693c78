"""DNS outside both regions: one name, the region it leads to, the time a change takes, and the health check.

Each client's cache and TTL live in the data plane. Source: CALIBRATION 2 (change <= 60 s; a check each 10 or 30 s,
three in a row; healthy while more than 18 % of the checkers agree).

The checkers of a health check take turns at even distances, so their probes are one stream. With a target that answers
all of them or none, a checker has failed when its last three probes have, and as many checkers as it takes have failed
when a run of failures in the stream is two whole rounds and their share of a third long. Checkers that see different
things of a half-failed target are not told apart.
"""

import math

import numpy as np
from numpy.typing import NDArray

from sim.control.caches import Caches
from sim.control.context import Context, Wait
from sim.data.commands import Command

I64 = NDArray[np.int64]


class Dns:
    """The authoritative answer."""

    def __init__(self, context: Context, caches: Caches) -> None:
        self._context = context
        self._caches = caches
        self._changes = 0
        self._home = context.topology.database.home
        self._record = self._home  # the region that the record names first
        self._healthy = True  # the home region, as the checkers see it
        self.region: str = self._home
        self._lost: list[tuple[int, frozenset[int]]] = [(0, frozenset())]  # regions that are gone, since when
        context.sampler("dns", "stale_share", self._stale_share)
        if context.topology.dns.health_check_failover and len(context.topology.regions) > 1:
            context.env.process(self._check())

    def submit(self, region: str) -> Wait:
        """Submit a change and wait until it is everywhere."""
        context = self._context
        context.mark("dns_change_submitted", "dns", region=region)
        self._changes += 1
        if context.on("dns_propagation"):
            yield context.env.timeout(context.draws.sample_ns("dns.change_propagation", "dns", self._changes))
        self._record = region
        self._answer(changed=True)
        context.acted()

    def _answer(self, *, changed: bool = False) -> None:
        """Answer with the region of the record, or with the other one while a check says that it is down."""
        context = self._context
        down = self._record == self._home and not self._healthy
        region = self._other() if down else self._record
        if region == self.region and not changed:
            return
        self.region = region
        number = context.names.regions.index(region)
        self._caches.answered(context.now_ns, number)
        context.command(Command.DNS, number)
        context.mark("dns_switched", "dns", region=region)

    def _other(self) -> str:
        """Where a failed check leads: to the database's replica, else to the next region."""
        regions = [r for r in self._context.topology.regions if r != self._home]
        replica = self._context.topology.database.replica_region
        return replica if replica in regions else regions[0]

    # --- the health check

    def _check(self) -> Wait:
        """Follow the checkers of the home region's entry: the name moves by itself, there and back."""
        context = self._context
        yield context.env.timeout(0)  # observers are there once the clock runs
        watch = context.observed.watch(f"health/{self._home}", *self._checks())
        while True:
            yield watch.fails()
            self._judge(healthy=False)
            yield watch.recovers()
            self._judge(healthy=True)

    def _checks(self) -> tuple[int, int]:
        """Length of the runs of failures, and of successes, in the stream of all checkers."""
        context = self._context
        if not context.on("health_check"):
            return 1, 1
        checkers, in_a_row, agreeing = (
            context.parameters.number(name)
            for name in ("dns.health_checkers", "dns.health_check_failures", "dns.health_check_agreement")
        )
        rounds = (in_a_row - 1) * checkers
        healthy = math.floor(agreeing * checkers)  # so many that see it up are not enough
        return int(rounds + checkers - healthy), int(rounds + healthy + 1)

    def _judge(self, *, healthy: bool) -> None:
        kind = "health_check_passed" if healthy else "health_check_failed"
        self._context.mark(kind, "dns", region=self._home)
        self._healthy = healthy
        self._answer()

    # --- stale clients

    def lose(self, region: str) -> None:
        """A region is gone: clients led there are stale."""
        gone = self._lost[-1][1] | {self._context.names.regions.index(region)}
        self._lost.append((self._context.now_ns, gone))

    def regain(self, region: str) -> None:
        """It is back."""
        gone = self._lost[-1][1] - {self._context.names.regions.index(region)}
        self._lost.append((self._context.now_ns, gone))

    def _stale_share(self, instants_ns: I64) -> NDArray[np.float64]:
        """Share of the clients led to a region that is gone; no number while none is."""
        result = np.full(len(instants_ns), np.nan)
        since = np.array([t for t, _ in self._lost])
        which = np.searchsorted(since, instants_ns, side="right") - 1
        for i in np.unique(which).tolist():
            gone = sorted(self._lost[i][1])
            if gone:
                mine = which == i
                shares = self._caches.shares(instants_ns[mine], len(self._context.names.regions))
                result[mine] = shares[:, gone].sum(axis=1)
        return result
