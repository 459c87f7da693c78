"""The database: a primary with its Multi-AZ standby, an asynchronous replica in another region, and what is done to them.

A timeline is named "region/number". The replica holds what the primary had committed up to now minus the lag; nothing
reaches it once the primary is gone or the replication is cut. Source: CALIBRATION 2, 3.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from sim.control.backups import Backups
from sim.control.clock_time import time_of_day_s, within
from sim.control.context import Context, S, Wait
from sim.control.lag import Lag
from sim.control.lease import Lease
from sim.control.observed_lag import ObservedLag
from sim.control.roles import Timeline
from sim.control.timelines import Readable
from sim.data.commands import Command, ReplicaState

I64 = NDArray[np.int64]


class Postgres:
    """The databases of one trial (`roles.DatabaseTruth`)."""

    def __init__(self, context: Context) -> None:
        database = context.topology.database
        self._context = context
        self._declared = database
        self.lag = Lag(context)
        self.backups = Backups(context)
        self._lease = Lease(context)
        self.primary = database.home
        self.replica = database.replica_region
        self._lost: set[str] = set()
        self._cut_ns: int | None = None  # nothing reaches the replica since then
        self._stalled = False
        self._failures = 0
        self._fenced = False
        self._dropped: tuple[int, int] | None = None  # position and instant in ns
        self._restored: Timeline | None = None  # and not yet connected
        self._readable = {region: Readable() for region in context.topology.regions}
        self._timelines = [Timeline(f"{self.primary}/1", self.number(self.primary))]
        self._readable[self.primary].add(0, "primary", timeline=self.surviving)
        self._observed: ObservedLag | None = None
        self._sample()

    def _sample(self) -> None:
        context, replica = self._context, self.replica
        for region in filter(None, (self.primary, replica)):
            context.sampler(f"{region}/database", "writable", self._writable_of(region))
        if replica is None:
            return
        self._readable[replica].add(0, "replica")
        as_of_ns = lambda t: int(self.as_of_us(replica, np.array([t // 1_000]))[0]) * 1_000  # noqa: E731
        self._observed = ObservedLag(context, as_of_ns, self.number(self.primary))
        context.sampler(f"{replica}/database", "replication_lag_s", self._true_lag_of(replica))
        context.sampler(f"{replica}/database", "replication_lag_observed_s", self._observed_of(replica))

    # --- facts

    def number(self, region: str) -> int:
        """Number of a region's database in the data plane."""
        return self._context.names.database[region]

    def _place(self, region: str) -> int:
        return self._context.names.replicas[self._context.names.station[region, "database"]][0]

    @property
    def surviving(self) -> str:
        """Name of the timeline that counts: the last one made."""
        return self._timelines[-1].name

    def timelines(self) -> tuple[Timeline, ...]:
        """All timelines of the run."""
        return tuple(self._timelines)

    def as_of_us(self, region: str, at_us: I64) -> I64:
        """Time of the newest position that a region's services could read at each instant (-1: none)."""
        return self._readable[region].as_of_us(at_us, self.lag)

    def timeline_of(self, region: str, at_us: I64) -> NDArray[np.object_]:
        """Name of the timeline that takes writes in a region at each instant (None: none)."""
        return self._readable[region].timeline(at_us)

    def history_us(self) -> I64:
        """Times of the numbered writes that the scenario declares before the run."""
        return self.backups.history_us()

    def observed_lag_s(self) -> float | None:
        """What the metric of the replica shows now; None: there is none."""
        return None if self._observed is None else self._observed.at_s(self._context.now_ns)

    def _true_lag_of(self, region: str) -> Callable[[I64], NDArray[np.float64]]:
        return lambda instants_ns: (instants_ns // 1_000 - self.as_of_us(region, instants_ns // 1_000)) / 1e6

    def _observed_of(self, region: str) -> Callable[[I64], NDArray[np.float64]]:
        def values(instants_ns: I64) -> NDArray[np.float64]:
            assert self._observed is not None, "a replica has its metric"
            is_primary = np.array([name is not None for name in self.timeline_of(region, instants_ns // 1_000)])
            return np.where(is_primary, 0.0, self._observed.many_s(instants_ns))

        return values

    def _writable_of(self, region: str) -> Callable[[I64], I64]:
        def values(instants_ns: I64) -> I64:
            return np.array(
                [name is not None for name in self.timeline_of(region, instants_ns // 1_000)], dtype=np.int64
            )

        return values

    # --- what happens to it

    def _set_writable(self, region: str, *, on: bool) -> None:
        self._context.command(Command.WRITABLE, self.number(region), int(on))

    def _serves(self, region: str, state: ReplicaState, *, lost: int | None = None) -> None:
        """Set how a database answers; `lost` 0: it loses its work in silence, 1: with resets."""
        self._context.command(Command.STATE, self._place(region), state)
        if lost is not None:
            self._context.command(Command.LOSE, self._place(region), lost)

    def _freeze(self, region: str, *, at_ns: int) -> None:
        """Services of the region keep what they read last."""
        self._readable[region].add(self._context.now_ns, "frozen", as_of_us=at_ns // 1_000)

    def _cut_replication(self) -> None:
        """Nothing reaches the replica any more."""
        now = self._context.now_ns
        if self._cut_ns is None:
            self._cut_ns = now
            if self.replica is not None and self.replica not in self._lost:
                self._freeze(self.replica, at_ns=now - self.lag.at_ns(now))

    def _resume_replication(self) -> None:
        """The replica has caught up, if nothing else keeps it from it."""
        source = self._declared.home
        if self._stalled or source in self._lost or self._dropped or self.replica is None or self.replica in self._lost:
            return
        self._cut_ns = None
        self._readable[self.replica].add(self._context.now_ns, "replica")

    def lose(self, region: str) -> None:
        """Everything of the database in this region is gone: no answer, no reset."""
        context = self._context
        self._lost.add(region)
        self._failures += 1
        self._serves(region, ReplicaState.BLACK_HOLE, lost=0)
        context.mark("database_failed", f"{region}/database")
        if region == self._declared.home:
            self._lease.cut_off()
            self._cut_replication()
        if region == self.replica:
            self._freeze(region, at_ns=context.now_ns - self.lag.at_ns(context.now_ns))
        elif region == self.primary:
            self._freeze(region, at_ns=context.now_ns)

    def regain(self, region: str) -> None:
        """The region is back. What was the primary returns fenced if its lease was taken."""
        context = self._context
        self._lost.discard(region)
        self._serves(region, ReplicaState.SERVING)
        if region == self._declared.home:
            self._lease.reach()
            if context.on("fencing") and self._lease.taken:
                self._fence_old()
            else:  # it takes writes, on its own timeline, whoever else does
                self._readable[region].add(context.now_ns, "primary", timeline=self._timelines[0].name)
                context.mark("database_available", f"{region}/database", timeline=self._timelines[0].name)
        elif region == self.primary:
            self._readable[region].add(context.now_ns, "primary", timeline=self.surviving)
            context.mark("database_available", f"{region}/database", timeline=self.surviving)
        self._resume_replication()

    def _fence_old(self) -> None:
        """The first primary commits nothing from now on."""
        if self._fenced:
            return
        self._fenced = True
        home, now = self._declared.home, self._context.now_ns
        if self.timeline_of(home, np.array([now // 1_000]))[0] is not None:
            self._freeze(home, at_ns=now)
        self._set_writable(home, on=False)
        self._context.mark("fenced", f"{home}/database", by="lease")

    def fail_primary(self, region: str) -> None:
        """The primary's instance dies; the standby takes over, or the instance is repaired."""
        context = self._context
        self._serves(region, ReplicaState.REFUSING, lost=1)
        context.mark("database_failed", f"{region}/database")
        self._freeze(region, at_ns=context.now_ns)
        if region == self._declared.home:
            self._cut_replication()
        self._failures += 1
        context.env.process(self._take_over(region, self._failures))

    def _take_over(self, region: str, failure: int) -> Wait:
        """The standby holds every commit: nothing acknowledged is lost, and the replica goes on after it."""
        context = self._context
        taken = context.draws.sample_ns("aws.rds_single_az_recovery", region, failure)
        if self._declared.multi_az:
            slow = context.draws.uniform(region, "failover tail", failure) < context.parameters.number(
                "aws.rds_failover_tail_share"
            )
            name = "aws.rds_failover_tail" if slow else "postgres.failover_multi_az"
            taken = context.draws.sample_ns(name, region, failure) if context.on("multi_az_failover_time") else 1
        yield context.env.timeout(taken)
        if failure != self._failures or region in self._lost:
            return
        self._serves(region, ReplicaState.SERVING)
        self._readable[region].add(context.now_ns, "primary", timeline=self.surviving)
        context.mark("database_available", f"{region}/database", timeline=self.surviving)
        self._resume_replication()
        if self._declared.multi_az:
            context.env.process(self._make_standby(region))

    def _make_standby(self, region: str) -> Wait:
        context = self._context
        yield context.env.timeout(context.draws.sample_ns("aws.standby_create", region))
        context.mark("standby_streaming", f"{region}/database")
        context.mark("redundancy_restored", f"{region}/database", what="standby")

    def stall_replication(self, *, stalled: bool) -> None:
        """The replica receives nothing (or again)."""
        self._stalled = stalled
        if stalled:
            self._cut_replication()
        else:
            self._resume_replication()

    def drop_table(self) -> None:
        """The orders table is dropped; the statement reaches the replica like any other."""
        context, region = self._context, self.primary
        position = context.plane.wal_position(self.number(region))
        self._dropped = (position, context.now_ns)
        self._set_writable(region, on=False)
        self._timelines[-1] = Timeline(self.surviving, self.number(region), last=0, history_until_us=None)
        self._freeze(region, at_ns=context.now_ns)
        if region == self._declared.home:
            self._cut_replication()
        context.mark("data_dropped", f"{region}/database", timeline=self.surviving, position=position)

    # --- what people and the automation do

    def fence(self) -> Wait:
        """Take the old primary's lease and wait until it has expired; from then on it commits nothing."""
        context = self._context
        if not context.on("fencing") or self.primary != self._declared.home:
            return
        yield context.env.timeout(max(1, self._lease.take() - context.now_ns))
        self._fence_old()

    def backing_up(self) -> bool:
        """Whether the replica's own snapshot is being taken."""
        context = self._context
        begins_s = context.parameters.number("aws.replica_backup_at_s")
        ends_s = begins_s + context.ns("postgres.backup_duration") / S
        return within(time_of_day_s(context, context.now_ns), begins_s, ends_s)

    def _received(self, region: str, at_ns: int) -> tuple[int, int]:
        """Position that the replica has received, and the time (us) up to which it holds everything."""
        plane, number = self._context.plane, self.number(self.primary)
        if not self._context.on("timeline_fork"):
            return plane.wal_position(number), at_ns // 1_000
        as_of_us = int(self.as_of_us(region, np.array([at_ns // 1_000]))[0])
        return plane.wal_position_at(number, max(0, as_of_us * 1_000)), as_of_us

    def promote(self, region: str) -> Wait:
        """Make the region's replica the primary of a new timeline; refused while it is backing up.

        Whoever promotes takes the old primary's lease too, so that a promotion without a fence ends no sooner.
        """
        context = self._context
        subject = f"{region}/database"
        while context.on("backup_refuses_promotion") and self.backing_up():
            context.mark("promotion_refused", subject, reason="backing-up")
            yield context.env.timeout(context.ns("people.look_again"))
        if region != self.replica:
            return  # it is the primary already
        context.mark("promotion_begun", subject)
        expires = self._lease.take() if context.on("fencing") else 0
        taken = context.draws.sample_ns("postgres.promote", subject) if context.on("promotion_time") else 1
        yield context.env.timeout(max(taken, expires - context.now_ns))
        if context.on("fencing") and self.timeline_of(self.primary, np.array([context.now_ns // 1_000]))[0] is not None:
            self._fence_old()
        self._fork(region)

    def _fork(self, region: str) -> None:
        """Begin the timeline of the region's replica."""
        context, old = self._context, self._timelines[-1]
        position, held_us = self._received(region, context.now_ns)
        context.command(Command.FORK, self.number(region), self.number(self.primary), position)
        until_us = None if old.history_until_us is None else min(old.history_until_us, held_us)
        name = f"{region}/{len(self._timelines) + 1}"
        self._timelines.append(Timeline(name, self.number(region), position, None, old.name, position, until_us))
        self.primary, self.replica = region, None
        self._set_writable(region, on=True)
        self._readable[region].add(context.now_ns, "primary", timeline=name)
        context.mark("promoted", f"{region}/database", timeline=name, position=position)
        context.env.process(self._make_standby(region))

    def restore_snapshot(self) -> Wait:
        """Restore the last nightly snapshot before the mistake into a new instance of the same region."""
        yield from self._restore("snapshot", "postgres.snapshot_restore", self.backups.snapshot_us(self._mistake_us()))

    def restore_point_in_time(self) -> Wait:
        """Restore to the moment before the mistake, or to the last uploaded log if that is earlier."""
        until_us = min(self._mistake_us(), self.backups.uploaded_us(self._context.now_ns // 1_000))
        yield from self._restore("point in time", "aws.restore_point_in_time", until_us)

    def _mistake_us(self) -> int:
        return (self._context.now_ns if self._dropped is None else self._dropped[1]) // 1_000

    def _restore(self, source: str, parameter: str, recovered_to_us: int) -> Wait:
        context, region = self._context, self.primary
        subject, number = f"{region}/database", self.number(region)
        context.mark("restore_begun", subject, source=source)
        yield from self.backups.restore(parameter, region)
        kept = context.plane.wal_position_at(number, recovered_to_us * 1_000) if recovered_to_us > 0 else 0
        first = context.plane.wal_position(number) if self._dropped is None else self._dropped[0]
        name = f"{region}/{len(self._timelines) + 1}"
        self._restored = Timeline(name, number, first, history_until_us=recovered_to_us, kept=kept)
        self._timelines.append(self._restored)
        context.mark("restored", subject, timeline=name, recovered_to_us=recovered_to_us)

    def connect(self, region: str, name: str) -> None:
        """The services of a region have read a new `database_url`: they reach the restored instance."""
        context = self._context
        if self._restored is None or region != self.primary:
            return
        timeline, self._restored = self._restored, None
        self._set_writable(region, on=True)
        self._serves(region, ReplicaState.SERVING)
        self._readable[region].add(context.now_ns, "primary", timeline=timeline.name)
        context.mark("database_available", f"{region}/database", timeline=timeline.name)
        context.env.process(self.backups.warm(self._place(region), f"{region}/restored"))
        if self._declared.multi_az:
            context.env.process(self._make_standby(region))
