"""The database: a primary with its Multi-AZ standby, an asynchronous replica elsewhere, and what is done to them.

A timeline is named "region/number". The replica holds what the primary had committed up to now minus the lag; nothing
reaches it while anything holds it back. Source: CALIBRATION 2, 3.
"""

from collections import Counter
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from sim.control.backups import Backups
from sim.control.clock_time import time_of_day_s, within
from sim.control.context import Context, S, Wait
from sim.control.database_samples import sample
from sim.control.lag import Lag
from sim.control.lease import Lease
from sim.control.observed_lag import ObservedLag
from sim.control.roles import Timeline
from sim.control.timelines import Readable, Step
from sim.data.commands import Command, ReplicaState

I64 = NDArray[np.int64]
CATCH_UP_POLL_NS = S // 10


class Postgres:
    """The databases of one trial (`roles.DatabaseTruth`)."""

    def __init__(self, context: Context) -> None:
        database = context.topology.database
        self._context = context
        self._declared = database
        lag = Lag(context)
        self.backups = Backups(context)
        self._leases = {database.home: Lease(context, "lease")}  # of each primary so far, by region
        self.primary = database.home
        self.replica = database.replica_region
        self._lost: set[str] = set()
        self._holds_back: set[str] = set()  # why nothing reaches the replica
        self._failures: Counter[str] = Counter()  # by region; a plan made before the last one is void
        self._standby = database.multi_az
        self._standbys = 0  # begun so far
        self._failed: dict[str, bool] = {}  # regions whose instance is dead, and whether its standby is taking over
        self._dropped: tuple[int, int] | None = None  # position and instant in ns
        self._restored: Timeline | None = None  # and not yet connected
        self._readable = {region: Readable(lag) for region in context.topology.regions}
        self._timelines = [Timeline(f"{self.primary}/1", self.number(self.primary))]
        self._writes: dict[str, str | None] = {self.primary: self.surviving}  # timeline that a region's instance writes
        self._readable[self.primary].add(Step(0, "primary", self.surviving))
        if self.replica is not None:
            self._readable[self.replica].add(Step(0, "replica"))
        self._observed = ObservedLag(context, self._received_us, self.number(self.primary)) if self.replica else None
        sample(context, self, self._observed)

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
        return self._readable[region].as_of_us(at_us)

    def timeline_of(self, region: str, at_us: I64) -> NDArray[np.object_]:
        """Name of the timeline that takes writes in a region at each instant (None: none)."""
        return self._readable[region].timeline(at_us)

    def leads(self, region: str, at_us: I64) -> NDArray[np.bool_]:
        """Whether a region's instance was a primary, or had been the last one here, at each instant."""
        return self._readable[region].leads(at_us)

    def history_us(self) -> I64:
        """Times of the numbered writes that the scenario declares before the run."""
        return self.backups.history_us()

    def observed_lag_s(self) -> float | None:
        """What the metric of the replica shows now; None: there is none."""
        return None if self._observed is None or self.replica is None else self._observed.at_s(self._context.now_ns)

    def _received_us(self, at_us: I64) -> I64:
        """Time of the newest position that the replica has replayed at each instant."""
        assert self._declared.replica_region is not None, "somebody receives"
        return self.as_of_us(self._declared.replica_region, at_us)

    @property
    def _now_us(self) -> int:
        return self._context.now_ns // 1_000

    # --- what happens to it

    def _serves(self, region: str, state: ReplicaState, *, lost: int | None = None) -> None:
        """Set how a database answers; `lost` 0: it loses its work in silence, 1: with resets."""
        self._context.command(Command.STATE, self._place(region), state)
        if lost is not None:
            self._context.command(Command.LOSE, self._place(region), lost)

    def _begin_writing(self, region: str, timeline: str) -> None:
        self._writes[region] = timeline
        self._context.command(Command.WRITABLE, self.number(region), 1)
        self._readable[region].add(Step(self._now_us, "primary", timeline))

    def _end_writing(self, region: str) -> None:
        """It commits nothing from now on; what it has can be read."""
        self._writes[region] = None
        self._context.command(Command.WRITABLE, self.number(region), 0)
        self._freeze(region)

    def _freeze(self, region: str) -> None:
        """Services of the region keep what they read last."""
        held = int(self.as_of_us(region, np.array([self._now_us]))[0])
        self._readable[region].add(Step(self._now_us, "frozen", held_us=held))

    def _available(self, region: str) -> None:
        """The region's instance answers again, and writes if it did before."""
        self._serves(region, ReplicaState.SERVING)
        if (timeline := self._writes.get(region)) is not None:
            self._readable[region].add(Step(self._now_us, "primary", timeline))
            self._context.mark("database_available", f"{region}/database", timeline=timeline)

    def _hold_back(self, reason: str) -> None:
        """Nothing reaches the replica any more."""
        if self.replica is not None and not self._holds_back:
            self._freeze(self.replica)
        self._holds_back.add(reason)

    def _let_through(self, reason: str) -> None:
        """The replica finds its primary at its next try and catches up, unless something else holds it back."""
        if reason not in self._holds_back:
            return
        self._holds_back.discard(reason)
        if self._holds_back or self.replica is None:
            return
        context, now, replica = self._context, self._now_us, self.replica
        retry = context.parameters.duration_us("postgres.wal_receiver_retry")
        waits = int(retry * context.draws.uniform(replica, "retry", now))
        held = int(self.as_of_us(replica, np.array([now]))[0])
        speed = context.parameters.number("postgres.catch_up")
        step = Step(now, "replica", held_us=held, receives_us=now + waits, catch_up=speed)
        self._readable[replica].add(step)

    def lose(self, region: str) -> None:
        """Everything of the database in this region is gone: no answer, no reset."""
        context = self._context
        self._lost.add(region)
        self._failures[region] += 1
        self._serves(region, ReplicaState.BLACK_HOLE, lost=0)
        context.mark("database_failed", f"{region}/database")
        if region in (self._declared.home, self.replica):
            self._hold_back(f"{region} lost")
        if self._writes.get(region) is not None:
            self._freeze(region)
        if region == self.primary:
            self._leases[region].cut_off()

    def regain(self, region: str) -> None:
        """The region is back. What was the primary returns fenced if its lease was taken."""
        self._lost.discard(region)
        self._failed.pop(region, None)
        if (lease := self._leases.get(region)) is not None:
            lease.reach()
            if self._context.on("fencing") and lease.taken:
                self._fence_old(region)
        self._available(region)
        self._let_through(f"{region} lost")
        self._let_through(f"{region} failed")

    def fail_primary(self, region: str) -> None:
        """The instance of a region dies; the primary's standby takes over, or the instance is repaired."""
        context = self._context
        self._failures[region] += 1
        self._serves(region, ReplicaState.REFUSING, lost=1)
        context.mark("database_failed", f"{region}/database")
        if region in (self._declared.home, self.replica):
            self._hold_back(f"{region} failed")
        if self._writes.get(region) is not None:
            self._freeze(region)
        context.env.process(self._take_over(region, self._failures[region]))

    def _take_over(self, region: str, failure: int) -> Wait:
        """The standby holds every commit: nothing acknowledged is lost, and the replica goes on after it."""
        context, standby = self._context, region == self.primary and self._standby
        self._failed[region] = standby
        taken = context.draws.sample_ns("aws.rds_single_az_recovery", region, failure)
        if standby:
            self._standby = False
            slow = context.draws.uniform(region, "failover tail", failure) < context.parameters.number(
                "aws.rds_failover_tail_share"
            )
            name = "aws.rds_failover_tail" if slow else "postgres.failover_multi_az"
            taken = context.draws.sample_ns(name, region, failure) if context.on("multi_az_failover_time") else 1
        yield context.env.timeout(taken)
        if failure != self._failures[region] or region in self._lost:
            return
        self._back_again(region)
        if standby:
            context.env.process(self._make_standby(region))

    def _back_again(self, region: str) -> None:
        del self._failed[region]
        self._available(region)
        self._let_through(f"{region} failed")

    def start_again(self, region: str) -> None:
        """The instance that died is started again, unless its standby or its repair was faster or the region is lost.

        A standby that was taking over stays a standby.
        """
        if region not in self._failed or region in self._lost:
            return
        self._failures[region] += 1
        self._standby = self._standby or self._failed[region]
        self._back_again(region)

    def _make_standby(self, region: str) -> Wait:
        """Make a new standby; the last one begun counts."""
        context = self._context
        self._standbys += 1
        mine = self._standbys
        yield context.env.timeout(context.draws.sample_ns("aws.standby_create", region, mine))
        if mine == self._standbys and region == self.primary and region not in self._lost:
            self._standby = True
            context.mark("standby_streaming", f"{region}/database")
            context.mark("redundancy_restored", f"{region}/database", what="standby")

    def stall_replication(self, *, stalled: bool) -> None:
        """The replica receives nothing (or again)."""
        if stalled:
            self._hold_back("stalled")
        else:
            self._let_through("stalled")

    def drop_table(self) -> None:
        """The orders table is dropped; the statement reaches the replica like any other."""
        context, region = self._context, self.primary
        position = context.plane.wal_position(self.number(region))
        self._dropped = (position, context.now_ns)
        self._timelines[-1] = Timeline(self.surviving, self.number(region), last=0, history_until_us=None)
        self._hold_back("dropped")
        self._end_writing(region)
        context.mark("data_dropped", f"{region}/database", timeline=self.surviving, position=position)

    # --- what people and the automation do

    def _fence_old(self, region: str) -> None:
        """What was the primary commits nothing from now on."""
        if self._writes[region] is not None:
            self._end_writing(region)
            self._context.mark("fenced", f"{region}/database", by="lease")

    def _take_lease(self) -> int:
        """Take the primary's lease: it commits nothing once it has expired. Returns when that is."""
        region = self.primary
        lease = self._leases[region]
        first = not lease.taken
        expires = lease.take()
        if first:
            self._context.env.process(self._expire(region, expires))
        return expires

    def _expire(self, region: str, at_ns: int) -> Wait:
        yield self._context.env.timeout(max(1, at_ns - self._context.now_ns))
        if self._leases[region].taken:
            self._fence_old(region)

    def fence(self, region: str) -> Wait:
        """Take a primary's lease and wait until it has expired; from then on it commits nothing."""
        context = self._context
        if not context.on("fencing") or self.primary != region:
            return
        yield context.env.timeout(max(1, self._take_lease() - context.now_ns))
        self._fence_old(region)

    def reseed(self, region: str) -> Wait:
        """Give up what a region's instance holds and make it the primary's standby, copied anew.

        Returns whether it streams: not when it is the primary itself, or while one of the two or the way is lost.
        """
        context, subject = self._context, f"{region}/database"
        if not self._can_copy(region):
            return False
        yield context.env.timeout(context.draws.sample_ns("postgres.reseed", subject, len(self._timelines)))
        if not self._can_copy(region):
            return False
        self._close_timelines(region)
        self._holds_back.discard("dropped")  # what is copied anew has what the primary has
        self.replica = region
        self._serves(region, ReplicaState.SERVING)
        self._readable[region].add(Step(self._now_us, "replica"))
        context.mark("standby_streaming", subject)
        context.mark("redundancy_restored", subject, what="standby")
        return True

    def _can_copy(self, region: str) -> bool:
        """Whether the primary and a region's instance are there, and the way between them is open."""
        return region != self.primary and not self._lost & {region, self.primary} and self._holds_back <= {"dropped"}

    def _close_timelines(self, region: str) -> None:
        """What was written here belongs to the timelines so far; the next one begins after it."""
        position = self._context.plane.wal_position(self.number(region))
        for i, timeline in enumerate(self._timelines):
            if timeline.database == self.number(region) and timeline.last is None:
                self._timelines[i] = replace(timeline, last=position)

    def catch_up(self, region: str) -> Wait:
        """Wait until a region's standby has replayed everything that the primary has written by now."""
        wanted_us = self._now_us
        while int(self.as_of_us(region, np.array([self._now_us]))[0]) < wanted_us:
            yield self._context.env.timeout(CATCH_UP_POLL_NS)

    def backing_up(self) -> bool:
        """Whether the replica's own snapshot is being taken."""
        context = self._context
        begins_s = context.parameters.number("aws.replica_backup_at_s")
        ends_s = begins_s + context.ns("postgres.backup_duration") / S
        return within(time_of_day_s(context, context.now_ns), begins_s, ends_s)

    def _received(self) -> tuple[int, int]:
        """Position that the replica has received, and the time (us) up to which it holds everything."""
        plane, number = self._context.plane, self.number(self.primary)
        if not self._context.on("timeline_fork"):
            return plane.wal_position(number), self._now_us
        assert self.replica is not None, "only a replica is promoted"
        as_of_us = int(self.as_of_us(self.replica, np.array([self._now_us]))[0])
        return plane.wal_position_at(number, max(0, as_of_us * 1_000)), as_of_us

    def promote(self, region: str) -> Wait:
        """Make the region's replica the primary of a new timeline. Returns whether it is; not while it is backing up.

        Whoever promotes takes the old primary's lease too, so that a promotion without a fence ends no sooner.
        """
        context = self._context
        subject = f"{region}/database"
        if region != self.replica:
            return region == self.primary
        if context.on("backup_refuses_promotion") and self.backing_up():
            context.mark("promotion_refused", subject, reason="backing-up")
            return False
        context.mark("promotion_begun", subject)
        expires = self._take_lease() if context.on("fencing") else 0
        taken = context.draws.sample_ns("postgres.promote", subject) if context.on("promotion_time") else 1
        yield context.env.timeout(max(taken, expires - context.now_ns))
        if region in self._lost or region != self.replica:
            return region == self.primary
        if context.on("fencing"):
            self._fence_old(self.primary)
        self._fork(region)
        return True

    def _fork(self, region: str) -> None:
        """Begin the timeline of the region's replica."""
        context, old = self._context, self._timelines[-1]
        position, held_us = self._received()
        first = max(position, context.plane.wal_position(self.number(region)))  # a second timeline here goes on after
        context.command(Command.FORK, self.number(region), self.number(self.primary), first)
        until_us = None if old.history_until_us is None else min(old.history_until_us, held_us)
        name = f"{region}/{len(self._timelines) + 1}"
        self._timelines.append(Timeline(name, self.number(region), first, None, old.name, position, until_us))
        self.primary, self.replica, self._standby = region, None, False
        self._leases[region] = Lease(context, f"lease of {name}")
        self._begin_writing(region, name)
        context.mark("promoted", f"{region}/database", timeline=name, position=position)
        context.env.process(self._make_standby(region))

    def restore_snapshot(self) -> Wait:
        """Restore the last nightly snapshot before the mistake into a new instance of the same region."""
        yield from self._restore("snapshot", "postgres.snapshot_restore", self.backups.snapshot_us(self._mistake_us()))

    def restore_point_in_time(self) -> Wait:
        """Restore to the moment before the mistake, or to the last uploaded log if that is earlier."""
        until_us = min(self._mistake_us(), self.backups.uploaded_us(self._now_us))
        yield from self._restore("point in time", "aws.restore_point_in_time", until_us)

    def _mistake_us(self) -> int:
        return self._now_us if self._dropped is None else self._dropped[1] // 1_000

    def _restore(self, source: str, parameter: str, recovered_to_us: int) -> Wait:
        """Make a new instance beside the old one, which goes on."""
        context, region = self._context, self.primary
        subject, number = f"{region}/database", self.number(region)
        context.mark("restore_begun", subject, source=source)
        yield from self.backups.restore(parameter, region)
        kept = context.plane.wal_position_at(number, recovered_to_us * 1_000) if recovered_to_us > 0 else 0
        name = f"{region}/{len(self._timelines) + 1}"
        old = self._timelines[-1]
        forked = min(old.fork_position, kept)
        self._restored = Timeline(name, number, 0, 0, old.parent, forked, recovered_to_us, kept)
        context.mark("restored", subject, timeline=name, recovered_to_us=recovered_to_us)

    def connect(self, region: str, name: str) -> None:
        """The services of a region have read a new `database_url`: they reach the restored instance from now on."""
        context = self._context
        if self._restored is None or region != self.primary:
            return
        timeline, self._restored = self._restored, None
        position = context.plane.wal_position(self.number(region))
        old = self._timelines[-1]
        self._timelines[-1] = replace(old, last=position if old.last is None else old.last)
        self._timelines.append(replace(timeline, first=position, last=None))
        self._begin_writing(region, timeline.name)
        self._serves(region, ReplicaState.SERVING)
        self._standby = False
        context.mark("database_available", f"{region}/database", timeline=timeline.name)
        context.env.process(self.backups.warm(self._place(region), f"{region}/restored"))
        if self._declared.multi_az:
            context.env.process(self._make_standby(region))
