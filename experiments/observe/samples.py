"""What is sampled each second: who writes, how far, how many pods, how old the copies are, what would be lost now."""

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any

from experiments.observe.behind import OVERLAP, Behind, Found
from experiments.observe.clock import Clock
from experiments.observe.cluster_facts import ClusterFacts
from experiments.observe.database import Session
from experiments.observe.database_facts import DatabaseFacts
from experiments.observe.http import get
from experiments.observe.names import PROBE_KEYS
from experiments.observe.settings import Where
from experiments.observe.wire import Sender

SECOND_US = 1_000_000
ASK_S = 1.0
COUNTED_AT_ONCE = 10_000  # keys that a query of each second goes through at most, or twice as many


class Samples:
    """Samples everything once a second, each thing with a deadline; what does not answer has no sample."""

    def __init__(
        self,
        document: Mapping[str, Any],
        clock: Clock,
        wire: Sender,
        databases: DatabaseFacts,
        clusters: Mapping[str, ClusterFacts],
        reachable: Mapping[str, bool],
    ) -> None:
        self._where = Where.of(document)
        self._home, self._classes = document["home"], tuple(document["copies"])
        self._clock, self._wire = clock, wire
        self._databases, self._clusters, self._reachable = databases, clusters, reachable
        self._sessions = {r: Session(*self._where.database(r), ASK_S) for r in self._where.places}
        self._first_key = int(document["first_key"])
        self._behind = Behind(-1, self._first_key - 1)
        self._source_lost = False  # the source of the copies fell silent, and may be no longer the one that counts

    def _row(self, subject: str, name: str, value: float, t_us: int | None = None) -> None:
        at = self._clock.now_us() if t_us is None else t_us
        self._wire.row("samples", t_us=at, subject=subject, name=name, value=float(value))

    def jobs(self) -> list[Callable[[], Awaitable[None]]]:
        """What is to be done each second, each by itself: none waits for what another asks."""
        places = self._where.places
        each = [partial(job, region) for region in places for job in (self._pods, self._copies, self._risk)]
        return [self._here, *each, self._at_risk]

    async def _here(self) -> None:
        """What needs no question."""
        self._instrument()
        self._state()

    def _instrument(self) -> None:
        step_us = self._clock.look()
        if step_us:
            self._wire.mark(self._clock.now_us(), "clock_step", "watchers", step_us=step_us)
        self._row("watchers", "clock_bound_us", self._clock.bound_us)

    def _state(self) -> None:
        epoch_us = self._clock.epoch_us(self._clock.now_us())
        for region in self._where.places:
            subject, state = f"{region}/database", self._databases.state(region)
            if state is None:
                continue
            self._row(subject, "writable", state.writable(epoch_us))
            if not state.in_recovery:
                self._row(subject, "wal_position", state.position)
                continue
            self._row(subject, "replayed_position", state.position)
            lag_s = self._databases.lag_s(region, epoch_us)
            if lag_s is not None:
                self._row(subject, "replication_lag_s", lag_s)

    async def _pods(self, region: str) -> None:
        """Pods ready and planned, as the API says; without the API, none where the region's edge answers nobody."""
        cluster = self._clusters[region]
        known = self._reachable[region]
        for service, planned in dict(cluster.planned).items():
            if known:
                self._row(f"{region}/{service}", "replicas_ready", cluster.ready(service))
            elif not await self._answers(region, service):
                self._row(f"{region}/{service}", "replicas_ready", 0)
            else:
                continue  # somebody answers, and nobody says how many
            self._row(f"{region}/{service}", "replicas_planned", planned)

    async def _answers(self, region: str, service: str) -> bool:
        address, port = self._where.places[region], self._where.ports[service]
        return (await get(address, port, "/health/ready", ASK_S)).code == 200

    async def _copies(self, region: str) -> None:
        """Age of the copies: the copy's recovery point, and the last write of the source in its home.

        A source that was lost and comes back while another region is the primary counts no more, as in the twin: what
        it writes then is nobody's.
        """
        response = await get(self._where.places[region], self._where.ports["copies"], "/copies", ASK_S)
        found = response.json() if response.code == 200 else None
        if region == self._home:
            replaced = self._databases.primary() not in (None, self._home)
            self._source_lost = found is None or (self._source_lost and replaced)
            if self._source_lost:
                return
        for name in self._classes if isinstance(found, dict) else ():
            said = found.get(name) if isinstance(found, dict) else None
            if not isinstance(said, dict):
                continue
            if region == self._home and said.get("source_last_us"):
                self._row(f"source/{name}", "last_write_us", self._clock.of_epoch(int(said["source_last_us"])))
            if region != self._home and said.get("recovery_point_us"):
                point_us = self._clock.of_epoch(int(said["recovery_point_us"]))
                self._row(f"{region}/{name}", "recovery_point_us", point_us)

    async def _risk(self, region: str) -> None:
        """Value at risk as the region's risk service computes it, as a share of its limit."""
        response = await get(self._where.places[region], self._where.ports["risk"], "/probe", ASK_S)
        found = response.json() if response.code == 200 else None
        if isinstance(found, dict) and found.get("limit"):
            self._row(f"{region}/risk", "risk_var_current", found["var"] / found["limit"])
            self._row(f"{region}/risk", "risk_var_limit", 1.0)

    async def _at_risk(self) -> None:
        """Had the primary's region died now: so many orders would be lost, the oldest of them so old.

        While no standby answers, that is everything since the position that one was last seen to have. Without a
        primary that answers, or before any standby did, it is not known, and there is no sample.
        """
        primary = self._databases.primary()
        held = None if primary is None else await self._standby_position()
        if primary is None or held is None:
            return
        if held != self._behind.held:
            fell_back = held < self._behind.held  # another standby, or one that was made anew: all is looked at again
            self._behind = Behind(held, self._first_key - 1 if fell_back else self._behind.replicated_to)
        found = await self._count(primary, self._behind.counted_to, PROBE_KEYS)
        if found is None:
            return
        orders, oldest_us = self._behind.with_more(found)
        self._row(f"{primary}/database", "at_risk_orders", orders)
        self._row(f"{primary}/database", "at_risk_s", 0.0 if oldest_us is None else (found.now_us - oldest_us) / 1e6)
        if found.last_key is not None and found.last_key - self._behind.counted_to > COUNTED_AT_ONCE:
            to = found.last_key - OVERLAP
            settled = await self._count(primary, self._behind.counted_to, to + 1)
            if settled is not None:
                self._behind.settle(settled, to)

    async def _standby_position(self) -> int | None:
        """What the standbys have, now or, when none answers, at the last look; None: none ever answered."""
        standbys = [r for r in self._where.places if (s := self._databases.state(r)) is not None and s.in_recovery]
        answers = [await self._sessions[r].rows("SELECT position FROM gameday_state()") for r in standbys]
        positions = [int(rows[0][0]) for rows in answers if rows]
        return max(positions) if positions else None if self._behind.held < 0 else self._behind.held

    async def _count(self, primary: str, after: int, before: int) -> Found | None:
        """Orders of the primary with after < key < before that the standby does not have; None: no answer."""
        rows = await self._sessions[primary].rows(
            "SELECT count(*) FILTER (WHERE position >= %(held)s), min(written_us) FILTER (WHERE position >= %(held)s),"
            " min(key) FILTER (WHERE position >= %(held)s), max(key), gameday_now_us()"
            " FROM orders WHERE key > %(after)s AND key < %(before)s",
            {"held": self._behind.held, "after": after, "before": before},
        )
        return Found(*rows[0]) if rows else None
